"""How the installed system assembles md arrays: udev's rules do it, with mdadm.conf, in stage 1 and in stage 2.

Source: nixos/modules/tasks/swraid.nix. NixOS warns if mdadm.conf has neither PROGRAM nor MAILADDR, because
mdmonitor.service fails then.
"""

from __future__ import annotations

from subfloor.nixos import nix
from subfloor.nixos.layout import Layout
from subfloor.storage.arrays import four_groups

_REPORT = "/run/current-system/sw/bin/logger"
"""The program that mdadm runs for each event, such as a failed disk. It writes the event to the journal."""


def settings(layout: Layout) -> dict[str, nix.Value]:
    """The option `boot.swraid`; nothing without arrays."""
    if not layout.arrays:
        return {}
    lines = (f"ARRAY {each.path} UUID={four_groups(each.uuid)}" for each in layout.arrays)
    text = "".join(f"{line}\n" for line in (f"PROGRAM {_REPORT}", *lines))
    return {"boot": {"swraid": {"enable": True, "mdadmConf": text}}}
