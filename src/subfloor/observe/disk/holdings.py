"""Data that would be lost with a disk or a part of it, read more closely than in an ordinary look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from subfloor.core.machine import Output, Subject
from subfloor.observe.disk.facts import ProbeOutput
from subfloor.observe.disk.free_space import FreeSpace, Remains, found_at, probe
from subfloor.observe.disk.state import Content

UNREADABLE = Content("what cannot be read")


@dataclass(frozen=True)
class Holdings(Subject[tuple[Remains, ...]]):
    """The content at the start of each extent of a disk, and data left in each hole between the extents.

    An extent or a hole is a pair of byte offsets: the first byte, and the first byte after the end. Unreadable places
    are part of the value, and no error: the question for consent shows them, and consent can still be given.
    """

    path: str
    extents: tuple[tuple[int, int], ...] = ()
    holes: tuple[tuple[int, int], ...] = ()

    def __str__(self) -> str:
        return f"what {self.path} holds"

    def probes(self) -> tuple[str, ...]:
        """One probe for each extent and each hole."""
        return tuple(probe(self.path, places, end) for places, end in self._spaces())

    def parse(self, *outputs: Output) -> tuple[Remains, ...]:
        """All data found, including unreadable places."""
        spaces = zip(self._spaces(), outputs, strict=True)
        return tuple(found for (places, _), output in spaces for found in _found(places, output))

    def _spaces(self) -> Iterator[tuple[tuple[int, ...], int]]:
        """The places to read in each space, and the end of the space."""
        yield from (((start,), end) for start, end in self.extents)
        yield from ((FreeSpace(self.path, hole, hole).places(), hole[1]) for hole in self.holes)


def _found(places: tuple[int, ...], output: Output) -> Iterator[Remains]:
    yield from found_at(places, ProbeOutput.of(output.text))
    if output.status:
        yield Remains(places[0], UNREADABLE)
