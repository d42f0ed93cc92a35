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
    """A logical volume as a play declares it. ``path``: of its device; ``uuid``: in its tag; ``pool``: of a thin one.

    ``reserved``: the play's other volumes in the group: name, shape and size. ``later``: those with images that tasks
    after this one make. ``raw``: no task of the play fills it.
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
        """Its name with that of its group, as LVM's commands take it."""
        return f"{self.group}/{self.name}"

    @property
    def what(self) -> str:
        """What it is, in words."""
        return "thin pool" if self.shape.kind == POOL else "logical volume"

    @property
    def images(self) -> frozenset[ImagesOf]:
        """What shows whether its images are whole, if it has any of a RAID type."""
        return frozenset({ImagesOf(self.path)}) if self.shape.kind in RAID else frozenset()

    @property
    def stage(self) -> str:
        """The stage of the volume when it is empty."""
        return "" if self.raw or self.shape.kind == POOL else UNFINISHED

    def extents(self, group: Group) -> int:
        """How many extents it is to have in this group."""
        if not declared_sizes.is_all(self.size):
            return _extents(self.size, self.shape, group, self.pool)
        others, spare = self._others(group)
        share, there = max(0, group.free - others), group.volume(self.name)
        # Both kinds that may have a rest take an extent of the group for each of theirs when they grow.
        return there.extents + share if there else self.shape.within(share, group.extent, spare)

    def more(self, group: Group, extents: int) -> int:
        """How many more extents of the group it takes with this size than now. A pool's metadata stays as it is."""
        there = group.volume(self.name)
        if there is None:
            return self.shape.takes(extents, group.extent, _spare(group))
        if self.shape.kind == POOL:
            return extents - there.extents
        return self.shape.takes(extents, group.extent) - self.shape.takes(there.extents, group.extent)

    def _others(self, group: Group) -> tuple[int, int]:
        """What the play's other volumes will take that are not made yet; and what is kept for the repair of a pool."""
        taken, spare = 0, _spare(group)
        for name, shape, size in self.reserved:
            if not declared_sizes.is_all(size) and not group.volume(name):
                extents = _extents(size, shape, group)
                taken += shape.takes(extents, group.extent, spare)
                spare = max(spare, metadata(extents, group.extent) if shape.kind == POOL else 0)
        return taken, spare


def _spare(group: Group) -> int:
    """Extents that LVM keeps for the repair of a pool: as many as the largest metadata of one has."""
    return max((metadata(each.extents, group.extent) for each in group.logical if each.kind == POOL), default=0)


def _extents(size: str, shape: Shape, group: Group, pool: str = "") -> int:
    """A size in extents, rounded up; a percentage is a share of the group, or of the pool, and is rounded down."""
    part = declared_sizes.percent(size)
    if part is None:
        return shape.rounded(-(-sizes.parse(size) // group.extent))
    if shape.kind == THIN:
        lies_in = group.volume(pool)
        return (lies_in.extents if lies_in else 0) * part // 100
    return shape.within(group.extents * part // 100, group.extent)
