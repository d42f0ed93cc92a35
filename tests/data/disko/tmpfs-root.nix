# A root in memory, and a store that stays; two swap areas. Small enough for a loop device.
{ disk ? "/dev/vda", ... }:
{
  disko.devices = {
    disk.main = {
      device = disk;
      content = {
        type = "gpt";
        partitions = {
          boot = { size = "1M"; type = "EF02"; };
          nix = { size = "200M"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/nix"; mountOptions = [ "noatime" ]; }; };
          swap = { size = "32M"; content = { type = "swap"; priority = 5; }; };
          rest = { size = "100%"; content = { type = "btrfs"; extraArgs = [ "-L" "store" "-f" ]; subvolumes = { "@a".mountpoint = "/a"; "@b" = { mountpoint = "/b"; mountOptions = [ "compress=zstd" ]; }; }; }; };
        };
      };
    };
    nodev."/" = { fsType = "tmpfs"; mountOptions = [ "size=16M" "mode=755" ]; };
  };
}
