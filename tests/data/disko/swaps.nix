# Swap partitions with each of their options.
{
  disko.devices.disk.main = {
    device = "/dev/vda";
    content = {
      type = "gpt";
      partitions = {
        a = { size = "1G"; content = { type = "swap"; discardPolicy = "both"; priority = 5; extraArgs = [ "-L swap --pagesize 4096" ]; }; };
        b = { size = "1G"; content = { type = "swap"; randomEncryption = true; discardPolicy = "once"; }; };
        c = { size = "1G"; content = { type = "swap"; resumeDevice = true; mountOptions = [ "defaults" "pri=7" "discard=pages" "nofail" ]; }; };
        d = { size = "1G"; type = "8300"; content = { type = "swap"; priority = 99999; }; };
      };
    };
  };
}
