"""The other devices of a pool, known by the pool's UUID, which blkid shows for each of them."""

from __future__ import annotations

from dataclasses import dataclass

from subfloor.core.machine import Output
from subfloor.observe import tag
from subfloor.observe.layers.layer import Layer, relatives
from subfloor.observe.layers.member import Member


@dataclass(frozen=True)
class Pool(Member):
    """The devices with content of the same type and UUID: of a pool of ZFS, of a bcachefs."""

    def probes(self) -> tuple[str, ...]:
        """The probe: all devices with their UUIDs."""
        return (tag.PROBE,)

    def parse(self, *outputs: Output) -> Layer:
        """The devices. Those that are not present cannot be counted."""
        (listed,) = outputs
        return Layer(others=tuple(relatives(listed.text, self.kind, self.uuid, self.node)))
