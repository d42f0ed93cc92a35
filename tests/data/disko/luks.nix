# Containers: keys that are typed, in a file, or made elsewhere.
{
  disko.devices.disk.main = {
    device = "/dev/nvme0n1";
    content = {
      type = "gpt";
      partitions = {
        a-typed = {
          size = "4G";
          content = {
            type = "luks";
            name = "crypt-root";
            settings = { allowDiscards = true; bypassWorkqueues = true; };
            extraFormatArgs = [ "--type luks2" "--cipher aes-xts-plain64" "--key-size 512" "--pbkdf argon2id" "--pbkdf-memory=262144" ];
            content = { type = "filesystem"; format = "ext4"; mountpoint = "/"; };
          };
        };
        b-password = {
          size = "4G";
          content = {
            type = "luks";
            name = "home";
            passwordFile = "/tmp/secret.key";
            additionalKeyFiles = [ "/tmp/other.key" ];
            initrdUnlock = false;
            extraFormatArgs = [ "--iter-time 1" "--sector-size" "4096" "--label" "home" ];
            extraOpenArgs = [ "--allow-discards" "--timeout 10" ];
            content = { type = "btrfs"; mountpoint = "/home"; };
          };
        };
        c-file = {
          size = "4G";
          content = {
            type = "luks";
            name = "data";
            askPassword = false;
            passwordFile = "/tmp/unused";
            settings = { keyFile = "/root/data.key"; keyFileSize = 4096; keyFileOffset = 8; fallbackToPassword = true; };
            content = { type = "swap"; };
          };
        };
        d-tokens = {
          size = "1G";
          content = {
            type = "luks";
            name = "3rd";
            keyFile = "/tmp/former.key";
            enrollFido2 = true;
            enrollRecovery = true;
            extraFido2EnrollArgs = [ "--fido2-with-client-pin=no" ];
            clevisPin = "tpm2";
            settings.crypttabExtraOpts = [ "tpm2-device=auto" ];
            extraFormatArgs = [ "--header=/dev/vdb" "--type" "luks1" ];
          };
        };
      };
    };
  };
}
