"""The picture of a disk: its partitions side by side, about as wide as their size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from subfloor.observe.disk import Content, DiskState
from subfloor.report.style import Style
from subfloor.storage import gpt
from subfloor.storage.sizes import rounded

_WIDTH = 100
_LEAST = 6
_NEGLIGIBLE = 100
"""Free space is not drawn if it is less than this fraction (1/100) of the disk."""


@dataclass(frozen=True)
class Segment:
    """A part of a disk: its size in sectors, and the lines of text in its box."""

    sectors: int
    lines: tuple[str, ...] = ()


def picture(disk: DiskState, style: Style) -> Iterator[str]:
    """The picture of a disk; a disk without a GPT is one line of text."""
    if not isinstance(disk.table, gpt.Gpt):
        yield style.clean(disk.describe())
        return
    yield style.paint(f"{disk.node} ({rounded(disk.size)})", "bold")
    found = segments(disk, disk.table)
    if found:
        yield from boxes(found, min(style.width or _WIDTH, _WIDTH), style)


def segments(disk: DiskState, table: gpt.Gpt) -> tuple[Segment, ...]:
    """The partitions in their order on the disk, and the free space between them.

    A table may be wrong, for example with a partition beyond the end of the disk: that part is not drawn.
    """
    found: list[Segment] = []
    at = _within(disk, table.first_lba)
    for entry in sorted(table.entries, key=lambda each: each.start):
        start, end = _within(disk, entry.start), _within(disk, entry.end)
        found += _free(start - at, disk)
        found.append(Segment(max(1, end - start), _lines(disk, entry)))
        at = end
    return (*found, *_free(_within(disk, table.last_lba + 1) - at, disk))


def _within(disk: DiskState, lba: int) -> int:
    return min(max(0, lba), disk.sectors)


def _free(sectors: int, disk: DiskState) -> list[Segment]:
    size = rounded(sectors * disk.limits.sector)
    return [Segment(sectors, ("free", size))] if sectors * _NEGLIGIBLE > disk.sectors else []


def _lines(disk: DiskState, entry: gpt.Entry) -> tuple[str, ...]:
    volume = disk.volume(entry.number)
    held = volume.content if volume else None
    what = (held.type, held.label) if isinstance(held, Content) else ("empty" if held is None else "unknown", "")
    about = (f"{entry.number} {entry.name}", rounded(entry.size * disk.limits.sector), *what)
    return tuple(line for line in about if line)


def boxes(found: Sequence[Segment], width: int, style: Style) -> Iterator[str]:
    """Segments as boxes side by side, ``width`` columns in total."""
    columns = widths(found, width - len(found) - 1)
    height = max(len(segment.lines) for segment in found)
    yield style.clean("┌" + "┬".join("─" * column for column in columns) + "┐")
    for row in range(height):
        cells = [_cell(segment.lines[row : row + 1], column) for segment, column in zip(found, columns, strict=True)]
        yield style.clean("│" + "│".join(cells) + "│")
    yield style.clean("└" + "┴".join("─" * column for column in columns) + "┘")


def _cell(line: Sequence[str], column: int) -> str:
    text = f" {line[0]}" if line else ""
    return text.ljust(column) if len(text) <= column else f"{text[: column - 1]}…"


def widths(found: Sequence[Segment], columns: int) -> list[int]:
    """The inner width of each box in columns: what its text needs, plus a share in proportion to its size."""
    needed = [max(_LEAST, *(len(line) + 2 for line in segment.lines)) for segment in found]
    if sum(needed) > columns:
        needed = [_LEAST] * len(found)
    spare = max(0, columns - sum(needed))
    total = sum(segment.sectors for segment in found)
    wide = [need + spare * segment.sectors // total for need, segment in zip(needed, found, strict=True)]
    largest = max(range(len(found)), key=lambda at: found[at].sectors)
    wide[largest] += max(0, columns - sum(wide))
    return wide
