# bcachefs, bcache and dm-verity.
{
  disko.devices = {
    disk.a = {
      device = "/dev/vda";
      content.type = "gpt";
      content.partitions = {
        cache = { size = "1G"; content = { type = "bcache_cache"; set = "main"; }; };
        backing = { size = "1G"; content = { type = "bcache_backing"; set = "main"; }; };
        pool = { size = "1G"; content = { type = "bcachefs"; filesystem = "pool"; label = "ssd.a"; extraFormatArgs = [ "--discard" ]; }; };
        plain = { size = "1G"; content = { type = "filesystem"; format = "bcachefs"; mountpoint = "/plain"; }; };
        data = { size = "1G"; content = { type = "verity_data"; verity_volume = "usr"; }; };
        hash = { size = "1G"; content = { type = "verity_hash"; verity_volume = "usr"; }; };
      };
    };
    bcachefs_filesystems.pool = {
      type = "bcachefs_filesystem";
      passwordFile = "/tmp/key";
      extraFormatArgs = [ "--compression=lz4" ];
      mountpoint = "/pool";
      subvolumes."subvolumes/home".mountpoint = "/home";
    };
    bcache.main = { type = "bcache"; device = "/dev/bcache0"; cacheMode = "writeback"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/"; }; };
    verity_volume.usr = { content = { type = "filesystem"; format = "ext4"; mountpoint = "/usr"; }; };
  };
}
