"""Steps that write, repair or replace the partition table of a disk. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from subfloor.core.errors import Refused
from subfloor.core.identity import Identity
from subfloor.core.machine import Machine
from subfloor.core.task import Loss, Step, Task
from subfloor.observe.disk import Disk, DiskState
from subfloor.steps import partitioning, recovering
from subfloor.steps.losses import loss
from subfloor.steps.planned import planned
from subfloor.storage import gpt
from subfloor.storage.sizes import show


def is_empty(disk: DiskState) -> bool:
    """Whether a new table destroys nothing: the disk is blank, or has a GPT without partitions and no other data."""
    if disk.signatures or disk.filled:
        return False
    table = disk.table
    return table is None or (isinstance(table, gpt.Gpt) and not (table.entries or table.hybrid or table.taken))


def write(machine: Machine, path: str, disk: DiskState, label_id: UUID) -> Step:
    """A step that writes a GPT without partitions. Raises ``Refused`` if the disk is read-only, in use or too small."""
    partitioning.writable(path, partitioning.unused(machine, path, disk))
    table = gpt.blank(label_id, disk.sectors, disk.limits.sector)
    if table.last_lba <= table.first_lba:
        raise Refused(
            f"{path} is too small for a GPT: {show(disk.size)}", advice="name a larger disk; lsblk lists them"
        )
    after = replace(partitioning.erased(disk), table=table, cleared=disk.cleared)
    return _step(f"Write a GPT with label-id {table.id} to {path}", machine, path, disk, after)


def repair(machine: Machine, path: str, disk: DiskState, table: gpt.Gpt) -> Step | None:
    """A step that makes both copies of the GPT valid, or updates the kernel's partitions; None if all is in sync.

    Raises ``Refused`` if the kernel or sfdisk would not accept the change.
    """
    if table.damage:
        return _mend(machine, path, partitioning.tellable(path, disk), table)
    after = partitioning.known_to_kernel(disk)
    if disk == after:
        return None
    partitioning.tellable(path, disk)
    says = f"Update the kernel's partitions of {path}"
    return Step(says, partitioning.tell_kernel(disk, after), machine.with_(Disk(path), after), locks=(disk.node,))


def _mend(machine: Machine, path: str, disk: DiskState, table: gpt.Gpt) -> Step:
    """A step that makes both copies valid. If needed, the second copy moves to the end of the disk."""
    _, end = gpt.usable(disk.sectors, disk.limits.sector, table.length)
    beyond = [entry for entry in table.entries if entry.end - 1 > end]
    if beyond:
        raise Refused(
            f"partition {beyond[0].number} reaches beyond the end of {path}: the disk has shrunk",
            advice="copy the disk first; then restore its old size",
        )
    partitioning.check_expressible(path, table)
    last = end if gpt.MOVED in table.damage else table.last_lba
    whole = replace(table, last_lba=last, damage=frozenset(), taken=frozenset())
    after = partitioning.known_to_kernel(replace(disk, table=whole))
    says = f"Repair the GPT of {path} ({', '.join(sorted(table.damage))})"
    lost = [loss(machine, path, disk)] if table.taken else []
    return _step(says, machine, path, disk, after, *lost)


def erase(
    machine: Machine, path: str, disk: DiskState, identity: Identity, name: str, partitions: Iterable[Task]
) -> Step:
    """A step that erases the whole disk, with consent. Raises ``Refused`` if the disk is read-only or in use.

    ``name``: the name of the disk in the play. ``partitions``: the tasks that make partitions on it. The step also
    empties the places of these partitions. Raises ``LookNeeded``.
    """
    kept = recovering.advice(machine, path, disk, identity, name, partitions)
    partitioning.writable(path, partitioning.unused(machine, path, disk, kept and f"to keep it, {kept}"))
    return Step(
        says=f"Erase every signature on {path}",
        commands=partitioning.erase(disk, planned(machine, path, identity.disk(name), partitions)),
        after=machine.with_(Disk(path), partitioning.erased(disk)),
        destroys=(_with_hint(loss(machine, path, disk), kept),),
        locks=(disk.node,),
    )


def _with_hint(lost: Loss, kept: str) -> Loss:
    """The loss, and how its owner can keep the disk."""
    return replace(lost, what=f"{lost.what} ({kept})") if kept else lost


def _step(says: str, machine: Machine, path: str, disk: DiskState, after: DiskState, *lost: Loss) -> Step:
    return Step(
        says=says,
        commands=partitioning.rewrite(disk, after),
        after=machine.with_(Disk(path), after),
        destroys=lost,
        locks=(disk.node,),
    )
