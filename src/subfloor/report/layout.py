"""The layout of a disk as spans of bytes: its partitions, and the free space between them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from subfloor.core.machine import Machine, Unknown
from subfloor.core.outcome import Survey
from subfloor.observe.disk import Content, Disk, DiskState, PartitionState
from subfloor.storage.gpt import Gpt
from subfloor.storage.marks import is_final

_NEGLIGIBLE = 100
"""Free space of less than 1/100 of the disk is not shown."""


class Use(StrEnum):
    """What a span is for, by its content."""

    FREE = "free"
    EMPTY = "empty"
    BOOT = "boot"
    SWAP = "swap"
    DATA = "data"
    UNKNOWN = "unknown"
    UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Span:
    """A part of a disk, in bytes. ``number``: that of the partition; 0 for free space."""

    start: int
    size: int
    use: Use
    number: int = 0
    name: str = ""
    content: str = ""
    in_use: tuple[str, ...] = ()


def spans(disk: DiskState) -> tuple[Span, ...]:
    """The partitions in their order on the disk, and the free space between them.

    A table may be wrong: what lies beyond the end of the disk, or under another partition, is left out.
    """
    if not disk.table and disk.whole:
        return (Span(0, disk.size, Use.DATA, content=", ".join(disk.whole)),)
    return tuple(_with_gaps(disk, sorted(_partitions(disk), key=lambda span: span.start)))


def _with_gaps(disk: DiskState, found: list[Span]) -> Iterator[Span]:
    at = 0
    for span in found:
        yield from _free(disk, at, span.start)
        start, end = max(at, span.start), min(span.start + span.size, disk.size)
        if end > start:
            yield Span(start, end - start, span.use, span.number, span.name, span.content, span.in_use)
            at = end
    yield from _free(disk, at, disk.size)


def _free(disk: DiskState, start: int, end: int) -> Iterator[Span]:
    if (end - start) * _NEGLIGIBLE > disk.size:
        yield Span(start, end - start, Use.FREE)


def _partitions(disk: DiskState) -> Iterator[Span]:
    known = {volume.number: volume for volume in disk.volumes}
    entries = disk.table.entries if isinstance(disk.table, Gpt) else ()
    listed = {entry.number: PartitionState(entry.number) for entry in entries}
    for volume in {**listed, **known}.values():
        start, size = disk.place(volume)
        entry = disk.entry(volume.number)
        name = entry.name if entry else ""
        yield Span(start, size, _use(name, volume), volume.number, name, held(volume), volume.users)


def held(volume: PartitionState) -> str:
    """The content of a partition, in words; empty if no content is recognised."""
    if isinstance(volume.content, Unknown):
        return "what cannot be seen"
    return volume.content.named if volume.content else ""


def _use(name: str, volume: PartitionState) -> Use:
    content = volume.content
    if name and not is_final(name):
        return Use.UNFINISHED
    if isinstance(content, Content):
        return {"vfat": Use.BOOT, "swap": Use.SWAP}.get(content.type, Use.DATA)
    return Use.EMPTY if content is None else Use.UNKNOWN


@dataclass(frozen=True)
class Drawn:
    """A disk of a play, as it was found and as it will be after all steps that are not refused."""

    path: str
    found: DiskState
    planned: DiskState

    @property
    def differs(self) -> bool:
        """Whether the steps change what a picture of the disk shows."""
        return _shape(self.found) != _shape(self.planned)


def _shape(disk: DiskState) -> tuple[tuple[object, ...], ...]:
    return tuple((span.start, span.size, span.number, span.use) for span in spans(disk))


def drawn(survey: Survey | None) -> tuple[Drawn, ...]:
    """The disks that the tasks of a play look at, in the order of their paths."""
    if survey is None:
        return ()
    paths = sorted(subject.path for subject in survey.found if isinstance(subject, Disk))
    pairs = ((path, _disk(survey.found, path), _disk(survey.planned, path)) for path in paths)
    return tuple(Drawn(path, found, planned or found) for path, found, planned in pairs if found)


def _disk(machine: Machine, path: str) -> DiskState | None:
    state = machine.get(Disk(path))
    return state if isinstance(state, DiskState) and state.kind == "disk" and state.size > 0 else None


@dataclass(frozen=True)
class Undeclared:
    """A partition of a managed disk that no task declares. Apply leaves it as it is."""

    disk: str
    node: str
    span: Span


def undeclared(survey: Survey | None) -> tuple[Undeclared, ...]:
    """The partitions that no task declares and no step removes, on disks that a task names as a whole."""
    if survey is None:
        return ()
    return tuple(
        Undeclared(disk.path, disk.found.partition_node(span.number), span)
        for disk in drawn(survey)
        if disk.path in survey.managed
        for span in spans(disk.planned)
        if span.number and (disk.path, span.number) not in survey.declared
    )
