"""The declared size and place of a partition, in sectors of its disk. Pure."""

from __future__ import annotations

from dataclasses import replace

from subfloor.core.errors import Refused
from subfloor.observe.disk import DiskState
from subfloor.steps.partitions.declared import Partition
from subfloor.storage import declared_sizes, sizes
from subfloor.storage.allocation import start_for
from subfloor.storage.gpt import Gpt


def place(declared: Partition, disk: DiskState, table: Gpt) -> tuple[int, int] | None:
    """Start and size of a new partition, in sectors; None if there is no room for it."""
    bounded = within_bounds(declared, disk, table)
    return start_for(disk.grid, bounded, start_of(declared, disk), size_of(declared, disk, table))


def size_of(declared: Partition, disk: DiskState, table: Gpt) -> int | None:
    """The desired size in sectors, a whole number of grains; None for all the space that is left."""
    grid, sector, size = disk.grid, disk.limits.sector, declared.size
    if declared.end:
        return _from_start_to_end(declared, disk)
    if declared_sizes.is_all(size) or declared_sizes.from_end(size):
        return None
    if share := declared_sizes.percent(size):
        return (grid.down(table.last_lba + 1) - grid.up(table.first_lba)) * share // 100 // grid.grain * grid.grain
    return -(-sizes.parse(size) // (grid.grain * sector)) * grid.grain


def _from_start_to_end(declared: Partition, disk: DiskState) -> int:
    size = _place_of(declared, "end", declared.end, disk) - _place_of(declared, "start", declared.start, disk)
    if size <= 0:
        raise Refused(
            f"end {declared.end} is not after the start, {declared.start}, on {declared.device}: it has "
            f"{sizes.show(disk.size)}",
            advice="choose a later `end`, or an earlier `start`",
        )
    return size


def start_of(declared: Partition, disk: DiskState) -> int | None:
    """The declared start sector; None if no start is declared. Raises ``Refused`` if it is not aligned."""
    return _place_of(declared, "start", declared.start, disk) if declared.start else None


def within_bounds(declared: Partition, disk: DiskState, table: Gpt) -> Gpt:
    """The table, without the space at the end of the disk that a size such as ``-8GiB`` leaves free."""
    if declared_sizes.from_end(declared.size) is None:
        return table
    return replace(table, last_lba=min(table.last_lba, _place_of(declared, "size", declared.size, disk) - 1))


def _place_of(declared: Partition, parameter: str, text: str, disk: DiskState) -> int:
    """A place on the disk, in sectors. Raises ``Refused`` if it is not aligned, or before the start of the disk."""
    grid, sector, device = disk.grid, disk.limits.sector, declared.device
    back = declared_sizes.from_end(text)
    if back is not None:
        if back >= disk.size:
            raise Refused(
                f"{parameter} {text} is before the start of {device}, whose size is {sizes.show(disk.size)}",
                advice=f"choose a smaller distance from the end, or `{parameter}: 1MiB` from the start",
            )
        return grid.down(disk.sectors - -(-back // sector))
    offset = sizes.parse(text)
    at = offset // sector
    if offset % sector or not grid.aligned(at):
        near = [sizes.show(each * sector) for each in (grid.down(at), grid.up(at + 1)) if each > 0]
        places = " or ".join(f"`{parameter}: {each}`" for each in near)
        raise Refused(
            f"{parameter} {text} is not an aligned position on {device}",
            advice=f"write {places}: at other positions, each write needs a read first",
        )
    return at
