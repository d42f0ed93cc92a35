"""Block devices by a tag of what they hold, or of their table entry: ``LABEL=nixos``, ``PARTUUID=…``.

For devices that the play does not lay out itself: its own disks say by themselves what is on them,
and do so before a thing has been made.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output, Subject
from subfloor.observe.device_names import CANONICAL


@dataclass(frozen=True)
class Tagged:
    """A device that carries the tag: its node and the type of what it holds, as blkid says."""

    node: str
    type: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.node} ({self.type or 'nothing known'})"


@dataclass(frozen=True)
class Tag(Subject[tuple[Tagged, ...]]):
    """Every device that carries a tag: none, one, or too many."""

    tag: str

    def __str__(self) -> str:
        return f"device with {self.tag}"

    def probes(self) -> tuple[str, ...]:
        # Without a cache file, so that only what is really there is told.
        return (f"tag={shlex.quote(self.tag)}\n{CANONICAL}{_PROBE}",)

    def parse(self, *outputs: Output) -> tuple[Tagged, ...]:
        (found,) = outputs
        if found.status == 127:
            raise LookFailed(f"{self} cannot be looked for: blkid is missing", advice="install util-linux")
        if found.status not in (0, 2):  # blkid(8): 2 where nothing has the tag
            raise LookFailed(f"{self} cannot be looked for", advice=f"run it by hand to see why: blkid -t {self.tag}")
        blocks = (dict(line.partition("=")[::2] for line in block.splitlines()) for block in found.text.split("\n\n"))
        seen = {
            Tagged(b.get("NODE", b["DEVNAME"]), b.get("TYPE", ""), b.get("PARTLABEL", ""))
            for b in blocks
            if "DEVNAME" in b
        }
        return tuple(sorted(seen, key=lambda each: each.node))


# The kernel's own name of each device follows its line.
_PROBE = """
found=$(blkid -c /dev/null -t "$tag" -o export)
status=$?
printf '%s\\n' "$found" | while IFS= read -r line; do
    printf '%s\\n' "$line"
    case "$line" in DEVNAME=*) canonical "${line#DEVNAME=}"; printf 'NODE=%s\\n' "$node";; esac
done
exit "$status"
"""
