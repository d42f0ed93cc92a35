"""How the installed system activates logical volumes: udev's rules do it, in stage 1 too if it needs one there.

Source: nixos/modules/tasks/lvm.nix. NixOS's older scripts always do it in stage 1.
"""

from __future__ import annotations

from subfloor.nixos import nix
from subfloor.nixos.layout import Layout


def settings(layout: Layout, *, early: bool, systemd: bool) -> dict[str, nix.Value]:
    """The options `services.lvm` and `boot.initrd.services.lvm`. ``early``: stage 1 needs a logical volume."""
    if not layout.logical:
        return {}
    found: dict[str, nix.Value] = {"services": {"lvm": {"enable": True}}}
    if early and systemd:
        found["boot"] = {"initrd": {"services": {"lvm": {"enable": True}}}}
    return found
