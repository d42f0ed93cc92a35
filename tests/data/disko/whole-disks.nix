# Disks without a partition table.
{
  disko.devices = {
    disk = {
      "ext/4" = { device = "/dev/vda"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/data"; }; };
      swap = { device = "/dev/vdb"; content = { type = "swap"; }; };
      luks = { device = "/dev/vdc"; content = { type = "luks"; name = "secret"; content = { type = "filesystem"; format = "xfs"; mountpoint = "/secret"; }; }; };
      pv = { device = "/dev/vdd"; content = { type = "lvm_pv"; vg = "pool"; }; };
      btrfs = { device = "/dev/vde"; content = { type = "btrfs"; subvolumes."@".mountpoint = "/sub"; }; };
      fat = { device = "/dev/vdf"; content = { type = "filesystem"; format = "vfat"; mountpoint = "/fat"; }; };
      part = { device = "/dev/vdg1"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/part"; }; };
      nothing.device = "/dev/vdh";
    };
    lvm_vg.pool.lvs.all = { size = "100%"; };
  };
}
