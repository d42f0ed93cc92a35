"""How the installed system activates logical volumes: udev's rules do it, in stage 2 and, if needed, in stage 1.

Source: nixos/modules/tasks/lvm.nix. NixOS's older scripts always activate them in stage 1.
"""

from __future__ import annotations

from subfloor.nixos import nix
from subfloor.nixos.layout import Layout
from subfloor.storage.lvm_kinds import RAID, THIN

_MODULES = {"raid4": "raid456", "raid5": "raid456", "raid6": "raid456"}
"""The kernel modules for RAID types, if they have other names. dm-raid requests them, but stage 1 then loads none."""


def settings(layout: Layout, *, early: bool, systemd: bool) -> dict[str, nix.Value]:
    """The options `services.lvm` and `boot.initrd`. ``early``: stage 1 needs a logical volume."""
    if not layout.logical:
        return {}
    types = {each.type for each in layout.logical}
    service: dict[str, nix.Value] = {"enable": True}
    if THIN in types:  # thin_check, which LVM runs before it activates a pool, and the kernel's module
        service["boot"] = {"thin": {"enable": True}}
    initrd: dict[str, nix.Value] = {}
    if early and systemd:
        initrd["services"] = {"lvm": {"enable": True}}
    if early and (modules := {_MODULES.get(each, each) for each in types & set(RAID)}):
        initrd["kernelModules"] = sorted({"dm-raid", *modules})
    found: dict[str, nix.Value] = {"services": {"lvm": service}}
    if initrd:
        found["boot"] = {"initrd": initrd}
    return found
