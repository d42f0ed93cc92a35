"""Steps that make a logical volume, empty it, let it grow, and activate it. Pure."""

from __future__ import annotations

from dataclasses import replace

from subfloor.core.errors import Refused
from subfloor.core.machine import Machine, Unknown
from subfloor.core.task import Command, Step
from subfloor.observe.disk import Disk, DiskState, Mapped, Missing, Unopened
from subfloor.observe.images import Images
from subfloor.observe.volume_group import Group, Logical, NamedGroup
from subfloor.steps.partitioning import empty_ends, wipe
from subfloor.steps.volume_groups import kinds
from subfloor.steps.volume_groups.declared import Declared
from subfloor.steps.volumes import Volume, locks_of
from subfloor.steps.volumes.logical_volume import check_same, retag, retagged, with_volume
from subfloor.steps.volumes.volume_group import ENV, SETTINGS, nodes
from subfloor.storage import lvm
from subfloor.storage.marks import UNFINISHED
from subfloor.storage.sizes import show


def made(machine: Machine, declared: Declared, group: Group, below: tuple[Volume, ...]) -> Step | None:
    """A step that makes the volume, empty and active; or empties it, if a run was interrupted before that.

    None if the volume is ours and was emptied. Raises ``Refused``.
    """
    there = group.volume(declared.name)
    stage = lvm.stage_of(there.tags, declared.uuid) if there else None
    if there and stage is None:
        raise foreign(declared)
    if there:
        kinds.check_same(declared, there)
    if there and stage == lvm.NEW:
        return _empty(machine, declared, group, there, below)
    return None if there else _make(machine, declared, group, below)


def foreign(declared: Declared) -> Refused:
    """The error for a volume of this name that the play did not make."""
    return Refused(
        f"the logical volume {declared.full_name} was not made by this play, and stays as it is",
        advice=f"choose another `name`; or rename it: `lvrename {declared.group} {declared.name} NEW-NAME`",
    )


def _make(machine: Machine, declared: Declared, group: Group, below: tuple[Volume, ...]) -> Step:
    extents = declared.extents(group)
    kinds.check_possible(declared, group)
    check_room(declared, group, extents)
    _check_free(machine, declared)
    volume = kinds.planned(declared, extents, lvm.NEW)
    left = replace(group, free=group.free - declared.more(group, extents))
    emptied = _empty(machine, declared, left, volume, below)
    says = f"Make the logical volume {declared.full_name} of {show(extents * group.extent)}"
    return replace(emptied, says=says, commands=(kinds.create(declared, group, extents), *emptied.commands))


def _empty(machine: Machine, declared: Declared, group: Group, there: Logical, below: tuple[Volume, ...]) -> Step:
    """A step that empties a new volume, and only then sets the tag that shows that the volume is ours.

    The extents of the volume may still show the content of a former volume.
    """
    lies_on = nodes(below)
    disk = DiskState(declared.path, there.extents * group.extent, mapped=Mapped(Unknown(), lies_on))
    marked = with_volume(group, retagged(there, declared.uuid, declared.stage))
    return Step(
        says=f"Empty the logical volume {declared.full_name}",
        commands=(
            _activate(declared),
            *wipe(declared.path),
            # What is not written to a thin volume reads as zeros; zeros would take room of its pool.
            *([] if declared.pool else [empty_ends(disk)]),
            *retag(declared.group, declared.name, declared.uuid, declared.stage, lies_on),
        ),
        after=_with_images(machine.with_(NamedGroup(group.name), marked).with_(Disk(declared.path), disk), declared),
        locks=locks_of(below),
    )


def kept(machine: Machine, declared: Declared, group: Group, below: tuple[Volume, ...]) -> Step | None:
    """A step that lets the volume grow, activates it, or sets the final tag of a raw volume; None if it is in sync.

    Raises ``Refused``.
    """
    there = group.volume(declared.name)
    assert there is not None
    _check_whole(machine, declared)
    return (
        grow(machine, declared, group, there, below)
        or _opened(machine, declared, group, there, below)
        or _tagged(machine, declared, group, there, below)
    )


def grow(machine: Machine, declared: Declared, group: Group, there: Logical, below: tuple[Volume, ...]) -> Step | None:
    """A step that gives a volume more extents; None if it has as many as declared. Raises ``Refused``."""
    extents = declared.extents(group)
    if extents == there.extents:
        return None
    _check_larger(declared, group, extents, there)
    check_room(declared, group, extents)
    left = replace(group, free=group.free - declared.more(group, extents))
    after = machine.with_(NamedGroup(group.name), with_volume(left, replace(there, extents=extents)))
    disk = machine[Disk(declared.path)]
    if isinstance(disk, DiskState):
        # The new end may hold old data, so an empty volume may not be empty any more.
        seen = replace(disk, size=extents * group.extent) if disk.content else Unopened("the volume has grown")
        after = after.with_(Disk(declared.path), seen)
    grow = ("lvextend", *SETTINGS, "--yes", "--extents", str(extents), declared.full_name)
    return Step(
        says=f"Grow the {declared.what} {declared.full_name} to {show(extents * group.extent)}",
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
        after=_with_images(
            machine.with_(Disk(declared.path), Unopened(f"the logical volume {declared.full_name} is active")), declared
        ),
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


def _with_images(machine: Machine, declared: Declared) -> Machine:
    """The machine once the volume is active. Only then the kernel shows whether its images are complete."""
    return machine.updated(dict.fromkeys(declared.images, Unknown()))


def _check_whole(machine: Machine, declared: Declared) -> None:
    """Raise ``Refused`` if an image of the volume has failed."""
    for each in declared.images:
        seen = machine[each]
        if isinstance(seen, Images) and seen.failed:
            raise Refused(
                f"the logical volume {declared.full_name} is degraded: {seen.failed} of its {seen.count} images failed",
                advice="`lvs -a -o +devices,lv_health_status` shows which; if its disk is back, `lvchange --refresh "
                f"{declared.full_name}`; otherwise add a volume to the group, then `lvconvert --repair "
                f"{declared.full_name}`",
            )


def _activate(declared: Declared) -> Command:
    return Command(("lvchange", *SETTINGS, "--yes", "--activate", "y", declared.full_name), env=ENV)


def _check_larger(declared: Declared, group: Group, extents: int, there: Logical) -> None:
    """Raise ``Refused`` if the volume would shrink."""
    if extents < there.extents:
        larger = show((there.extents - extents) * group.extent)
        raise Refused(
            f"the {declared.what} {declared.full_name} is larger than declared, by {larger}: it would have to shrink, "
            "which subfloor never does",
            advice=f"declare `size: {show(there.extents * group.extent)}`; or shrink it yourself (`lvreduce "
            "--resizefs`), with a copy of what is in it",
        )


def check_room(declared: Declared, group: Group, extents: int) -> None:
    """Raise ``Refused`` if the group has too little room for this size of the volume."""
    more = declared.more(group, extents)
    if extents < 1 or more > group.free:
        raise Refused(
            f"the volume group {group.name!r} has no room for {declared.name!r}: {show(max(more, 1) * group.extent)} "
            f"is needed, and {show(group.free * group.extent)} is free",
            advice="declare a smaller `size`, add a volume to the group, or replace one of its volumes with a larger "
            "one",
        )


def _check_free(machine: Machine, declared: Declared) -> None:
    """Raise ``Refused`` if another device has the volume's path."""
    if not isinstance(machine[Disk(declared.path)], Missing):
        raise Refused(
            f"{declared.path} is not the logical volume that this play makes",
            advice="`dmsetup ls --tree` shows what it is; remove it, or choose another name",
        )
