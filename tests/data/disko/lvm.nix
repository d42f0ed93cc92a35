# A volume group on a container and on a partition.
{
  disko.devices = {
    disk.a = {
      device = "/dev/vda";
      content.type = "gpt";
      content.partitions.crypt = {
        size = "100%";
        content = { type = "luks"; name = "crypt"; content = { type = "lvm_pv"; vg = "pool"; }; };
      };
    };
    disk.b = {
      device = "/dev/vdb";
      content.type = "gpt";
      content.partitions.pv = { size = "100%"; type = "8E00"; content = { type = "lvm_pv"; vg = "pool"; }; };
      content.partitions.lost = { size = "1G"; content = { type = "lvm_pv"; vg = "nothing"; }; };
    };
    lvm_vg = {
      pool = {
        type = "lvm_vg";
        lvs = {
          # the largest number of the priority comes last
          all = { size = "100%FREE"; content = { type = "filesystem"; format = "xfs"; mountpoint = "/srv"; }; };
          root = { size = "10G"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/"; }; };
          swap = { size = "512m"; content = { type = "swap"; }; };
          raw = { size = "100"; };
          var = { size = "25%VG"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/var"; }; };
          a-half = { size = "30%FREE"; };
          z-half = { size = "50%FREE"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/half"; }; };
          odd-name = { size = "1G"; name = "inner"; extraArgs = [ "--wipesignatures y" ]; content = { type = "luks"; name = "inner"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/inner"; }; }; };
        };
      };
      empty.lvs.x = { size = "1G"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/x"; }; };
    };
  };
}
