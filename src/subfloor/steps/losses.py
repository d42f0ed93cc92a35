"""The losses of a step, as the question for consent shows them: all of them, with details that are read from the disk.

A disk with a loss is read once more (``Holdings``): space without a partition, what each filesystem says about its
use, and content of partitions that no other program finds. A disk without a loss is not read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from subfloor.core.machine import Machine, Unknown
from subfloor.core.task import Loss
from subfloor.observe.disk import Content, DiskState, Holdings, PartitionState, Remains
from subfloor.steps.layers import with_layer
from subfloor.storage import superblocks
from subfloor.storage.devices import partition_node
from subfloor.storage.gpt import Entry
from subfloor.storage.sizes import MIB

_TABLE = 34 * 512
"""Bytes at each end of a disk where tables are."""

_MOST_BEHIND = 16
"""How often the search continues behind content that was found: few disks ever had more partitions."""

_MOST_HOLES = 16
"""How many holes are searched, the largest first: tables with more are rare, and each search takes time."""


def loss(machine: Machine, path: str, disk: DiskState) -> Loss:
    """The loss of a step that destroys everything on a disk. Raises ``LookNeeded``."""
    extents = tuple(filter(None, (_extent(disk, volume) for volume in disk.volumes)))
    whole = ((0, disk.size),) if any(map(superblocks.says_more, disk.whole)) else ()
    closer = _look(machine, path, (*extents, *whole), ())
    seen = replace(
        disk,
        volumes=tuple(_with_layer(machine, disk, _closer(disk, volume, closer)) for volume in disk.volumes),
        uses=tuple(_uses(machine, disk, closer)),
    )
    between = ", ".join(map(str, _between_partitions(machine, path, disk)))
    return Loss(path, disk.node, seen.describe([f"outside of any partition: {between}"] if between else ()))


def losses_of_partitions(
    machine: Machine, path: str, disk: DiskState, entries: Iterable[Entry], about: str
) -> tuple[Loss, ...]:
    """The losses of a step that destroys the content of partitions. Raises ``LookNeeded``.

    ``path``: the path of the disk. ``about``: the reason, or the owner.
    """
    volumes = {entry: disk.volume(entry.number) or PartitionState(entry.number) for entry in entries}
    found = _look(machine, path, tuple(filter(None, (_extent(disk, volume) for volume in volumes.values()))), ())
    closer = {entry: _with_layer(machine, disk, _closer(disk, volume, found)) for entry, volume in volumes.items()}
    return tuple(_loss_of_partition(path, disk, entry, volume, about) for entry, volume in closer.items())


def _loss_of_partition(path: str, disk: DiskState, entry: Entry, volume: PartitionState, about: str) -> Loss:
    node = partition_node(path, entry.number)
    content = volume.content or "nothing recognisable"
    what = f"{node} {entry.name!r} of a disk of {disk.about}: {content} ({about})"
    return Loss(node, disk.partition_node(entry.number), what)


def loss_of_remains(path: str, disk: DiskState, found: Iterable[Remains]) -> tuple[Loss, ...]:
    """The loss of a step that uses free space which still holds content; none if ``found`` is empty."""
    listed = ", ".join(map(str, map(_without_device, found)))
    what = f"{path} ({disk.about}), in unpartitioned space: {listed}"
    return (Loss(path, disk.node, what),) if listed else ()


_Extent = tuple[int, int]


def _look(machine: Machine, path: str, extents: tuple[_Extent, ...], holes: tuple[_Extent, ...]) -> tuple[Remains, ...]:
    return machine.further(Holdings(path, extents, holes)) if extents or holes else ()


def _extent(disk: DiskState, volume: PartitionState) -> _Extent | None:
    """Where to read more about the content of a partition, in bytes; None if that would add nothing."""
    content, (start, size) = volume.content, disk.place(volume)
    end = min(start + size, disk.size)
    known = isinstance(content, Content) and (content.fresh or not superblocks.says_more(content.type))
    return None if content is None or known or end <= start else (start, end)


def _closer(disk: DiskState, volume: PartitionState, found: Iterable[Remains]) -> PartitionState:
    """The partition with the content that was found at its start. Unchanged if that differs from known content."""
    start, _ = disk.place(volume)
    here = next((each.content for each in found if each.start == start), None)
    same = here is not None and (isinstance(volume.content, Unknown) or here == volume.content)
    return replace(volume, content=here) if same else volume


def _uses(machine: Machine, disk: DiskState, found: Iterable[Remains]) -> Iterator[tuple[str, str]]:
    """For each content of the whole disk: its type, and what is known of its use. Raises ``LookNeeded``."""
    read = {each.content.type: each.content.use for each in found if each.start == 0}
    for content in disk.on_whole:
        closer = replace(content, use=read.get(content.type, ""))
        yield content.type, with_layer(machine, disk.node, closer).use


def _with_layer(machine: Machine, disk: DiskState, volume: PartitionState) -> PartitionState:
    """The partition; its content also names the layer that it is a part of. Raises ``LookNeeded``."""
    if not isinstance(volume.content, Content):
        return volume
    node = disk.partition_node(volume.number)
    return replace(volume, content=with_layer(machine, node, volume.content, known=volume.known))


def _between_partitions(machine: Machine, path: str, disk: DiskState) -> tuple[Remains, ...]:
    """Content outside of partitions: at usual places, and behind content that was found. Raises ``LookNeeded``."""
    holes = tuple(_holes(disk))
    found = latest = _look(machine, path, (), holes)
    for _ in range(_MOST_BEHIND):
        behind = {place for each in latest if (place := _behind(each, holes))}
        latest = _look(machine, path, tuple(sorted(behind)), ())
        found = (*found, *latest)
    return tuple(_without_device(each) for each in _outermost(found))


def _without_device(found: Remains) -> Remains:
    """Content outside of any partition, with what is known of the layer that it is a part of."""
    return replace(found, content=with_layer(Machine(), "", found.content, known=False))


def _behind(found: Remains, holes: tuple[_Extent, ...]) -> _Extent | None:
    """Where another partition may have been: from the next MiB behind content to the end of its hole.

    None if the size of the content is unknown, or nothing is left of the hole.
    """
    start = -(-(found.start + found.size) // MIB) * MIB
    return next(((start, end) for first, end in holes if found.size and first <= start < end), None)


def _outermost(found: Iterable[Remains]) -> Iterator[Remains]:
    """Found content that does not lie inside other found content, without duplicates."""
    end = 0
    for each in sorted(set(found), key=lambda each: each.start):
        if each.start >= end:
            end = max(each.start + 1, each.start + each.size)
            yield each


def _holes(disk: DiskState) -> Iterator[_Extent]:
    """The spaces without a partition, in bytes, except those smaller than 1 MiB.

    There are none if some content takes the whole disk. Spaces that this run, or its plan, has emptied are left out.
    """
    if disk.whole:
        return
    sector = disk.limits.sector
    holes = (hole for hole in _between(disk) if hole[1] - hole[0] >= MIB)
    lost = (hole for hole in holes if not disk.is_cleared(hole[0] // sector, hole[1] // sector))
    yield from sorted(sorted(lost, key=lambda hole: hole[0] - hole[1])[:_MOST_HOLES])


def _between(disk: DiskState) -> Iterator[_Extent]:
    at = _TABLE
    for start, size in sorted(map(disk.place, disk.volumes)):
        yield at, min(start, disk.size - _TABLE)
        at = max(at, start + size)
    yield at, disk.size - _TABLE
