# What has no device of its own: memory, binds, and others.
{
  disko.devices = {
    nodev = {
      "/" = { fsType = "tmpfs"; mountOptions = [ "size=2G" "defaults" "mode=755" ]; };
      "/tmp" = { fsType = "tmpfs"; mountOptions = [ "size=25%" "nosuid,nodev" ]; };
      "/run/all" = { fsType = "tmpfs"; };
      "/odd" = { fsType = "tmpfs"; mountOptions = [ "size=lots" ]; };
      "/etc/nixos" = { fsType = "none"; device = "/nix/persist/etc/nixos"; mountOptions = [ "bind" ]; };
      "/srv/www" = { fsType = "none"; device = "/data/www"; mountOptions = [ "bind" "ro" ]; };
      "/var/log" = { fsType = "none"; device = "/nix/persist/var/log"; mountOptions = [ "bind" "ro" ]; };
      "/old" = { fsType = "ext4"; device = "/dev/disk/by-label/old"; mountOptions = [ "ro" ]; };
      "/merged" = { fsType = "overlay"; device = "overlay"; mountOptions = [ "lowerdir=/a" ]; };
      "named" = { fsType = "nfs"; device = "server:/export"; mountpoint = "/net"; };
      "unmounted" = { fsType = "tmpfs"; mountpoint = null; };
    };
  };
}
