# A live image to install from, with subfloor on board. It is laid over NixOS's own minimal installer.
{ pkgs, ... }:
{
  environment.systemPackages = [ pkgs.subfloor ];
  environment.etc."subfloor/playbooks".source = "${pkgs.subfloor}/share/subfloor/playbooks";

  nix.settings.experimental-features = [
    "nix-command"
    "flakes"
  ];

  # In a virtual machine: the clipboard, and the window's size.
  services.spice-vdagentd.enable = true;
  services.qemuGuest.enable = true;

  # The image is made in a fraction of the time that the usual compression takes, and is larger for it.
  isoImage.squashfsCompression = "gzip -Xcompression-level 1";
}
