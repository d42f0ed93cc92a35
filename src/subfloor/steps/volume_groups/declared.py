"""A logical volume as a play declares it, and how many extents it is to have."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from subfloor.observe.images import ImagesOf
from subfloor.observe.volume_group import Group
from subfloor.storage import declared_sizes, sizes
from subfloor.storage.lvm_kinds import POOL, RAID, THIN, Shape, metadata
from subfloor.storage.marks import UNFINISHED


@dataclass(frozen=True)
class Declared:
    """A logical volume as a play declares it.

    ``path``: the path of its device; ``uuid``: the UUID in its tag; ``pool``: the pool of a thin volume; empty for any
    other. ``reserved``: name, shape and size of each other volume that the play declares in the group. ``later``: the
    volumes with images that later tasks of the play make. ``raw``: no task of the play fills it.
    """

    group: str
    name: str
    path: str
    uuid: UUID
    size: str
    reserved: tuple[tuple[str, Shape, str], ...] = ()
    raw: bool = False
    shape: Shape = field(default_factory=Shape)
    pool: str = ""
    later: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """The name of the volume as ``GROUP/NAME``, as LVM's commands take it."""
        return f"{self.group}/{self.name}"

    @property
    def what(self) -> str:
        """The word for the volume in messages."""
        return "thin pool" if self.shape.kind == POOL else "logical volume"

    @property
    def images(self) -> frozenset[ImagesOf]:
        """The subject that shows whether the images of a volume are complete; none if its type is not a RAID type."""
        return frozenset({ImagesOf(self.path)}) if self.shape.kind in RAID else frozenset()

    @property
    def stage(self) -> str:
        """The stage of the volume once it is emptied: final ("") for a raw volume or a pool, otherwise unfinished."""
        return "" if self.raw or self.shape.kind == POOL else UNFINISHED

    def extents(self, group: Group) -> int:
        """The desired number of extents of the volume in this group."""
        if not declared_sizes.is_all(self.size):
            return _extents(self.size, self.shape, group, self.pool)
        others, spare = self._others(group)
        share, there = max(0, group.free - others), group.volume(self.name)
        # Only linear volumes and pools may take the rest. Each extent that they grow by is one extent of the group.
        return there.extents + share if there else self.shape.within(share, group.extent, spare)

    def more(self, group: Group, extents: int) -> int:
        """How many extents of the group the volume takes in addition, if it gets this number of extents.

        The metadata of an existing pool stays as it is.
        """
        there = group.volume(self.name)
        if there is None:
            return self.shape.takes(extents, group.extent, _spare(group))
        if self.shape.kind == POOL:
            return extents - there.extents
        return self.shape.takes(extents, group.extent) - self.shape.takes(there.extents, group.extent)

    def _others(self, group: Group) -> tuple[int, int]:
        """Extents for the play's other volumes that do not exist yet, and extents that LVM keeps to repair a pool."""
        taken, spare = 0, _spare(group)
        for name, shape, size in self.reserved:
            if not declared_sizes.is_all(size) and not group.volume(name):
                extents = _extents(size, shape, group)
                taken += shape.takes(extents, group.extent, spare)
                spare = max(spare, metadata(extents, group.extent) if shape.kind == POOL else 0)
        return taken, spare


def _spare(group: Group) -> int:
    """The number of extents that LVM keeps to repair a pool: that of the largest pool metadata in the group."""
    return max((metadata(each.extents, group.extent) for each in group.logical if each.kind == POOL), default=0)


def _extents(size: str, shape: Shape, group: Group, pool: str = "") -> int:
    """A size in extents, rounded up. A percentage of the group, or of the pool of a thin volume, is rounded down."""
    part = declared_sizes.percent(size)
    if part is None:
        return shape.rounded(-(-sizes.parse(size) // group.extent))
    if shape.kind == THIN:
        lies_in = group.volume(pool)
        return (lies_in.extents if lies_in else 0) * part // 100
    return shape.within(group.extents * part // 100, group.extent)
