# The former type, for parted: its units are decimal unless they end in "iB".
{ disks ? [ "/dev/vda" "/dev/vdb" ], ... }:
{
  disko.devices.disk = {
    first = {
      type = "disk";
      device = builtins.elemAt disks 0;
      content = {
        type = "table";
        format = "gpt";
        partitions = [
          { name = "grub"; start = "0"; end = "2M"; flags = [ "bios_grub" ]; }
          {
            name = "ESP";
            fs-type = "fat32";
            start = "2M";
            end = "514MiB";
            bootable = true;
            content = { type = "filesystem"; format = "vfat"; mountpoint = "/boot"; };
          }
          {
            name = "root";
            part-type = "primary";
            fs-type = "ext4";
            start = "514MiB";
            end = "-1GiB";
            flags = [ "legacy_boot" "diag" ];
            content = { type = "filesystem"; format = "ext4"; mountpoint = "/"; };
          }
          {
            name = "swap";
            fs-type = "linux-swap";
            start = "-1GiB";
            end = "100%";
            content.type = "swap";
          }
        ];
      };
    };
    second = {
      type = "disk";
      device = builtins.elemAt disks 1;
      content = {
        type = "table";
        partitions = [
          { name = "half"; start = "0%"; end = "50%"; flags = [ "lvm" ]; }
          { name = "quarter"; start = "50%"; end = "75%"; part-type = "logical"; }
          { name = "gap"; start = "80%"; end = "90%"; }
          { name = "end"; start = "90%"; end = "100%"; }
        ];
      };
    };
  };
}
