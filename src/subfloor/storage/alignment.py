"""Alignment of partitions: where they may start and end, so that a write needs no read first.

The rule is libparted's (``parted align-check optimal``; libparted/arch/linux.c). The grain is 1 MiB if
the device's optimal_io_size is 0 or divides 1 MiB; otherwise it is the optimal_io_size. alignment_offset
shifts the grid. One difference: implausible sizes are ignored. Some USB bridges report 65535 sectors, and
libparted then starts no partition on a 4 KiB boundary.
"""

from __future__ import annotations

from dataclasses import dataclass

from subfloor.storage.sizes import MIB

_PAGE = 4096


@dataclass(frozen=True)
class Grid:
    """The aligned sectors: ``offset`` plus any multiple of ``grain``, both in logical sectors."""

    grain: int
    offset: int = 0

    def up(self, sector: int) -> int:
        """The first aligned sector at or after ``sector``."""
        return -((self.offset - sector) // self.grain) * self.grain + self.offset

    def down(self, sector: int) -> int:
        """The last aligned sector at or before ``sector``."""
        return (sector - self.offset) // self.grain * self.grain + self.offset

    def aligned(self, sector: int) -> bool:
        """Whether the sector is on the grid."""
        return (sector - self.offset) % self.grain == 0


def optimal(*, sector: int, physical: int, minimum_io: int, optimal_io: int, alignment_offset: int) -> Grid:
    """The grid for a disk with these queue limits from sysfs, all in bytes."""
    hint = next((size for size in (optimal_io, minimum_io) if _believable(size, physical)), 0)
    grain = MIB if not hint or MIB % hint == 0 else hint
    return Grid(grain // sector, max(alignment_offset, 0) // sector)


def _believable(size: int, physical: int) -> bool:
    return size > 0 and size % physical == 0 and size % _PAGE == 0
