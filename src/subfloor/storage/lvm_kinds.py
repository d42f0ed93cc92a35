"""Kinds of logical volumes: how many extents of their group they take (lvmraid(7), lvmthin(7); lib/metadata). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from subfloor.storage.sizes import MIB

LINEAR, STRIPED, THIN, POOL = "linear", "striped", "thin", "thin-pool"
RAID = ("raid0", "raid1", "raid4", "raid5", "raid6", "raid10")
KINDS = (LINEAR, STRIPED, *RAID, POOL, THIN)

STRIPE = 64 << 10
"""How many bytes of data one image gets before the next image gets some: LVM's default, passed explicitly."""

_PARITY = {"raid4": 1, "raid5": 1, "raid6": 2}
_FEWEST = {STRIPED: 2, "raid0": 2, "raid4": 2, "raid5": 2, "raid6": 3, "raid10": 2}
_SMALLEST_CHUNK = 64 << 10
_LARGEST_METADATA = 128 * MIB


@dataclass(frozen=True)
class Shape:
    """A kind of volume. ``stripes``: how many data images lie side by side; ``copies``: how often all data is stored.

    Either is 1 if the kind of volume has none.
    """

    kind: str = LINEAR
    stripes: int = 1
    copies: int = 1

    @property
    def images(self) -> int:
        """The number of images, each on another physical volume; 1 for a volume that is not divided."""
        return self.stripes * self.copies + _PARITY.get(self.kind, 0)

    @property
    def is_divided(self) -> bool:
        """Whether it has images, each on another physical volume."""
        return self.kind == STRIPED or self.kind in RAID

    def rounded(self, extents: int) -> int:
        """``extents``, rounded up to a multiple of the number of stripes."""
        return -(-extents // self.stripes) * self.stripes

    def takes(self, extents: int, extent: int, spare: int = 0) -> int:
        """How many extents of the group a new volume takes, with metadata. ``extents``: its size, in extents.

        ``extent``: the size of an extent in bytes; ``spare``: extents that the group already keeps for the repair of a
        pool.
        """
        if self.kind == THIN:
            return 0
        if self.kind == POOL:
            needed = metadata(extents, extent)
            return extents + needed + max(0, needed - spare)
        return extents // self.stripes * self.images + self._metadata

    def within(self, share: int, extent: int, spare: int = 0) -> int:
        """The most extents that a new volume may have if it takes at most ``share`` extents of the group.

        ``extent`` and ``spare``: as for ``takes``.
        """
        if self.kind == POOL:
            needed = metadata(share, extent)
            return max(0, share - needed - max(0, needed - spare))
        return max(0, share - self._metadata) // self.images * self.stripes

    @property
    def _metadata(self) -> int:
        """Extents of all images' metadata: one for each (``raid_rmeta_extents``); none without redundancy."""
        return self.images if self.kind in RAID[1:] else 0


def shape(kind: str, stripes: int = 0, copies: int = 0) -> Shape:
    """A shape, with the usual numbers in place of 0. Raises ``ValueError`` for numbers that the kind cannot have."""
    if stripes and kind not in _FEWEST:
        raise ValueError(f"stripes: a volume of type {kind} has none")
    if stripes and stripes < _FEWEST[kind]:
        raise ValueError(f"stripes: type {kind} has {_FEWEST[kind]} or more")
    if copies and kind not in ("raid1", "raid10"):
        raise ValueError(f"copies: a volume of type {kind} has none")
    if copies == 1:
        raise ValueError("copies: 2 or more; they include the first one")
    return Shape(kind, stripes or _FEWEST.get(kind, 1), copies or (2 if kind in ("raid1", "raid10") else 1))


def kind_of(layout: str) -> str:
    """The kind of a volume, from LVM's words for its layout, such as ``raid,raid5,raid5_ls`` or ``thin,pool``.

    For a layout that is none of these kinds, such as ``linear``, LVM's words themselves.
    """
    words = layout.split(",")
    if "thin" in words:
        return POOL if "pool" in words else THIN
    return next((kind for kind in (*RAID, STRIPED) if kind in words), layout)


def chunk(extents: int, extent: int) -> int:
    """The size of a thin pool's chunks in bytes.

    The smallest with which the pool's metadata, 64 bytes for each chunk, takes at most 128 MiB.
    """
    size, found = extents * extent, _SMALLEST_CHUNK
    while size // found * 64 > _LARGEST_METADATA:
        found *= 2
    return found


def metadata(extents: int, extent: int) -> int:
    """How many extents the metadata of a thin pool takes: 64 bytes for each chunk, and at least 2 MiB."""
    size = extents * extent
    return -(-max(2 * MIB, size // chunk(extents, extent) * 64) // extent)
