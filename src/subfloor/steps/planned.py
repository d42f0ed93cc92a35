"""Where a play will search free space for remains, after the disk is erased and has a new table. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from uuid import UUID

from subfloor.core.errors import SubfloorError
from subfloor.core.machine import Machine
from subfloor.core.task import Task
from subfloor.observe.disk import Disk, DiskState, FreeSpace
from subfloor.steps.ownership import free_space
from subfloor.steps.partitioning import erased
from subfloor.storage import gpt
from subfloor.storage.sizes import MIB

_SHOWN = ((0, 516 << 10), (MIB, 4096), (2 * MIB, 4096), (4 * MIB, 4096))
"""Offsets and sizes in bytes of the places where content is recognised. Superblocks lie in the first 512 KiB (the last
one is the second label of a ZFS pool), copies of the LUKS2 header in the first 4 MiB."""


def partitions_of(play: Iterable[Task], device: str) -> tuple[Task, ...]:
    """The tasks of a play that make partitions on that disk, in their order."""
    return tuple(task for task in play if task.key == "aligned-partition" and getattr(task, "device", "") == device)


def planned(machine: Machine, path: str, label_id: UUID, partitions: Iterable[Task]) -> list[tuple[int, int]]:
    """Places to empty when a disk is erased, so that nothing is found where the play makes its partitions.

    After an interruption, a rerun would have no consent for content that it finds there. Places are start and size, in
    bytes.
    """
    disk = _disk(machine, path)
    places = sorted(set(_places(machine, path, label_id, partitions)))
    found = [(at + start, min(size, disk.size - at - start)) for at in places for start, size in _SHOWN]
    return [(start, size) for start, size in found if size > 0]


def _places(machine: Machine, path: str, label_id: UUID, partitions: Iterable[Task]) -> Iterator[int]:
    """Where remains are searched before each partition is made, in bytes."""
    for before, entry in planned_entries(machine, path, label_id, partitions):
        yield from space_of(machine, path, before, entry).places()


def space_of(machine: Machine, path: str, before: gpt.Gpt, entry: gpt.Entry) -> FreeSpace:
    """The free space that a planned partition takes; ``before``: the table before the partition is made."""
    return free_space(path, before, entry.start, entry.end - entry.start, _disk(machine, path).limits.sector)


def planned_entries(
    machine: Machine, path: str, label_id: UUID, partitions: Iterable[Task]
) -> Iterator[tuple[gpt.Gpt, gpt.Entry]]:
    """Each partition that the play makes on the disk once it is erased, with the table before that.

    ``label_id``: of the new table. Ends before the first partition that is refused.
    """
    disk = _disk(machine, path)
    label = gpt.blank(label_id, disk.sectors, disk.limits.sector)
    machine = machine.with_(Disk(path), replace(erased(disk), table=label))
    for task in partitions:
        before = _table(machine, path)
        try:
            step = task.next_step(machine)
        except SubfloorError:
            return  # the whole play is refused, before anything is erased
        if step is None:
            continue
        machine = step.after
        yield from ((before, entry) for entry in set(_table(machine, path).entries) - set(before.entries))


def _disk(machine: Machine, path: str) -> DiskState:
    disk = machine[Disk(path)]
    assert isinstance(disk, DiskState)
    return disk


def _table(machine: Machine, path: str) -> gpt.Gpt:
    table = _disk(machine, path).table
    assert isinstance(table, gpt.Gpt)
    return table
