# A module of a system: a function, what its library returns, and options beside the disks.
{ config, lib ? null, disk ? "/dev/vda", ... }:
let
  mkIf = condition: content: { _type = "if"; inherit condition content; };
  mkDefault = content: { _type = "override"; priority = 1000; inherit content; };
  mkMerge = contents: { _type = "merge"; inherit contents; };
in
{
  imports = [ ./plain.nix ];
  boot.loader.grub.device = config.boot.nothing;
  fileSystems."/nix".neededForBoot = true;
  fileSystems."/var/log" = { neededForBoot = true; options = [ config.nothing ]; };
  disko.devices = {
    disk.main = {
      device = mkDefault disk;
      content = {
        type = "gpt";
        partitions = mkMerge [
          { nix = { size = mkDefault "20G"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/nix"; }; }; }
          (mkIf false { no = throw "not read"; })
          (mkIf true { log.size = "100%"; })
          { log.content = { type = "filesystem"; format = "ext4"; mountpoint = "/var/log"; mountOptions = mkMerge [ [ "noatime" ] [ "nosuid" ] ]; }; }
        ];
      };
    };
    nodev."/" = { fsType = "tmpfs"; mountOptions = [ "size=1G" "mode=0755" ]; };
  };
}
