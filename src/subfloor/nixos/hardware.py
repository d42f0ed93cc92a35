"""The hardware's part of a configuration, where no program is there that looks at the hardware itself.

On a NixOS installer `nixos-generate-config` is, and what it writes is better than this.
"""

from __future__ import annotations

from subfloor.nixos import nix

# What a disk can hang on, and what a keyboard, so that stage 1 finds the one and can be asked by the other.
_DISKS = ("ahci", "nvme", "sd_mod", "sr_mod", "usb_storage", "uas", "sdhci_pci", "mmc_block")
_USB = ("xhci_pci", "ehci_pci", "usbhid", "hid_generic")
_VIRTUAL = ("virtio_pci", "virtio_blk", "virtio_scsi")


def plain(platform: str) -> str:
    """The text. ``platform``: as Nix names it, such as ``x86_64-linux``."""
    settings: dict[str, nix.Value] = {
        "boot": {"initrd": {"availableKernelModules": [*_DISKS, *_USB, *_VIRTUAL]}},
        "hardware": {"enableRedistributableFirmware": True},
        "nixpkgs": {"hostPlatform": platform},
    }
    return f"{{ ... }}:\n{nix.render(settings)}\n"
