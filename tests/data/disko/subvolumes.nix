# A btrfs with subvolumes, and swap files in two of them.
{
  disko.devices.disk.main = {
    device = "/dev/vda";
    content = {
      type = "gpt";
      partitions = {
        root = {
          size = "100%";
          content = {
            type = "btrfs";
            extraArgs = [ "-f" "-L nixos" ];
            mountpoint = "/partition-root";
            mountOptions = [ "noatime" ];
            swap.extra.size = "64M";
            subvolumes = {
              "/rootfs" = { mountpoint = "/"; };
              "@home" = { mountpoint = "/home"; mountOptions = [ "compress=zstd" "nosuid" ]; };
              "@home/ada" = { };
              "/nix" = { mountpoint = "/nix"; mountOptions = [ "compress=zstd" "noatime" ]; };
              "/swap" = {
                mountpoint = "/.swapvol";
                extraArgs = [ "-i" "1/1" ];
                swap = {
                  first = { size = "256M"; };
                  second = { size = "1G"; path = "rel-path"; priority = 3; options = [ "defaults" "nofail" ]; discardPolicy = "both"; };
                };
              };
              "/unmounted" = { mountOptions = [ "noatime" ]; swap.below.size = "16M"; };
            };
          };
        };
      };
    };
  };
}
