"""How the owner of a disk that would be erased can keep it instead: advice beside the loss or the refusal. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from subfloor.core.identity import ANY, MACHINE, Identity
from subfloor.core.machine import Machine
from subfloor.core.task import Task
from subfloor.observe.disk import DiskState
from subfloor.steps.ownership import is_our_content, is_our_partition
from subfloor.steps.planned import planned_entries, space_of
from subfloor.storage import gpt


def advice(
    machine: Machine, path: str, disk: DiskState, identity: Identity, name: str, partitions: Iterable[Task]
) -> str:
    """What the owner of a disk does to keep it; "" if there is nothing but to leave it alone.

    ``name``: the name of the disk in the play. ``partitions``: the tasks that make partitions on it. Raises
    ``LookNeeded``.
    """
    if disk.table is None and disk.stray:
        return _restore(path, disk, _lost(machine, path, disk, identity, name, tuple(partitions)))
    if not isinstance(disk.table, gpt.Gpt):
        return ""
    if identity.is_of_another_machine(disk.table.id, name):
        return f"this play laid it out on another machine; `-e {MACHINE}={ANY}` accepts it as it is"
    if label_id := _former(disk.table, identity, name):
        return (
            "set its label-id back, which was changed: its partitions have the UUIDs of this play; "
            f"`sfdisk --no-reread --disk-id {path} {label_id}`, then run subfloor again"
        )
    return ""


def _restore(path: str, disk: DiskState, label_id: UUID | None) -> str:
    """How a lost partition table is restored while the kernel has the partitions. ``label_id``: None if not ours."""
    lost = "restore its partition table, which is lost while the kernel still has the partitions"
    if label_id is None:
        kernel = f"/sys/class/block/{disk.node.removeprefix('/dev/')}/*"
        return (
            f"{lost}: `grep . {kernel}/start {kernel}/size` prints their places in sectors of 512 bytes, until the "
            "disk is detached or the machine stops"
        )
    again = f"printf 'label: gpt\\nlabel-id: {label_id}\\n' | sfdisk --force --no-reread {path}"
    return (
        f"{lost}: with a backup of it; or unmount and `swapoff` them, write an empty table (`{again}`), and run "
        "subfloor again: it puts back every partition whose filesystem is still there"
    )


def _lost(
    machine: Machine, path: str, disk: DiskState, identity: Identity, name: str, partitions: tuple[Task, ...]
) -> UUID | None:
    """The label-id of the lost table: content of this play is where the play makes a partition. None otherwise."""
    for label_id in _label_ids(identity, name):
        for before, entry in planned_entries(machine, path, label_id, partitions):
            found = machine.further(space_of(machine, path, before, entry))
            here = [each.content for each in found if each.start == entry.start * disk.limits.sector]
            if any(each.uuid and is_our_content(identity, entry.uuid, each) for each in here):
                return label_id
    return None


def _former(table: gpt.Gpt, identity: Identity, name: str) -> UUID | None:
    """The label-id that the table had when this play made partitions in it; None if it made none."""
    return next((each for each in _label_ids(identity, name) if _has_ours(replace(table, id=each), identity)), None)


def _has_ours(table: gpt.Gpt, identity: Identity) -> bool:
    return any(is_our_partition(identity, table, entry) for entry in table.entries)


def _label_ids(identity: Identity, name: str) -> tuple[UUID, ...]:
    """The label-ids that this play gives to a disk, on this machine and on any."""
    return tuple(dict.fromkeys((identity.disk(name), identity.disk_anywhere(name))))
