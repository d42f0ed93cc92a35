# Commands of the user's own, at each kind of place; and options beside the devices.
{
  disko.rootMountPoint = "/target";
  disko.enableConfig = false;
  disko.devices = {
    disk.a = {
      device = "/dev/vda";
      preCreateHook = "echo 1";
      content = {
        type = "gpt";
        postCreateHook = "echo 2";
        partitions.root = {
          size = "100%";
          content = {
            type = "luks";
            name = "root";
            preMountHook = "echo 3";
            content = { type = "filesystem"; format = "ext4"; mountpoint = "/"; postMountHook = "touch /mnt/here"; preUnmountHook = ""; };
          };
        };
      };
    };
    nodev."/tmp" = { fsType = "tmpfs"; postUnmountHook = "echo 4"; };
  };
}
