"""Make a partition, or put its deleted entry back. Pure."""

from __future__ import annotations

from dataclasses import replace

from subfloor.core.errors import Refused
from subfloor.core.task import Step
from subfloor.observe.disk import DiskState, PartitionState, Remains
from subfloor.steps.losses import loss_of_remains
from subfloor.steps.ownership import is_our_content, remains
from subfloor.steps.partitioning import check_expressible, extent, rename, rewrite, tellable, wipe, with_partition
from subfloor.steps.partitions.declared import Partition
from subfloor.steps.partitions.labelled import LabelledDisk
from subfloor.steps.partitions.places import place, size_of, start_of, within_bounds
from subfloor.steps.partitions.removing import may_go, of_this_name, remove, remove_namesake
from subfloor.storage import declared_sizes, sizes
from subfloor.storage.allocation import in_the_way, largest_gap, room_after
from subfloor.storage.gpt import Entry
from subfloor.storage.marks import LABELLING, UNFINISHED
from subfloor.storage.partition_types import type_name


def make(on: LabelledDisk, declared: Partition) -> Step:
    """The next step towards a partition whose number is free: make it, or remove what is in its way.

    Raises ``Refused`` and ``LookNeeded``.
    """
    disk, table = on.disk, on.table
    tellable(on.path, disk)
    if clash := of_this_name(on, declared):
        return remove_namesake(on, declared, clash)
    check_expressible(on.path, table)
    if declared.number > table.length:
        raise Refused(
            f"the GPT of {on.path} has room for {table.length} partitions", advice="choose a smaller `number`"
        )
    where = place(declared, disk, table)
    if where is None:
        return _make_room(on, declared)
    uuid, name = declared.uuid(table), declared.name + UNFINISHED
    born = Entry(declared.number, *where, declared.type, uuid, name, declared.bits)
    found = remains(on.machine, on.path, disk, table, *where)
    kept = next((each for each in found if _is_own(declared, disk, born, each)), None)
    if kept:
        return _put_back(on, declared, born, kept, tuple(each for each in found if each != kept))
    return _bear(on, declared, born, found)


def _bear(on: LabelledDisk, declared: Partition, born: Entry, lost: tuple[Remains, ...]) -> Step:
    disk = on.disk
    unfinished = with_partition(disk, born, PartitionState(declared.number))
    node = disk.partition_node(declared.number)
    ended = rename(unfinished, declared.number, declared.name) if declared.raw else ()
    after = unfinished.with_entry(replace(born, name=declared.name)) if declared.raw else unfinished
    return on.step(
        says=f"Make partition {declared.number} {declared.name!r} of {on.path}: {type_name(born.type)}, "
        + extent(disk, born),
        commands=(*rewrite(disk, unfinished), *wipe(node), *ended),
        after=after,
        destroys=loss_of_remains(on.path, disk, lost),
    )


def _is_own(declared: Partition, disk: DiskState, born: Entry, found: Remains) -> bool:
    """Whether ``found`` is the complete content that this play made on the same partition before."""
    sector = disk.limits.sector
    fits = found.start == born.start * sector and 0 < found.size <= born.size * sector
    return fits and bool(found.content.uuid) and is_our_content(declared.identity, born.uuid, found.content)


def _put_back(on: LabelledDisk, declared: Partition, born: Entry, kept: Remains, lost: tuple[Remains, ...]) -> Step:
    """A step that puts a deleted entry back. The content may be unfinished, so the name makes `mkfs` check it."""
    entry = replace(born, name=declared.name if declared.raw else declared.name + LABELLING)
    after = with_partition(on.disk, entry, PartitionState(declared.number, kept.content))
    return on.step(
        says=f"Put partition {declared.number} {declared.name!r} of {on.path} back: {type_name(entry.type)}, "
        f"{extent(on.disk, entry)}, with the {kept.content.named} that it held",
        commands=rewrite(on.disk, after),
        after=after,
        destroys=loss_of_remains(on.path, on.disk, lost),
    )


def _make_room(on: LabelledDisk, declared: Partition) -> Step:
    """A step that removes our partitions that are in the way. Raises ``Refused`` if that gives too little room."""
    disk, table = on.disk, on.table
    gone = in_the_way(table, lambda entry: may_go(on, declared, entry), lambda rest: place(declared, disk, rest))
    if gone:
        return remove(on, declared, gone, f"in the way of {declared.name!r}")
    start, size, sector = start_of(declared, disk), size_of(declared, disk, table), disk.limits.sector
    bounded = within_bounds(declared, disk, table)
    at = room_after(disk.grid, bounded, start) if start is not None else largest_gap(disk.grid, bounded)[1]
    where = f"at {declared.start} of {on.path}" if start is not None else f"in one piece on {on.path}"
    missing = (size or disk.grid.grain) - at
    raise Refused(
        f"there is no room for partition {declared.number} {declared.name!r}: {sizes.show(at * sector)} are free "
        f"{where}, {sizes.show(missing * sector)} less than needed",
        advice=_advice_on_room(declared, disk, at),
    )


def _advice_on_room(declared: Partition, disk: DiskState, free: int) -> str:
    for other in declared.others:
        if declared_sizes.is_all(other.size) and disk.entry(other.number):
            return (
                f"partition {other.number} {other.name!r} takes the `rest`: only one partition of the disk can "
                "take it, so declare that one last"
            )
    rest = "use what is left with `size: rest`, " if free >= disk.grid.grain else ""
    return f"{rest}make it smaller, make another new partition smaller, or choose a larger disk"
