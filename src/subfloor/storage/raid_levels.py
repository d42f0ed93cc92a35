"""RAID levels of md: how many members an array needs and may lose, and its size (md(4); ``raid*_size`` in the kernel).

All of it is pure. Sizes are in bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from subfloor.storage.sizes import MIB

CHUNK = MIB // 2
"""How much data one member gets before the next member gets some: mdadm's default, passed explicitly."""

_SMALLEST_CHUNK, _LARGEST_CHUNK = 4096, 64 * MIB

LAYOUT = "n2"
"""The layout of level 10: mdadm's default, two copies beside each other."""

_LAYOUT = re.compile(r"([nfo])([2-9])")

_FEWEST = {0: 2, 1: 2, 4: 3, 5: 3, 6: 4, 10: 2}


@dataclass(frozen=True)
class Geometry:
    """The level of an array; ``chunk``: 0 at level 1. ``layout``: of level 10, in mdadm's notation; "" otherwise."""

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
        """Whether an array can lose a member, so that members are kept in sync, and can be replaced."""
        return self.level != 0

    @property
    def has_parity(self) -> bool:
        """Whether the data of a lost member is computed from the other members."""
        return self.level in (4, 5, 6)

    @property
    def md_layout(self) -> str:
        """The layout as an argument of mdadm: mdadm's default at levels 0, 5 and 6; "" at levels without a layout."""
        return {0: "original", 5: "left-symmetric", 6: "left-symmetric"}.get(self.level, self.layout)

    @property
    def fewest(self) -> int:
        """The smallest number of members."""
        return max(_FEWEST[self.level], self._copies)

    def may_lose(self, count: int) -> int:
        """The most of ``count`` members that may be lost; at level 10 only if a copy of everything is left."""
        if self.level == 10:
            return count - -(-count // self._copies)
        return {0: 0, 1: count - 1, 4: 1, 5: 1, 6: 2}[self.level]

    def size(self, rooms: Sequence[int]) -> int:
        """The size of an array; ``rooms``: how many bytes of each member may hold data.

        Level 0 uses all whole chunks of each member (``create_strip_zones``), any other level as much of each member as
        the smallest one has.
        """
        count, given = len(rooms), self.given(rooms)
        if self.level == 0:
            return sum(room // self.chunk * self.chunk for room in rooms)
        if self.level == 10:
            return self._chunks(given, count) * self.chunk
        return given * {1: 1, 4: count - 1, 5: count - 1, 6: count - 2}[self.level]

    def given(self, rooms: Sequence[int]) -> int:
        """How many bytes of each member mdadm has to use: whole MiB and whole chunks; 0 at level 0, which uses all."""
        if self.level == 0:
            return 0
        smallest = min(rooms) // MIB * MIB
        return smallest // self.chunk * self.chunk if self.is_striped else smallest

    def each(self, rooms: Sequence[int]) -> int:
        """How many bytes of each member hold data, 0 at level 0; at level 10 only whole copies count.

        Source: ``calc_sectors`` in raid10.c.
        """
        given, count = self.given(rooms), len(rooms)
        if self.level != 10:
            return given
        return -(-self._chunks(given, count) * self._copies // count) * self.chunk

    def _chunks(self, given: int, count: int) -> int:
        """How many chunks of data level 10 holds. ``given``: bytes of each member; ``count``: members.

        Far and offset copies divide the room in each member; near copies divide the room in all members together.
        """
        near = self._copies if self.layout.startswith("n") else 1
        return given // self.chunk // (self._copies // near) * count // near

    @property
    def _copies(self) -> int:
        return int(self.layout[1:]) if self.layout else 1


def geometry(level: int, chunk: int = 0, layout: str = "") -> Geometry:
    """A geometry. ``chunk`` 0 and ``layout`` "" mean mdadm's defaults."""
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
    """The layout of level 10 in mdadm's notation, from the kernel's number; "" for any other level.

    The number has the near copies, the far copies, and whether the far copies are offset copies (``setup_geo`` in
    raid10.c).
    """
    if level != "raid10":
        return ""
    near, far, offset = number & 255, number >> 8 & 255, number >> 16 & 1
    return f"n{near}" if far == 1 else f"{'o' if offset else 'f'}{far}"
