# A btrfs over two disks, and a former form of swap files.
{
  disko.devices.disk = {
    a = { device = "/dev/vda"; content.type = "gpt"; content.partitions.data.size = "100%"; };
    b = {
      device = "/dev/vdb";
      content.type = "gpt";
      content.partitions.data = {
        size = "10G";
        content = {
          type = "btrfs";
          extraArgs = [ "-d raid1" "/dev/disk/by-partlabel/disk-a-data" ];
          subvolumes."/root".mountpoint = "/";
          subvolumes."/home".mountpoint = "/home";
        };
      };
      content.partitions.other = {
        size = "10G";
        content = {
          type = "btrfs";
          extraArgs = [ "-d" "raid1" ];
          mountpoint = "/other";
          swap = { enable = true; files = [ { size = "1G"; } ]; };
        };
      };
    };
  };
}
