"""RAID levels of md: their members, what they can lose, and how large they are (md(4); ``raid*_size`` in the kernel).

All of it is pure. Sizes are in bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from subfloor.storage.sizes import MIB

CHUNK = MIB // 2
"""How much of each member follows before the next one: mdadm's default, given explicitly."""

_SMALLEST_CHUNK, _LARGEST_CHUNK = 4096, 64 * MIB

LAYOUT = "n2"
"""The layout of level 10: mdadm's default, two copies beside each other."""

_LAYOUT = re.compile(r"([nfo])([2-9])")

_FEWEST = {0: 2, 1: 2, 4: 3, 5: 3, 6: 4, 10: 2}


@dataclass(frozen=True)
class Geometry:
    """An array's level, and for a striped one its chunk. ``layout``: the copies of level 10, as mdadm writes them."""

    level: int
    chunk: int = 0
    layout: str = ""

    def __str__(self) -> str:
        return f"RAID {self.level}"

    @property
    def is_striped(self) -> bool:
        """Whether its data is divided into chunks."""
        return self.level != 1

    @property
    def is_redundant(self) -> bool:
        """Whether it can lose a member, so that members are kept in sync, and can be replaced."""
        return self.level != 0

    @property
    def has_parity(self) -> bool:
        """Whether a lost member is computed from the others."""
        return self.level in (4, 5, 6)

    @property
    def md_layout(self) -> str:
        """The layout as mdadm takes it, its default for levels 0, 5 and 6; "" where a level has none."""
        return {0: "original", 5: "left-symmetric", 6: "left-symmetric"}.get(self.level, self.layout)

    @property
    def fewest(self) -> int:
        """How many members it needs at least."""
        return max(_FEWEST[self.level], self._copies)

    def may_lose(self, count: int) -> int:
        """How many of ``count`` members it may lose at best; level 10 only if a copy of everything is left."""
        if self.level == 10:
            return count - -(-count // self._copies)
        return {0: 0, 1: count - 1, 4: 1, 5: 1, 6: 2}[self.level]

    def size(self, rooms: Sequence[int]) -> int:
        """The size of the array over members with so much room for data.

        Level 0 uses all chunks of each member (``create_strip_zones``), any other one as much as the smallest has.
        """
        count, given = len(rooms), self.given(rooms)
        if self.level == 0:
            return sum(room // self.chunk * self.chunk for room in rooms)
        if self.level == 10:
            return self._chunks(given, count) * self.chunk
        return given * {1: 1, 4: count - 1, 5: count - 1, 6: count - 2}[self.level]

    def given(self, rooms: Sequence[int]) -> int:
        """How much of each member mdadm is to use: whole MiB or less; nothing for level 0, which uses all of each."""
        if self.level == 0:
            return 0
        smallest = min(rooms) // MIB * MIB
        return smallest // self.chunk * self.chunk if self.is_striped else smallest

    def each(self, rooms: Sequence[int]) -> int:
        """How much data each member holds then: at level 10 only whole copies (``calc_sectors`` in raid10.c)."""
        given, count = self.given(rooms), len(rooms)
        if self.level != 10:
            return given
        return -(-self._chunks(given, count) * self._copies // count) * self.chunk

    def _chunks(self, given: int, count: int) -> int:
        """How many chunks level 10 has: far and offset copies divide each member, near ones the whole."""
        near = self._copies if self.layout.startswith("n") else 1
        return given // self.chunk // (self._copies // near) * count // near

    @property
    def _copies(self) -> int:
        return int(self.layout[1:]) if self.layout else 1


def geometry(level: int, chunk: int = 0, layout: str = "") -> Geometry:
    """A geometry with mdadm's defaults for a chunk or layout that is not given."""
    return Geometry(level, 0 if level == 1 else chunk or CHUNK, (layout or LAYOUT) if level == 10 else "")


def check_chunk(level: int, chunk: int) -> None:
    """Raise ``ValueError`` for a size of chunks that a level does not have."""
    if level == 1:
        raise ValueError("level 1 has no chunks: its members are copies of each other")
    if chunk & (chunk - 1) or not _SMALLEST_CHUNK <= chunk <= _LARGEST_CHUNK:
        raise ValueError("a chunk is a power of two, from 4KiB to 64MiB")


def check_layout(level: int, layout: str) -> None:
    """Raise ``ValueError`` for a layout that a level does not have."""
    if level != 10:
        raise ValueError(f"level {level} is made with mdadm's own layout; only level 10 has another one")
    if not _LAYOUT.fullmatch(layout):
        raise ValueError(f"{layout!r} is not n, f or o (near, far, offset) and the number of copies, such as n2")


def layout_in(level: str, number: int) -> str:
    """The layout of level 10 in the kernel's number: near copies, far copies, and whether these are at an offset.

    "" for every other level (``setup_geo`` in raid10.c).
    """
    if level != "raid10":
        return ""
    near, far, offset = number & 255, number >> 8 & 255, number >> 16 & 1
    return f"n{near}" if far == 1 else f"{'o' if offset else 'f'}{far}"
