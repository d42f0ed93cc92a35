"""A general ``hardware-configuration.nix``, for a machine without a program that looks at the hardware.

A NixOS installer has `nixos-generate-config`, which writes a better file than this one.
"""

from __future__ import annotations

from subfloor.nixos import nix

# Drivers of disks and keyboards: stage 1 must find the disks, and a person must be able to type.
_DISKS = ("ahci", "nvme", "sd_mod", "sr_mod", "usb_storage", "uas", "sdhci_pci", "mmc_block")
_USB = ("xhci_pci", "ehci_pci", "usbhid", "hid_generic")
_VIRTUAL = ("virtio_pci", "virtio_blk", "virtio_scsi")


def plain(platform: str) -> str:
    """The text of the file. ``platform``: the platform as Nix names it, such as ``x86_64-linux``."""
    settings: dict[str, nix.Value] = {
        "boot": {"initrd": {"availableKernelModules": [*_DISKS, *_USB, *_VIRTUAL]}},
        "hardware": {"enableRedistributableFirmware": True},
        "nixpkgs": {"hostPlatform": platform},
    }
    return f"{{ ... }}:\n{nix.render(settings)}\n"
