"""Steps that make a thin pool, and let it grow. Only its thin volumes are used, so no step empties or activates it."""

from __future__ import annotations

from dataclasses import replace

from subfloor.core.machine import Machine
from subfloor.core.task import Command, Step
from subfloor.observe.volume_group import Group, Logical, NamedGroup
from subfloor.steps.volume_groups import kinds
from subfloor.steps.volume_groups.declared import Declared
from subfloor.steps.volume_groups.logical import check_room, foreign, grow
from subfloor.steps.volumes import Volume, locks_of
from subfloor.steps.volumes.logical_volume import retag, retagged, with_volume
from subfloor.steps.volumes.volume_group import ENV, SETTINGS, nodes
from subfloor.storage import lvm
from subfloor.storage.lvm_kinds import POOL
from subfloor.storage.sizes import show


def pool(machine: Machine, declared: Declared, group: Group, below: tuple[Volume, ...]) -> Step | None:
    """A step that makes the pool, completes interrupted work on it, or lets it grow; None if it is in sync.

    Raises ``Refused``.
    """
    there = group.volume(declared.name)
    stage = lvm.stage_of(there.tags, declared.uuid) if there else None
    if there and stage is None:
        raise foreign(declared)
    if there is None:
        return _make(machine, declared, group, below)
    if stage == lvm.NEW:
        return _finish(machine, declared, group, there, below)
    kinds.check_same(declared, there)
    return grow(machine, declared, group, there, below)


def _make(machine: Machine, declared: Declared, group: Group, below: tuple[Volume, ...]) -> Step:
    extents = declared.extents(group)
    kinds.check_possible(declared, group)
    check_room(declared, group, extents)
    left = replace(group, free=group.free - declared.more(group, extents))
    return _step(
        machine,
        with_volume(left, kinds.planned(declared, extents, "")),
        below,
        f"Make the thin pool {declared.full_name} of {show(extents * group.extent)}",
        (
            kinds.create(declared, group, extents),
            *retag(declared.group, declared.name, declared.uuid, "", nodes(below)),
        ),
    )


def _finish(machine: Machine, declared: Declared, group: Group, there: Logical, below: tuple[Volume, ...]) -> Step:
    """A step after an interrupted run: mark a complete pool as finished, or remove an incomplete one.

    LVM makes a pool in several commits. A pool that is not marked as finished is still empty.
    """
    if there.kind == POOL:
        return _step(
            machine,
            with_volume(group, retagged(there, declared.uuid, "")),
            below,
            f"Mark the thin pool {declared.full_name} as finished",
            retag(declared.group, declared.name, declared.uuid, "", nodes(below)),
        )
    others = tuple(each for each in group.logical if each.name != there.name)
    return _step(
        machine,
        replace(group, logical=others, free=group.free + there.extents),
        below,
        f"Remove the incomplete thin pool {declared.full_name}",
        (
            Command(("lvremove", *SETTINGS, "--yes", declared.full_name), env=ENV),
            Command(("sync", *nodes(below))),
        ),
    )


def _step(machine: Machine, after: Group, below: tuple[Volume, ...], says: str, commands: tuple[Command, ...]) -> Step:
    return Step(says, commands, machine.with_(NamedGroup(after.name), after), locks=locks_of(below))
