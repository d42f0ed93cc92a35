# Logical volumes that are not linear.
{
  disko.devices = {
    disk.a = {
      device = "/dev/vda";
      content.type = "gpt";
      content.partitions.pv = { size = "100%"; content = { type = "lvm_pv"; vg = "pool"; }; };
    };
    disk.b = {
      device = "/dev/vdb";
      content.type = "gpt";
      content.partitions.pv = { size = "100%"; content = { type = "lvm_pv"; vg = "pool"; }; };
    };
    disk.c = {
      device = "/dev/vdc";
      content.type = "gpt";
      content.partitions.pv = { size = "100%"; content = { type = "lvm_pv"; vg = "pool"; }; };
    };
    lvm_vg.pool.lvs = {
      thin = { size = "10G"; lvm_type = "thin-pool"; extraArgs = [ "--chunksize 256k" ]; };
      root = { size = "20G"; lvm_type = "thinlv"; pool = "thin"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/"; }; };
      mirror = { size = "1G"; lvm_type = "mirror"; };
      r0 = { size = "1G"; lvm_type = "raid0"; };
      r1 = { size = "1G"; lvm_type = "raid1"; extraArgs = [ "-m" "1" ]; content = { type = "filesystem"; format = "ext4"; mountpoint = "/r1"; }; };
      r5 = { size = "1G"; lvm_type = "raid5"; extraArgs = [ "--stripes 2" ]; };
      plain = { size = "1G"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/plain"; }; };
    };
  };
}
