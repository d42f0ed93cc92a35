# Where partitions start and end, as sgdisk reads it.
{
  disko.devices.disk = {
    one = {
      device = "/dev/vda";
      content = {
        type = "gpt";
        partitions = {
          # sgdisk includes the last sector, so the next one starts 1 MiB later
          a = { start = "1M"; end = "128M"; };
          b = { size = "64M"; };
          c = { end = "300MiB"; };
          # 409600 sectors are 200 MiB; 1100 MiB + 200 MiB
          d = { start = "1100M"; size = "409600"; };
          e = { start = "-200M"; end = "-100M"; };
          f = { start = "-100M"; };
          # not aligned
          g = { start = "63s"; end = "+10M"; alignment = 1; };
          # the place depends on the disk
          h = { priority = 2000; end = "9G"; };
        };
      };
    };
    two = {
      device = "/dev/nvme0n1";
      content = {
        type = "gpt";
        partitions.nix.end = "-10M";
      };
    };
    # neither a size nor an end: all that is left
    three = {
      device = "/dev/disk/by-path/pci-0000:00:05.0";
      content = {
        type = "gpt";
        partitions = { a.start = "+3M"; a.size = "1G"; b = { }; };
      };
    };
  };
}
