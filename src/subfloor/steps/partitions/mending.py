"""Change a partition that exists: its size, name, type and attributes; and finish a raw one. Pure."""

from __future__ import annotations

import shlex
from dataclasses import replace

from subfloor.core.errors import Refused
from subfloor.core.task import Step
from subfloor.observe.disk import PartitionState
from subfloor.steps.losses import loss_of_remains, losses_of_partitions
from subfloor.steps.ownership import holds_nothing_finished, remains
from subfloor.steps.partitioning import check_expressible, extent, rename, rewrite, tellable, wipe, with_partition
from subfloor.steps.partitions.declared import Partition, attributes
from subfloor.steps.partitions.labelled import LabelledDisk
from subfloor.steps.partitions.places import size_of, start_of, within_bounds
from subfloor.steps.partitions.removing import may_go, of_this_name, remove, remove_namesake
from subfloor.storage import declared_sizes, sizes
from subfloor.storage.allocation import in_the_way, room_after, without
from subfloor.storage.gpt import Entry
from subfloor.storage.marks import UNFINISHED, final, is_final
from subfloor.storage.partition_types import type_name


def mend(on: LabelledDisk, declared: Partition, there: Entry) -> Step | None:
    """A step that brings our partition into sync; None if it is in sync. Raises ``Refused`` and ``LookNeeded``."""
    start, sector = start_of(declared, on.disk), on.disk.limits.sector
    if start is not None and start != there.start:
        why = f"it starts at {sizes.show(there.start * sector)}, but {sizes.show(start * sector)} is declared"
        return remove(on, declared, (there,), why)
    size = _wanted_size(on, declared, there)
    if size < there.size:
        why = f"it has {sizes.show(there.size * sector)}, but {sizes.show(size * sector)} is declared"
        return remove(on, declared, (there,), why)
    if size > max(there.size, _room(on, declared, there)):
        return _make_room_behind(on, declared, there, size)
    name = there.name if final(there.name) == declared.name else declared.name + _stage(there.name)
    wanted = replace(there, size=size, attrs=declared.bits, type=declared.type, name=name)
    volume = on.disk.volume(declared.number)
    if wanted != there or (volume and not volume.known):
        return _rewrite(on, declared, there, wanted)
    if declared.raw and there.name.endswith(UNFINISHED):
        return _finish(on, declared, there)
    return None


def _room(on: LabelledDisk, declared: Partition, there: Entry) -> int:
    return room_after(on.disk.grid, without(within_bounds(declared, on.disk, on.table), there), there.start)


def _wanted_size(on: LabelledDisk, declared: Partition, there: Entry) -> int:
    size, grain = size_of(declared, on.disk, on.table), on.disk.grid.grain
    bound = within_bounds(declared, on.disk, on.table).last_lba + 1 - there.start
    if size is None:
        return max(min(there.size, bound // grain * grain), _room(on, declared, there))
    # Rounding differs if the disk had another grid, or percentages were computed differently.
    tolerance = 2 * grain if declared_sizes.percent(declared.size) else grain
    return there.size if abs(size - there.size) < tolerance else size


def _make_room_behind(on: LabelledDisk, declared: Partition, there: Entry, size: int) -> Step:
    gone = in_the_way(
        without(on.table, there),
        lambda entry: may_go(on, declared, entry),
        lambda rest: room_after(on.disk.grid, rest, there.start) >= size,
    )
    if gone:
        return remove(on, declared, gone, f"in the way of {declared.name!r}, which is declared larger")
    sector = on.disk.limits.sector
    raise Refused(
        f"partition {declared.number} of {on.path} cannot grow to {sizes.show(size * sector)}: from "
        f"its start there is room for {sizes.show(_room(on, declared, there) * sector)}",
        advice=f"declare `size: {sizes.show(there.size * sector)}`, or make room behind it",
    )


def _rewrite(on: LabelledDisk, declared: Partition, there: Entry, wanted: Entry) -> Step:
    disk = on.disk
    tellable(on.path, disk)
    check_expressible(on.path, on.table)
    clash = of_this_name(on, declared)
    if clash and wanted.name != there.name:
        return remove_namesake(on, declared, clash)
    grown = wanted.size - there.size
    lost = remains(on.machine, on.path, disk, on.table, there.end, grown) if grown else ()
    after = with_partition(disk, wanted, disk.volume(declared.number) or PartitionState(declared.number))
    says = _says(on, there, wanted)
    return on.step(says, rewrite(disk, after), after, destroys=loss_of_remains(on.path, disk, lost))


def _says(on: LabelledDisk, there: Entry, wanted: Entry) -> str:
    which = f"partition {there.number} of {on.path}"
    if wanted == there:
        return f"Update the kernel's entry for {which}"
    if wanted.size > there.size:
        return f"Grow {which} to {extent(on.disk, wanted)}"
    changes = (
        ("name", there.name, wanted.name),
        ("type", type_name(there.type), type_name(wanted.type)),
    )
    listed = [f"{what} from {was!r} to {now!r}" for what, was, now in changes if was != now]
    if there.attrs != wanted.attrs:
        listed.append(f"attributes from {attributes(there.attrs)} to {attributes(wanted.attrs)}")
    return f"Set the {' and the '.join(listed)} of {which}"


def _finish(on: LabelledDisk, declared: Partition, there: Entry) -> Step:
    """A step that wipes a raw partition and gives it its final name.

    The name is not final yet because making the partition was interrupted, or because `raw` is new in the play.
    """
    disk, number, name = on.disk, declared.number, declared.name
    node, volume = disk.partition_node(number), disk.volume(number)
    after = disk.with_entry(replace(there, name=name)).with_volume(PartitionState(number))
    by_hand = shlex.join(("sfdisk", "--part-label", disk.node, str(number), name))
    about = f"not made by this play; to keep it, and the partition as it is, run `{by_hand}`"
    worthless = holds_nothing_finished(declared.identity, on.table, there, volume)
    return on.step(
        says=f"Finish partition {number} {name!r} of {on.path}",
        commands=(*wipe(node), *rename(disk, number, name)),
        after=after,
        destroys=() if worthless else losses_of_partitions(on.machine, on.path, disk, (there,), about),
    )


def _stage(name: str) -> str:
    """The suffix of a name that marks an unfinished partition; empty for a final name."""
    return "" if is_final(name) else name[len(final(name)) :]
