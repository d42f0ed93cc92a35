"""Free space of a disk, and data left there: removing a partition's entry does not erase its filesystem."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output, Subject
from subfloor.observe.disk.facts import ProbeOutput
from subfloor.observe.disk.probes import FIND, FREE_SPACE
from subfloor.observe.disk.state import Content
from subfloor.observe.disk.subject import content_of
from subfloor.storage import superblocks
from subfloor.storage.sizes import MIB, show


@dataclass(frozen=True)
class Remains:
    """Data found at a place of a disk; ``start`` and ``size`` in bytes, a size of 0 is unknown."""

    start: int
    content: Content
    size: int = 0

    def overlaps(self, start: int, end: int) -> bool:
        """Whether the data includes any of these bytes; data of unknown size may include all bytes after its start."""
        return self.start < end and (self.start >= start or not self.size or self.start + self.size > start)

    def __str__(self) -> str:
        return f"{self.content.named} at {show(self.start)}{self.content.in_use}"


@dataclass(frozen=True)
class FreeSpace(Subject[tuple[Remains, ...]]):
    """The data in a ``hole`` between the partitions of a disk; ``extent``: the part of it for a new partition.

    ``hole`` and ``extent`` are pairs of byte offsets: the first byte, and the first byte after the end. A filesystem
    that begins before the extent may reach into it, so the hole is probed from its start.
    """

    path: str
    hole: tuple[int, int]
    extent: tuple[int, int]

    def __str__(self) -> str:
        start, end = self.extent
        return f"free space of {self.path}, {show(end - start)} at {show(start)}"

    def places(self) -> tuple[int, ...]:
        """Where a former partition may have started: in bytes, in order, none after the extent.

        The true start is unknown. Likely places are the start of the hole, as it is and aligned, and usual sizes of
        partitions after that start: the hole may have held other partitions before this one.
        """
        start, end = self.hole[0], self.extent[1]
        aligned = -(-start // MIB) * MIB
        near = (start, -(-start // 4096) * 4096, 63 * 512, aligned, self.extent[0])
        likely = {*near, *(aligned + distance for distance in _distances(end - aligned))}
        return tuple(sorted(place for place in likely if start <= place < end))

    def probes(self) -> tuple[str, ...]:
        """The probes to run, as pieces of sh."""
        return (probe(self.path, self.places(), self.hole[1]),)

    def parse(self, *outputs: Output) -> tuple[Remains, ...]:
        """The data found, in the order of the places. Raises ``LookFailed`` if the disk cannot be read."""
        (output,) = outputs
        facts = ProbeOutput.of(output.text)
        if output.status:
            raise LookFailed(
                f"the {self} cannot be read",
                advice="look at the kernel's log (dmesg) for I/O errors of the device",
            )
        return tuple(found_at(self.places(), facts))


def probe(path: str, places: Iterable[int], end: int) -> str:
    """A probe that reads a disk at these places, all in one space that ends at ``end``; in bytes."""
    listed = " ".join(map(str, places))
    return f"n={shlex.quote(path)}\n{FIND}\nend={end}\nplaces='{listed}'\n{FREE_SPACE}"


def found_at(places: Iterable[int], facts: ProbeOutput) -> Iterator[Remains]:
    """The data at these places, from the probe's output. Copies of a filesystem's superblock are left out."""
    for place in places:
        here = {key.partition(".")[2]: text for key, text in facts.pairs if key.startswith(f"{place}.")}
        content = content_of(here)
        if not content:
            continue
        pieces = {at: bytes.fromhex(here.get(f"bytes.{at}", "")) for at in superblocks.PLACES}
        pieces = {at: piece.ljust(superblocks.PIECE, b"\0") for at, piece in pieces.items()}
        if not superblocks.is_copy(content.type, pieces):
            content = replace(content, use=superblocks.use_of(content.type, pieces))
            yield Remains(place, content, superblocks.size_of(content.type, pieces))


def _distances(length: int) -> Iterator[int]:
    """Usual sizes of partitions, in bytes, up to about ``length``: 32, 40, 48 and 56 MiB, 64, 80, 96 and 112 MiB, …"""
    quarter = 8 * MIB
    while 4 * quarter < length:
        yield from (count * quarter for count in range(4, 8))
        quarter *= 2
