# In which order the partitions are made, and all that a partition of a GPT can have.
{
  disko.devices.disk.disk0 = {
    device = "/dev/vda";
    imageSize = "4G";
    imageName = "image";
    destroy = false;
    content = {
      type = "gpt";
      efiGptPartitionFirst = false;
      partitions = {
        # 9001, since it takes all that is left
        a-last = { size = "100%"; type = "8E00"; };
        # 1000, by name
        d = { size = "2G"; type = "bc13c2ff-59e6-4262-a352-b275fd6f7172"; attributes = [ 0 2 63 48 ]; };
        c = { size = "512M"; alignment = 2048; label = "other name"; type = "8302"; };
        b = { size = "256M"; alignment = 8; hybrid = { mbrPartitionType = "0x0c"; mbrBootableFlag = true; }; };
        # 100, since GRUB needs it
        grub = { size = "1M"; type = "EF02"; };
        # a priority of its own
        z-first = { priority = 1; size = "128M"; uuid = "809b3a2b-828a-4730-95e1-75b6343e415a"; type = "9999"; };
        # 1000, as "d"; a name that is too long becomes a hash
        e-with-a-name-that-is-much-too-long = { size = "100M"; };
      };
    };
  };
}
