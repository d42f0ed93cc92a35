"""Make a logical volume, empty it, let it grow, and activate it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from subfloor.core.errors import Refused
from subfloor.core.machine import Machine, Unknown
from subfloor.core.task import Command, Step
from subfloor.observe.disk import Disk, DiskState, Mapped, Missing, Unopened
from subfloor.observe.volume_group import Group, Logical, NamedGroup
from subfloor.steps.partitioning import empty_ends, wipe
from subfloor.steps.volumes import Volume, locks_of
from subfloor.steps.volumes.logical_volume import check_same, retag, retagged, with_volume
from subfloor.steps.volumes.volume_group import ENV, SETTINGS, nodes
from subfloor.storage import declared_sizes, lvm, sizes
from subfloor.storage.marks import UNFINISHED
from subfloor.storage.sizes import show


@dataclass(frozen=True)
class Declared:
    """A logical volume as a play declares it. ``path``: of its device; ``uuid``: in its tag.

    ``reserved``: the sizes of the play's other volumes in the group, by name. ``raw``: no task of the play fills it.
    """

    group: str
    name: str
    path: str
    uuid: UUID
    size: str
    reserved: tuple[tuple[str, str], ...] = ()
    raw: bool = False

    @property
    def full_name(self) -> str:
        """Its name with that of its group, as LVM's commands take it."""
        return f"{self.group}/{self.name}"

    @property
    def stage(self) -> str:
        """The stage of the volume when it is empty."""
        return "" if self.raw else UNFINISHED

    def extents(self, group: Group) -> int:
        """How many extents it is to have in this group."""
        if not declared_sizes.is_all(self.size):
            return _extents(self.size, group)
        there = group.volume(self.name)
        others = (
            _extents(size, group)
            for name, size in self.reserved
            if not declared_sizes.is_all(size) and not group.volume(name)
        )
        return max(0, group.free - sum(others)) + (there.extents if there else 0)


def _extents(size: str, group: Group) -> int:
    """A size in extents, rounded up; a percentage is one of the whole group, and is rounded down."""
    part = declared_sizes.percent(size)
    if part is not None:
        return group.extents * part // 100
    return -(-sizes.parse(size) // group.extent)


def made(machine: Machine, declared: Declared, group: Group, below: tuple[Volume, ...]) -> Step | None:
    """A step that makes the volume, empty and active, or empties one that was just made. Raises ``Refused``."""
    there = group.volume(declared.name)
    stage = lvm.stage_of(there.tags, declared.uuid) if there else None
    if there and stage is None:
        raise Refused(
            f"the logical volume {declared.full_name} was not made by this play, and stays as it is",
            advice=f"choose another `name`; or rename it: `lvrename {declared.group} {declared.name} NEW-NAME`",
        )
    if there and stage == lvm.NEW:
        return _empty(machine, declared, group, there, below)
    return None if there else _make(machine, declared, group, below)


def _make(machine: Machine, declared: Declared, group: Group, below: tuple[Volume, ...]) -> Step:
    extents = declared.extents(group)
    _check_size(declared, group, extents, extents)
    _check_free(machine, declared)
    how = ("--yes", "--wipesignatures", "n", "--zero", "n", "--activate", "n", "--extents", str(extents))
    new = lvm.tag(declared.uuid, lvm.NEW)
    create = ("lvcreate", *SETTINGS, *how, "--addtag", new, "--name", declared.name, declared.group)
    volume = Logical(declared.name, extents, frozenset({new}))
    emptied = _empty(machine, declared, replace(group, free=group.free - extents), volume, below)
    says = f"Make the logical volume {declared.full_name} of {show(extents * group.extent)}"
    return replace(emptied, says=says, commands=(Command(create, env=ENV), *emptied.commands))


def _empty(machine: Machine, declared: Declared, group: Group, there: Logical, below: tuple[Volume, ...]) -> Step:
    """Its extents may show what a former volume held, so it is emptied before its tag says that it is ours."""
    lies_on = nodes(below)
    disk = DiskState(declared.path, there.extents * group.extent, mapped=Mapped(Unknown(), lies_on))
    marked = with_volume(group, retagged(there, declared.uuid, declared.stage))
    return Step(
        says=f"Empty the logical volume {declared.full_name}",
        commands=(
            _activate(declared),
            *wipe(declared.path),
            empty_ends(disk),
            *retag(declared.group, declared.name, declared.uuid, declared.stage, lies_on),
        ),
        after=machine.with_(NamedGroup(group.name), marked).with_(Disk(declared.path), disk),
        locks=locks_of(below),
    )


def kept(machine: Machine, declared: Declared, group: Group, below: tuple[Volume, ...]) -> Step | None:
    """A step that lets the volume grow, activates it, or sets the final tag of a raw one. Raises ``Refused``."""
    there = group.volume(declared.name)
    assert there is not None
    return (
        _grow(machine, declared, group, there, below)
        or _opened(machine, declared, group, there, below)
        or _tagged(machine, declared, group, there, below)
    )


def _grow(machine: Machine, declared: Declared, group: Group, there: Logical, below: tuple[Volume, ...]) -> Step | None:
    extents = declared.extents(group)
    if extents == there.extents:
        return None
    _check_size(declared, group, extents, extents - there.extents)
    larger = replace(there, extents=extents)
    after = machine.with_(
        NamedGroup(group.name), with_volume(replace(group, free=group.free - (extents - there.extents)), larger)
    )
    disk = machine[Disk(declared.path)]
    if isinstance(disk, DiskState):
        # At the new end of an empty one there may be anything.
        seen = replace(disk, size=extents * group.extent) if disk.content else Unopened("the volume has grown")
        after = after.with_(Disk(declared.path), seen)
    grow = ("lvextend", *SETTINGS, "--yes", "--extents", str(extents), declared.full_name)
    return Step(
        says=f"Grow the logical volume {declared.full_name} to {show(extents * group.extent)}",
        commands=(Command(grow, env=ENV), Command(("sync", *nodes(below)))),
        after=after,
        locks=locks_of(below),
    )


def _opened(
    machine: Machine, declared: Declared, group: Group, there: Logical, below: tuple[Volume, ...]
) -> Step | None:
    disk = machine[Disk(declared.path)]
    if isinstance(disk, DiskState):
        check_same(declared.path, disk, group, there)
    if not isinstance(disk, Missing):
        return None
    return Step(
        says=f"Activate the logical volume {declared.full_name}",
        commands=(_activate(declared),),
        after=machine.with_(Disk(declared.path), Unopened(f"the logical volume {declared.full_name} is active")),
        locks=locks_of(below),
    )


def _tagged(
    machine: Machine, declared: Declared, group: Group, there: Logical, below: tuple[Volume, ...]
) -> Step | None:
    if not declared.raw or lvm.stage_of(there.tags, declared.uuid) != UNFINISHED:
        return None
    return Step(
        says=f"Mark the logical volume {declared.full_name} as finished",
        commands=retag(declared.group, declared.name, declared.uuid, "", nodes(below)),
        after=machine.with_(NamedGroup(group.name), with_volume(group, retagged(there, declared.uuid, ""))),
        locks=locks_of(below),
    )


def _activate(declared: Declared) -> Command:
    return Command(("lvchange", *SETTINGS, "--yes", "--activate", "y", declared.full_name), env=ENV)


def _check_size(declared: Declared, group: Group, extents: int, more: int) -> None:
    """Raise ``Refused`` if the volume would shrink, or if the group has too little room."""
    if more < 0:
        raise Refused(
            f"the logical volume {declared.full_name} is larger than declared, by {show(-more * group.extent)}: it "
            "would have to shrink, which subfloor never does",
            advice=f"declare `size: {show((extents - more) * group.extent)}`; or shrink it yourself (`lvreduce "
            "--resizefs`), with a copy of what is in it",
        )
    if extents < 1 or more > group.free:
        raise Refused(
            f"the volume group {group.name!r} has no room for {declared.name!r}: {show(max(more, 1) * group.extent)} "
            f"is needed, and {show(group.free * group.extent)} is free",
            advice="declare a smaller `size`; or give the group another volume, or a larger one",
        )


def _check_free(machine: Machine, declared: Declared) -> None:
    """Raise ``Refused`` if another device has the volume's path."""
    if not isinstance(machine[Disk(declared.path)], Missing):
        raise Refused(
            f"{declared.path} is not the logical volume that this play makes",
            advice="`dmsetup ls --tree` shows what it is; remove it, or choose another name",
        )
