# ZFS beside an ESP.
{
  disko.devices = {
    disk.x = {
      type = "disk";
      device = "/dev/sda";
      content = {
        type = "gpt";
        partitions = {
          ESP = { size = "64M"; type = "EF00"; content = { type = "filesystem"; format = "vfat"; mountpoint = "/boot"; mountOptions = [ "nofail" ]; }; };
          zfs = { size = "100%"; type = "BF01"; content = { type = "zfs"; pool = "zroot"; }; };
        };
      };
    };
    disk.y = { device = "/dev/sdb"; content = { type = "zfs"; pool = "zroot"; }; };
    zpool.zroot = {
      type = "zpool";
      mode = { topology = { type = "topology"; vdev = [ { mode = "mirror"; members = [ "x" "/dev/sdb" ]; } ]; cache = [ ]; spare = [ ]; log = [ ]; }; };
      options.cachefile = "none";
      rootFsOptions = { compression = "zstd"; };
      mountpoint = "/";
      postCreateHook = "zfs snapshot zroot@blank";
      datasets = {
        home = { type = "zfs_fs"; mountpoint = "/home"; options.encryption = "aes-256-gcm"; };
        volume = { type = "zfs_volume"; size = "10M"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/ext4onzfs"; }; };
      };
    };
  };
}
