"""The other devices of a pool: blkid shows the UUID of the pool for each of them."""

from __future__ import annotations

from dataclasses import dataclass

from subfloor.core.machine import Output
from subfloor.observe import tag
from subfloor.observe.layers.layer import Layer, relatives
from subfloor.observe.layers.member import Member


@dataclass(frozen=True)
class Pool(Member):
    """The devices of a ZFS pool or of a bcachefs: all that have content of the same type and UUID."""

    def probes(self) -> tuple[str, ...]:
        """The probe: all devices with their UUIDs."""
        return (tag.PROBE,)

    def parse(self, *outputs: Output) -> Layer:
        """The devices. ``absent`` stays 0, because nothing shows how many devices the pool has."""
        (listed,) = outputs
        return Layer(others=tuple(relatives(listed.text, self.kind, self.uuid, self.node)))
