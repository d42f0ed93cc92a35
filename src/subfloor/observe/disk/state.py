"""The state of a disk as a value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from subfloor.core.errors import NotVisible
from subfloor.core.machine import ESTIMATED, Unknown, at_least
from subfloor.observe.disk.probes import BEGINNING, BEGINNINGS, SAMPLE, SAMPLES
from subfloor.storage import alignment, end_mark, gpt
from subfloor.storage.devices import partition_node

LOST_GPT = "lost GPT"
"""A value in a disk's ``signatures``: remains of a GPT that cannot be read."""

UNKNOWN_DATA = "unknown data"
"""A value in a disk's ``signatures``: no known signature, but not all bytes that were read are zeros."""

READ = (
    f"its first and last MiB, {BEGINNING // 1024} KiB at each of its first {BEGINNINGS} MiB, "
    f"and {SAMPLES} samples of {SAMPLE // 1024} KiB between them"
)
"""What is read of a disk to see whether it is blank, in words."""


_BLANK = f"blank: {READ}, are zeros"

_TOLD_APART = ("PMBR", LOST_GPT, UNKNOWN_DATA)


@dataclass(frozen=True)
class Content:
    """The content of a volume: type, label and UUID of its filesystem or other signature, as blkid reports them.

    ``fresh``: made in this very (imagined) run, so known to be empty; never true for an observed value. ``use``: how
    full the filesystem is, when it was last used and what it is a part of, in words; "" if the content was not read
    that closely.
    """

    WORDS: ClassVar[Mapping[str, str]] = {"uuid": "UUID"}

    type: str
    label: str = ""
    uuid: str = ""
    fresh: bool = field(default=False, compare=False)
    use: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.named}{self.in_use}"

    @property
    def named(self) -> str:
        """The type and, if there is one, the label."""
        label = f" labelled {self.label!r}" if self.label else ""
        return f"{self.type}{label}"

    @property
    def in_use(self) -> str:
        """The ``use`` in parentheses, after a space; "" if it is unknown."""
        return f" ({self.use})" if self.use else ""


@dataclass(frozen=True)
class PartitionState:
    """A partition without its table entry: its content, and its state in the kernel.

    ``known``: the kernel has the partition with the same start and size as the table. ``content`` is ``Unknown`` if the
    table is too damaged for other programs to find the partition, and None if the partition is empty. ``start`` and
    ``size``, in bytes, are those in the table: the partition may lie beyond the end of the disk, or overlap another
    one. ``in_use`` is promised as *at least this*, because a desktop may mount the partition as soon as it is made.
    """

    WORDS: ClassVar[Mapping[str, str]] = {"known": "known to the kernel"}
    FOLLOWS: ClassVar[frozenset[str]] = frozenset({"in_use"})  # a mount or swap uses it

    number: int
    content: Content | Unknown | None = None
    known: bool = True
    in_use: bool = at_least(default=False)
    users: tuple[str, ...] = field(default=(), compare=False)
    start: int = field(default=0, compare=False, repr=False)
    size: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return "empty" if self.content is None else str(self.content)


@dataclass(frozen=True)
class Mapped:
    """A device of device-mapper. ``uuid``: its UUID there, such as ``CRYPT-LUKS2-…-NAME`` or ``LVM-…``.

    ``uuid`` is ``Unknown`` for a logical volume that is not made yet. ``below``: the nodes of the devices that the
    device lies on.
    """

    WORDS: ClassVar[Mapping[str, str]] = {"uuid": "device-mapper UUID"}

    uuid: str | Unknown
    below: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class OtherTable:
    """A partition table other than a GPT, such as ``dos``; ``partitions``: their number."""

    type: str
    partitions: int = 0

    def __str__(self) -> str:
        return f"{self.type}, {self.partitions} partitions"


@dataclass(frozen=True)
class Limits:
    """The queue limits of a disk, in bytes, from sysfs (Documentation/ABI/stable/sysfs-block)."""

    sector: int = 512
    physical: int = 512
    minimum_io: int = 512
    optimal_io: int = 0
    alignment_offset: int = 0


@dataclass(frozen=True)
class DiskState:
    """The state of a disk; ``size`` in bytes.

    ``node`` is the kernel's own path, whichever link the play names. ``signatures``: the types of everything
    recognisable on the whole disk, except a GPT, which is in ``table``. ``labels``: such a type and its label, for each
    that has a label. ``stray``: the numbers of partitions that the kernel has, but that are not in the table. ``seq``:
    the kernel's count of attached disks since its start, different for each disk (sysfs-block: diskseq). ``filled``:
    the GPT has no partition, but the samples between the disk's ends are not all zeros. ``cleared``: spaces emptied
    with consent in this very (imagined) run, each as its first sector and the first sector after it; never set in an
    observed value. ``uses``: a content type on the whole disk and its ``use``, as in ``Content``. ``content``: the
    content of the whole disk as blkid reports it; None if there is a table. ``mark``: the mark that the content of the
    whole disk is unfinished; None if there is no such mark. ``mapped``: what device-mapper knows of the disk; None if
    the disk is not one of its devices.
    """

    WORDS: ClassVar[Mapping[str, str]] = {
        "volumes": "partition",
        "table": "partition table",
        "node": "kernel name",
        "stray": "partitions that only the kernel knows",
    }
    FOLLOWS: ClassVar[frozenset[str]] = frozenset({"in_use"})

    node: str
    size: int
    limits: Limits = field(default=Limits(), metadata=ESTIMATED)
    table: gpt.Gpt | OtherTable | None = None
    volumes: tuple[PartitionState, ...] = ()
    signatures: tuple[str, ...] = ()
    stray: tuple[int, ...] = ()
    in_use: bool = at_least(default=False)
    content: Content | None = None
    mark: end_mark.EndMark | None = None
    mapped: Mapped | None = None
    read_only: bool = False
    kind: str = "disk"
    users: tuple[str, ...] = field(default=(), compare=False)
    labels: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    model: str = field(default="", compare=False)
    serial: str = field(default="", compare=False)
    seq: int = field(default=0, compare=False)
    filled: bool = field(default=False, compare=False)
    cleared: tuple[tuple[int, int], ...] = field(default=(), compare=False)
    uses: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        return f"{_gib(self.size)}, {', '.join(self._holds()) or 'empty'}"

    @property
    def sectors(self) -> int:
        """The size of the disk in logical sectors."""
        return self.size // self.limits.sector

    @property
    def grid(self) -> alignment.Grid:
        """The grid on which partitions are aligned."""
        limits = self.limits
        return alignment.optimal(
            sector=limits.sector,
            physical=limits.physical,
            minimum_io=limits.minimum_io,
            optimal_io=limits.optimal_io,
            alignment_offset=limits.alignment_offset,
        )

    @property
    def busy(self) -> tuple[str, ...]:
        """Everything that uses the disk or one of its partitions, in words."""
        used = (f"{self.partition_node(v.number)} {user}" for v in self.volumes for user in v.users)
        return (*self.users, *used)

    @property
    def is_busy(self) -> bool:
        """Whether the disk or one of its partitions is in use."""
        return self.in_use or any(volume.in_use for volume in self.volumes)

    def is_cleared(self, start: int, end: int) -> bool:
        """Whether the space between these sectors was emptied with consent, so nothing there can be lost."""
        return any(first <= start and end <= last for first, last in self.cleared)

    def entry(self, number: int) -> gpt.Entry | None:
        """The GPT entry with this number; None if there is none."""
        entries = self.table.entries if isinstance(self.table, gpt.Gpt) else ()
        return next((entry for entry in entries if entry.number == number), None)

    def volume(self, number: int) -> PartitionState | None:
        """The state of the partition with this number; None if there is none."""
        return next((volume for volume in self.volumes if volume.number == number), None)

    def partition_node(self, number: int) -> str:
        """The path of the node of the partition with this number."""
        return partition_node(self.node, number)

    def place(self, volume: PartitionState) -> tuple[int, int]:
        """Start and size of a partition, in bytes."""
        entry, sector = self.entry(volume.number), self.limits.sector
        return (entry.start * sector, entry.size * sector) if entry else (volume.start, volume.size)

    @property
    def whole(self) -> tuple[str, ...]:
        """The types in ``signatures`` that are content: no table, no remains of a table, no unknown data."""
        return tuple(each for each in self.signatures if each not in _TOLD_APART and not self._is_table(each))

    @property
    def on_whole(self) -> tuple[Content, ...]:
        """A ``Content`` for each type in ``whole``. Only the one that blkid reports has a UUID."""
        labels = dict(self.labels)
        known = {self.content.type: self.content} if self.content else {}
        return tuple(replace(known.get(each, Content(each)), label=labels.get(each, "")) for each in self.whole)

    def with_entry(self, entry: gpt.Entry) -> DiskState:
        """A copy of this state with ``entry`` in its GPT, in place of any entry with the same number."""
        assert isinstance(self.table, gpt.Gpt)
        entries = (*(each for each in self.table.entries if each.number != entry.number), entry)
        return replace(self, table=replace(self.table, entries=tuple(sorted(entries, key=lambda e: e.number))))

    def with_volume(self, volume: PartitionState) -> DiskState:
        """A copy of this state with ``volume``, in place of any volume with the same number."""
        volumes = (*(each for each in self.volumes if each.number != volume.number), volume)
        return replace(self, volumes=tuple(sorted(volumes, key=lambda each: each.number)))

    def describe(self, beside: Iterable[str] = ()) -> str:
        """The disk in words by which a person can recognise it: node, size, model, serial and content.

        The texts in ``beside`` are added to the content.
        """
        return f"{self.node} ({self.about}), {', '.join([*self._holds(), *beside]) or _BLANK}"

    @property
    def about(self) -> str:
        """Size, model and serial."""
        return " ".join(filter(None, (_gib(self.size), self.model, self.serial and f"serial {self.serial}")))

    def _holds(self) -> Iterator[str]:
        yield from self._table_in_words()
        if "PMBR" in self.signatures:
            yield "a protective MBR whose GPT is lost"
        elif LOST_GPT in self.signatures:
            yield "a GPT that cannot be read"
        elif self.mark:
            yield "content on the whole disk that subfloor did not finish"
        elif UNKNOWN_DATA in self.signatures:
            yield f"unknown data ({READ}, are not all zeros)"
        if self.filled:
            yield "data outside of any partition (not all samples of its space are zeros)"
        uses = dict(self.uses)
        yield from (f"{replace(each, use=uses.get(each.type, ''))} on the whole disk" for each in self.on_whole)
        for volume in self.volumes:
            about = f"{self._named(volume)}{_described(volume.content)}{self._beyond(volume)}"
            yield f"{self.partition_node(volume.number)}: {about}"

    def _table_in_words(self) -> Iterator[str]:
        if isinstance(self.table, gpt.Gpt):
            yield "a GPT"
            yield from (f"unknown data in place of {place}" for place in sorted(self.table.taken))
            if self.table.hybrid:
                yield "a hybrid MBR"
        elif self.table:
            yield f"a {self.table.type} partition table"

    def _named(self, volume: PartitionState) -> str:
        entry = self.entry(volume.number)
        return f"{entry.name!r} " if entry and entry.name else ""

    def _beyond(self, volume: PartitionState) -> str:
        """How far a partition lies beyond the end of the disk, in words; "" if it does not.

        Such a partition is usual in a table that was copied from a larger disk.
        """
        if volume.size and volume.start >= self.size:
            return " (lies beyond the end of the disk)"
        beyond = volume.start + volume.size - self.size
        return f" (its last {_gib(beyond)} lie beyond the end of the disk)" if beyond > 0 else ""

    def _is_table(self, signature: str) -> bool:
        return isinstance(self.table, OtherTable) and signature == self.table.type


@dataclass(frozen=True)
class Missing:
    """There is no such block device; ``present``: the existing disks, in words."""

    present: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return "absent"


@dataclass(frozen=True)
class Unopened(Unknown):
    """A device whose content cannot be seen yet, usually because the device does not exist yet.

    ``by``: when the content can be seen, as words that follow "until", such as "the volume has grown".
    """

    of: ClassVar[type] = DiskState

    by: str

    def __str__(self) -> str:
        return f"unknown until {self.by}"

    def error(self, path: str) -> NotVisible:
        """The error for a task that needs to see the content of this device; ``path``: the path of the device."""
        return NotVisible(
            f"the content of {path} is {self}",
            advice="apply makes the content visible; a check opens and activates nothing",
        )


def _described(content: Content | Unknown | None) -> str:
    return "unknown content" if isinstance(content, Unknown) else str(content or "nothing known")


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB" if size >= 1 << 29 else f"{size / (1 << 20):.1f} MiB"
