"""Where a play will search free space for remains, after the disk is erased and has a new table. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from uuid import UUID

from subfloor.core.errors import SubfloorError
from subfloor.core.machine import Machine
from subfloor.core.task import Task
from subfloor.observe.disk import Disk, DiskState, FreeSpace
from subfloor.steps.partitioning import erased
from subfloor.storage import gpt
from subfloor.storage.allocation import hole_around
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
    disk = machine[Disk(path)]
    assert isinstance(disk, DiskState)
    label = gpt.blank(label_id, disk.sectors, disk.limits.sector)
    labelled = machine.with_(Disk(path), replace(erased(disk), table=label))
    places = sorted(set(_places(labelled, path, partitions)))
    found = [(at + start, min(size, disk.size - at - start)) for at in places for start, size in _SHOWN]
    return [(start, size) for start, size in found if size > 0]


def _places(machine: Machine, path: str, partitions: Iterable[Task]) -> Iterator[int]:
    """Where remains are searched before each partition is made, in bytes, up to the first partition that is refused."""
    for task in partitions:
        before, sector = _table(machine, path)
        try:
            step = task.next_step(machine)
        except SubfloorError:
            return  # the whole play is refused, before anything is erased
        if step is None:
            continue
        machine = step.after
        after, _ = _table(machine, path)
        for entry in set(after.entries) - set(before.entries):
            first, end = hole_around(before, entry.start)
            extent = entry.start * sector, entry.end * sector
            yield from FreeSpace(path, (first * sector, end * sector), extent).places()


def _table(machine: Machine, path: str) -> tuple[gpt.Gpt, int]:
    """The GPT of a disk, and the size of its sectors."""
    disk = machine[Disk(path)]
    assert isinstance(disk, DiskState)
    assert isinstance(disk.table, gpt.Gpt)
    return disk.table, disk.limits.sector
