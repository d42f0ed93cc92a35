# Arrays of each kind: striped, and some that no task makes.
let
  part = name: { size = "1G"; content = { type = "mdraid"; inherit name; }; };
  disk = device: {
    inherit device;
    content = { type = "gpt"; partitions = { a = part "striped"; b = part "raid5"; c = part "raid1"; d = part "table"; }; };
  };
in
{
  disko.devices = {
    disk = { one = disk "/dev/vda"; two = disk "/dev/vdb"; three = disk "/dev/vdc"; };
    disk.whole = { device = "/dev/vdd"; content = { type = "mdraid"; name = "raid1"; }; };
    mdadm = {
      striped = { level = 0; content = { type = "filesystem"; format = "ext4"; mountpoint = "/striped"; }; };
      raid5 = { level = 5; metadata = "ddf"; extraArgs = [ "--assume-clean" ]; content = { type = "swap"; }; };
      # its name ends in a digit, and one member is a whole disk
      raid1 = { level = 1; content = { type = "filesystem"; format = "ext4"; mountpoint = "/mirror"; }; };
      table = {
        content = { type = "gpt"; partitions.primary = { size = "100%"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/"; }; }; };
      };
    };
  };
}
