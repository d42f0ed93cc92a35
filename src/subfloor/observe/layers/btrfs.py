"""The other devices of a btrfs that lies on several."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from subfloor.core.machine import Output
from subfloor.observe import tag
from subfloor.observe.layers.layer import Layer, absent, relatives
from subfloor.observe.layers.member import Member


@dataclass(frozen=True)
class Spread(Member):
    """All devices that a btrfs lies on."""

    def probes(self) -> tuple[str, ...]:
        """The probes: the number of devices in the superblock, and the devices with the same UUID."""
        return (f"n={shlex.quote(self.node)}\n{_PROBE}", tag.PROBE)

    def parse(self, *outputs: Output) -> Layer:
        """The devices. Unreadable data raises no error: ``unseen`` says what is unknown."""
        superblock, listed = outputs
        others = tuple(relatives(listed.text, self.kind, self.uuid, self.node))
        if superblock.status or not superblock.text.strip():
            return Layer(others=others, unseen="how many devices it lies on cannot be read")
        count = int(superblock.text)
        return Layer(f"on {count} devices" if count > 1 else "", (), others, absent(count, others))


# num_devices of the superblock (include/uapi/linux/btrfs_tree.h), in 64 bits.
_PROBE = """
od -A n -v -t u8 -j $((65536 + 136)) -N 8 -- "$n"
"""
