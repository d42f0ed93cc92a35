"""Where a partition may start and end, so that no write to it costs a read first.

The rule is libparted's (``parted align-check optimal``; libparted/arch/linux.c): a grain of 1 MiB
where the device's optimal_io_size says nothing or divides it, else the optimal_io_size itself, and
the grid shifted by alignment_offset. One thing is done better: a size that cannot be true is not
believed. Some USB bridges report 65535 sectors, and libparted then starts partitions off every 4 KiB
boundary.
"""

from __future__ import annotations

from dataclasses import dataclass

from subfloor.storage.sizes import MIB

_PAGE = 4096


@dataclass(frozen=True)
class Grid:
    """Aligned sectors are those at ``offset`` plus a multiple of ``grain``, both in logical sectors."""

    grain: int
    offset: int = 0

    def up(self, sector: int) -> int:
        """The first aligned sector that is not before ``sector``."""
        return -((self.offset - sector) // self.grain) * self.grain + self.offset

    def down(self, sector: int) -> int:
        """The last aligned sector that is not after ``sector``."""
        return (sector - self.offset) // self.grain * self.grain + self.offset

    def aligned(self, sector: int) -> bool:
        """Whether the sector is on the grid."""
        return (sector - self.offset) % self.grain == 0


def optimal(*, sector: int, physical: int, minimum_io: int, optimal_io: int, alignment_offset: int) -> Grid:
    """The grid for a disk whose queue limits in sysfs are these, all in bytes."""
    hint = next((size for size in (optimal_io, minimum_io) if _believable(size, physical)), 0)
    grain = MIB if not hint or MIB % hint == 0 else hint
    return Grid(grain // sector, max(alignment_offset, 0) // sector)


def _believable(size: int, physical: int) -> bool:
    return size > 0 and size % physical == 0 and size % _PAGE == 0
