# Each filesystem, with options for its program.
{
  disko.devices.disk.main = {
    device = "/dev/vda";
    content = {
      type = "gpt";
      partitions = {
        a = {
          size = "1G";
          content = {
            type = "filesystem";
            format = "vfat";
            extraArgs = [ "-F" "32" "-n" "BOOT" "-s2" ];
            mountpoint = "/boot";
            mountOptions = [ "defaults" "fmask=0077,dmask=0077" ];
          };
        };
        b = {
          size = "3G";
          content = {
            type = "filesystem";
            format = "ext4";
            extraArgs = [ "-F" "-L" "system" "-m" "1" "-O" "^has_journal" ];
            mountpoint = "/";
            mountOptions = [ "noatime" "errors=remount-ro" ];
          };
        };
        c = {
          size = "3G";
          content = { type = "filesystem"; format = "xfs"; extraArgs = [ "-f" "-Lhome" "-i" "size=512" ]; mountpoint = "/home"; mountOptions = [ "pquota" ]; };
        };
        d = {
          size = "3G";
          content = { type = "filesystem"; format = "btrfs"; extraArgs = [ "-f" "--label" "data" "-U" "809b3a2b-828a-4730-95e1-75b6343e415a" ]; mountpoint = "/data"; };
        };
        e = {
          size = "3G";
          content = { type = "filesystem"; format = "f2fs"; extraArgs = [ "-O" "extra_attr,compression" "-l" "flash" ]; mountpoint = "/srv/flash"; mountOptions = [ "compress_algorithm=zstd" ]; };
        };
        f = {
          size = "3G";
          content = { type = "filesystem"; format = "ext3"; mountpoint = "/old"; };
        };
        g = {
          size = "3G";
          content = { type = "filesystem"; format = "ext4"; extraArgs = [ "-E" "offset=4096" "-b" "4096" ]; };
        };
        h = {
          size = "3G";
          content = { type = "filesystem"; format = "ext4"; extraArgs = [ "--fast" ]; mountpoint = "/odd{{ path }}"; };
        };
        i = {
          size = "3G";
          content = { type = "filesystem"; format = "xfs"; extraArgs = [ "-L" "much-too-long-for-xfs" ]; mountPoint = "/misspelt"; };
        };
      };
    };
  };
}
