# A mirrored system: md arrays of two disks, one below a volume group.
let
  disk = device: {
    inherit device;
    type = "disk";
    content = {
      type = "gpt";
      partitions = {
        ESP = { size = "1G"; type = "EF00"; priority = 1; content = { type = "mdraid"; name = "boot"; }; };
        root = { size = "20G"; type = "FD00"; content = { type = "mdraid"; name = "root"; }; };
        rest = { size = "100%"; content = { type = "mdraid"; name = "pool"; }; };
      };
    };
  };
in
{
  disko.devices = {
    disk = { one = disk "/dev/vda"; two = disk "/dev/vdb"; };
    mdadm = {
      boot = {
        type = "mdadm";
        metadata = "1.0";
        content = { type = "filesystem"; format = "vfat"; mountpoint = "/boot"; };
      };
      root = {
        level = 1;
        metadata = "1.2";
        content = { type = "filesystem"; format = "ext4"; mountpoint = "/"; mountOptions = [ "noatime" ]; };
      };
      pool = { level = 1; metadata = "default"; content = { type = "lvm_pv"; vg = "on-array"; }; };
    };
    lvm_vg.on-array.lvs.home = { size = "100%FREE"; content = { type = "filesystem"; format = "xfs"; mountpoint = "/home"; }; };
  };
}
