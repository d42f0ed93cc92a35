# A live image to install from: NixOS's own minimal installer with subfloor added.
{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.subfloor ];
  environment.etc."subfloor/playbooks".source = "${pkgs.subfloor}/share/subfloor/playbooks";

  nix.settings.experimental-features = [
    "nix-command"
    "flakes"
  ];

  # For virtual machines: clipboard and window size.
  services.spice-vdagentd.enable = true;
  services.qemuGuest.enable = true;

  # Much faster than the default compression, but the image is larger.
  isoImage.squashfsCompression = "gzip -Xcompression-level 1";
}
