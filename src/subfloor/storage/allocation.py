"""Free space on a disk, on its grid of aligned sectors. Pure arithmetic on a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from subfloor.storage.alignment import Grid
from subfloor.storage.gpt import Entry, Gpt


def gaps(grid: Grid, table: Gpt) -> Iterator[tuple[int, int]]:
    """All free spaces, from the disk's start to its end: aligned start and aligned size, in sectors."""
    at = table.first_lba
    for entry in sorted(table.entries, key=lambda entry: entry.start):
        yield from _gap(grid, at, entry.start)
        at = max(at, entry.end)
    yield from _gap(grid, at, table.last_lba + 1)


def _gap(grid: Grid, start: int, end: int) -> Iterator[tuple[int, int]]:
    first, last = grid.up(start), grid.down(end)
    if last > first:
        yield first, last - first


def largest_gap(grid: Grid, table: Gpt) -> tuple[int, int]:
    """Start and size of the largest free space, in sectors; (0, 0) if there is none."""
    return max(gaps(grid, table), key=lambda gap: gap[1], default=(0, 0))


def room_after(grid: Grid, table: Gpt, start: int) -> int:
    """The number of free sectors from ``start`` to an aligned end; 0 if ``start`` is in use."""
    if start < table.first_lba or any(entry.start <= start < entry.end for entry in table.entries):
        return 0
    later = [entry.start for entry in table.entries if entry.start > start]
    return max(0, grid.down(min([*later, table.last_lba + 1])) - start)


def start_for(grid: Grid, table: Gpt, start: int | None, size: int | None) -> tuple[int, int] | None:
    """Start and size of a new partition, in sectors; None if there is no room. ``size`` None: all the room there.

    Without a ``start``, a partition with a size goes into the first free space where it fits, and one without a size
    gets the largest free space.
    """
    if start is not None:
        room = room_after(grid, table, start)
        wanted = room if size is None else size
        return (start, wanted) if 0 < wanted <= room else None
    if size is None:
        found = largest_gap(grid, table)
        return found if found[1] else None
    return next(((first, size) for first, room in gaps(grid, table) if 0 < size <= room), None)


def hole_around(table: Gpt, start: int) -> tuple[int, int]:
    """The free space around the sector ``start``, aligned or not: its first sector, and the first sector after it."""
    before = [entry.end for entry in table.entries if entry.end <= start]
    after = [entry.start for entry in table.entries if entry.start > start]
    return max([*before, min(table.first_lba, start)]), min([*after, table.last_lba + 1])


def without(table: Gpt, *entries: Entry) -> Gpt:
    """The table without these entries."""
    numbers = {entry.number for entry in entries}
    return replace(table, entries=tuple(entry for entry in table.entries if entry.number not in numbers))


def in_the_way(table: Gpt, removable: Callable[[Entry], bool], fits: Callable[[Gpt], object]) -> tuple[Entry, ...]:
    """The smallest run of adjacent entries to remove so that ``fits`` holds for the rest of the table.

    All of them are ``removable``. Of several runs of this length, the first one; empty if no run helps.
    """
    entries = sorted(table.entries, key=lambda entry: entry.start)
    for count in range(1, len(entries) + 1):
        for at in range(len(entries) - count + 1):
            run = tuple(entries[at : at + count])
            if all(map(removable, run)) and fits(without(table, *run)):
                return run
    return ()
