"""A disk as it is, without a playbook: what is on it, how it is used, and what a person should know about it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from subfloor.observe.disk import LOST_GPT, UNKNOWN_DATA, Content, DiskState, PartitionState, Remains
from subfloor.report.bar import bar, columns
from subfloor.report.json import disk_document
from subfloor.report.layout import Span, spans
from subfloor.report.style import Style
from subfloor.report.values import as_json, spelt
from subfloor.storage.gpt import Entry, Gpt
from subfloor.storage.marks import LABELLING, UNFINISHED
from subfloor.storage.partition_types import type_name
from subfloor.storage.sizes import rounded

_DERIVED = (5, 8)
"""The versions of the UUIDs that subfloor derives: for what it made (RFC 9562, section 5.5), and for partitions that it
took over (section 5.8). Partitioning programs make random ones."""


@dataclass(frozen=True)
class Shown:
    """A disk to show. ``use``: how full a filesystem is and when it was last used, in words, by its first byte.

    ``part_of``: the groups and arrays that the disk or its partitions belong to, in words.
    """

    disk: DiskState
    use: Mapping[int, str] = field(default_factory=dict)
    part_of: tuple[str, ...] = ()

    @classmethod
    def of(cls, disk: DiskState, holdings: tuple[Remains, ...], part_of: tuple[str, ...] = ()) -> Shown:
        """The disk to show. ``holdings``: what a closer look found at the starts of its partitions."""
        return cls(disk, {each.start: each.content.use for each in holdings if each.content.use}, part_of)


def extents(disk: DiskState) -> tuple[tuple[int, int], ...]:
    """The first byte and the end of each partition, without any part beyond the end of the disk."""
    places = (disk.place(volume) for volume in disk.volumes)
    return tuple((start, min(start + size, disk.size)) for start, size in places if 0 <= start < disk.size and size > 0)


# As text.


def lines(shown: Shown, style: Style) -> Iterator[str]:
    """The disk as lines of text: what it is, its bar, a table of its parts, and what to know about it."""
    disk = shown.disk
    yield style.paint(f"{disk.node} ({disk.about})", "bold")
    yield from style.lines(_about(disk), "  ", hanging="  ")
    yield f"  {bar(disk, columns(style, 2), style)}"
    yield from _table(shown, style)
    for each in shown.part_of:
        yield from style.lines(each, "  ", hanging="  ")
    for each in notes(disk):
        yield from style.lines(each, "  ", "yellow", hanging="  ")


def _table(shown: Shown, style: Style) -> Iterator[str]:
    """A row for each part. The usage of a part is on another line, since the lines of a console are short."""
    found = spans(shown.disk)
    rows = [("", "name", "size", "type", "holds", "used as"), *(_row(shown.disk, span) for span in found)]
    rows = [tuple(map(style.clean, row)) for row in rows]
    widths = [max(len(row[at]) for row in rows) for at in range(5)]
    uses = ("", *(shown.use.get(span.start, "") if span.number else "" for span in found))
    for number, (row, use) in enumerate(zip(rows, uses, strict=True)):
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        text = f"  {cells}  {row[5]}".rstrip()
        yield style.paint(text, "dim") if number == 0 else text
        if use:
            yield style.paint(f"  {'':<{widths[0]}}  {use}", "dim")


def _about(disk: DiskState) -> str:
    table = disk.table
    if isinstance(table, Gpt):
        kind = f"GPT, label-id {table.id}{' (derived, as subfloor does it)' if is_derived(table.id) else ''}"
    else:
        kind = f"{table.type} partition table" if table else ", ".join(disk.signatures) or "blank"
    sector, grain = disk.limits.sector, disk.grid.grain * disk.limits.sector
    return f"{kind}; sectors of {sector} bytes, {disk.limits.physical} physical; aligned to {rounded(grain)}"


def _row(disk: DiskState, span: Span) -> tuple[str, ...]:
    if not span.number:
        return ("", "" if span.content else "free", rounded(span.size), "", span.content, "")
    entry = disk.entry(span.number)
    kind = type_name(entry.type) if entry else ""
    holds = span.content or "nothing known"
    return (str(span.number), span.name, rounded(span.size), kind, holds, ", ".join(span.in_use))


def notes(disk: DiskState) -> Iterator[str]:
    """What a person should know about a disk: damage, interrupted work, what is not aligned, what is unknown."""
    if isinstance(disk.table, Gpt) and disk.table.damage:
        yield f"the GPT is damaged: {', '.join(sorted(disk.table.damage))}; a playbook with `gpt-label` repairs it"
    if disk.read_only:
        yield "the disk is read-only"
    if {LOST_GPT, UNKNOWN_DATA} & set(disk.signatures) or disk.filled:
        yield f"not blank: {disk.describe()}"
    if disk.stray:
        yield f"the kernel has partitions that the table does not have: {', '.join(map(str, disk.stray))}"
    if disk.users:
        yield f"the whole disk is in use: {', '.join(disk.users)}"
    for volume in disk.volumes:
        yield from _notes_on(disk, volume)


def _notes_on(disk: DiskState, volume: PartitionState) -> Iterator[str]:
    start, size = disk.place(volume)
    entry, which = disk.entry(volume.number), f"partition {volume.number}"
    if not is_aligned(disk, start):
        yield f"{which} is not aligned: it starts at byte {start}"
    if start + size > disk.size:
        yield f"{which} reaches beyond the end of the disk"
    if not volume.known:
        yield f"{which}: the kernel has another start or size than the partition table"
    if entry and unfinished(entry):
        yield f"{which} {entry.name!r}: an apply was interrupted; run it again to finish the partition"


def is_aligned(disk: DiskState, start: int) -> bool:
    """Whether a partition that starts at this byte is on the disk's grid."""
    sector = disk.limits.sector
    return start % sector == 0 and disk.grid.aligned(start // sector)


def unfinished(entry: Entry) -> bool:
    """Whether the entry's name shows that a run was interrupted while it made or labelled the partition."""
    return entry.name.endswith((UNFINISHED, LABELLING))


def is_derived(uuid: UUID) -> bool:
    """Whether a UUID is derived from a name, as subfloor's UUIDs are. Only a playbook shows from which name."""
    return uuid.version in _DERIVED


# As JSON.


def document(shown: Shown) -> dict[str, Any]:
    """The disk as JSON values; sizes and places in bytes."""
    disk, table = shown.disk, shown.disk.table
    about = disk_document(disk)
    del about["found"]
    return {
        **about,
        "table": "gpt" if isinstance(table, Gpt) else spelt(table.type) if table else None,
        "label_id": str(table.id) if isinstance(table, Gpt) else None,
        "signatures": as_json(disk.signatures),
        "read_only": disk.read_only,
        "sector": disk.limits.sector,
        "physical_sector": disk.limits.physical,
        "alignment": disk.grid.grain * disk.limits.sector,
        "in_use": as_json(disk.users),
        "parts": [_part(shown, span) for span in spans(disk)],
        "notes": as_json((*shown.part_of, *notes(disk))),
    }


def _part(shown: Shown, span: Span) -> dict[str, Any]:
    disk = shown.disk
    entry, volume = disk.entry(span.number), disk.volume(span.number)
    content = volume.content if volume and isinstance(volume.content, Content) else None
    return {
        "number": span.number or None,
        "node": spelt(disk.partition_node(span.number)) if span.number else None,
        "name": spelt(span.name),
        "start": span.start,
        "size": span.size,
        "use": str(span.use),
        "type": type_name(entry.type) if entry else None,
        "partuuid": str(entry.uuid) if entry else None,
        "owner": "subfloor" if entry and is_derived(entry.uuid) else "unknown",
        "unfinished": bool(entry and unfinished(entry)),
        "aligned": is_aligned(disk, span.start) if span.number else None,
        "filesystem": spelt(content.type) if content else None,
        "label": spelt(content.label) if content else None,
        "uuid": spelt(content.uuid) if content else None,
        "usage": spelt(shown.use.get(span.start, "")) if span.number else "",
        "in_use": as_json(span.in_use),
    }
