"""How the installed system assembles md arrays: udev does it by mdadm.conf, in stage 1 and in stage 2.

Source: nixos/modules/tasks/swraid.nix. It warns if neither PROGRAM nor MAILADDR is set: mdmonitor.service fails then.
"""

from __future__ import annotations

from subfloor.nixos import nix
from subfloor.nixos.layout import Layout
from subfloor.storage.arrays import four_groups

_REPORT = "/run/current-system/sw/bin/logger"
"""What mdadm runs with each event, such as a failed disk: it writes it to the journal. No mail has to be set up."""


def settings(layout: Layout) -> dict[str, nix.Value]:
    """The option `boot.swraid`; nothing without arrays."""
    if not layout.arrays:
        return {}
    lines = (f"ARRAY {each.path} UUID={four_groups(each.uuid)}" for each in layout.arrays)
    text = "".join(f"{line}\n" for line in (f"PROGRAM {_REPORT}", *lines))
    return {"boot": {"swraid": {"enable": True, "mdadmConf": text}}}
