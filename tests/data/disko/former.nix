# The devices alone, as disko took them before it was a module; for a running system.
{ disks, ... }:
{
  disk.vdb = {
    device = builtins.head disks;
    type = "disk";
    content = {
      type = "table";
      format = "gpt";
      partitions = [
        { type = "partition"; name = "boot"; start = "1MiB"; end = "100MiB"; bootable = true; content = { type = "filesystem"; format = "vfat"; mountpoint = "/boot"; }; }
        { type = "partition"; name = "root"; start = "100MiB"; end = "-1G"; part-type = "primary"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/"; }; }
        { type = "partition"; name = "swap"; start = "-1G"; end = "100%"; content = { type = "swap"; randomEncryption = true; }; }
      ];
    };
  };
}
