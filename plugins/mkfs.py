"""`mkfs`: a finished filesystem or swap area on a volume of this play."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from subfloor.plugin import (
    MIB,
    TOOLS,
    AnySubject,
    Claim,
    Command,
    Content,
    FromPlay,
    Identity,
    Location,
    Machine,
    Param,
    Refused,
    SizeOn,
    Step,
    Task,
    Trial,
    Volume,
    check_label,
    check_options,
    checked,
    contents,
    growing,
    hookimpl,
    least_sectors,
    locate,
    relabelling,
    show,
)

_NAMES = {
    "ext4": "an ext4 filesystem",
    "vfat": "a vfat filesystem",
    "xfs": "an xfs filesystem",
    "btrfs": "a btrfs filesystem",
    "f2fs": "an f2fs filesystem",
    "swap": "a swap area",
}


@dataclass(frozen=True, kw_only=True)
class Mkfs(Task):
    """Make a filesystem or swap area of this type and label on a volume.

    A volume is a partition, an open container, a logical volume, or a disk.

    A type and a label do not prove that mkfs finished. So the name of the partition, the label of the container, or
    the tag of the logical volume ends in `.unfinished` until the volume is wiped, and the filesystem is made, flushed
    and checked. Our own unfinished work is repeated without a question. A finished filesystem may hold data: its label
    is corrected in place, and to make it again needs consent. Content that this play would not have made needs consent
    too.

    If the volume has grown, ext4, xfs and btrfs grow to its end, mounted or not, and keep their files. A swap area
    is made again, unless it is in use. vfat and f2fs keep their size, and a warning says so. Nothing shrinks. A
    filesystem that is larger than its volume is refused.

    A whole disk is filled without a partition table, except for its last MiB. A mark in that MiB shows that the
    content is unfinished. Other content of the disk needs consent.

    A partition of another system is taken over with consent for it, if no task of the play makes the partition. It
    keeps its place, number, type and name, and gets a UUID of ours and a new filesystem. The other partitions stay as
    they are.

    While a label is changed, the name, label or tag that marks the volume ends in `.labelling`. If that is interrupted,
    the next run repairs what a power cut may have damaged, and sets the label again. It never makes the filesystem
    again for that.
    """

    key: ClassVar[str] = "mkfs"
    examples: ClassVar[tuple[str, ...]] = (
        "mkfs: {device: /dev/vda1, type: vfat, label: boot}",
        "mkfs: {device: /dev/nvme0n1p2, type: swap, label: swap}",
        'mkfs: {device: /dev/vda3, type: ext4, label: nixos, options: ["-m", "1"]}',
        "mkfs: {device: /dev/mapper/cryptroot, type: btrfs, label: nixos}",
        "mkfs: {device: /dev/vdb, type: ext4, label: data, disk: data}",
    )

    device: Annotated[str, Param("The volume", examples=("/dev/vda3", "/dev/mapper/cryptroot"))]
    type: Annotated[Literal["ext4", "vfat", "xfs", "btrfs", "f2fs", "swap"], Param("The filesystem type, or `swap`")]
    label: Annotated[str, Param("The label; the maximum length depends on the type")] = ""
    options: Annotated[
        tuple[str, ...],
        Param("Further options for the mkfs program; none may name a device or a path"),
    ] = ()
    disk: Annotated[str, Param("The name of the disk in the play, as in `gpt-label`; only for a whole disk")] = "disk"
    identity: Identity
    volume: Annotated[Location | None, FromPlay()] = None

    def __post_init__(self) -> None:
        checked("device", locate, self.device)
        checked("label", lambda label: check_label(self.type, label), self.label)
        checked("options", lambda options: check_options(self.type, options), self.options)

    def within(self, play: tuple[Task, ...]) -> Task:
        return replace(self, volume=locate(self.device, play))

    @property
    def _location(self) -> Location:
        return self.volume or locate(self.device)

    @property
    def _size(self) -> SizeOn:
        return SizeOn(self.device, self.type)

    def subjects(self) -> frozenset[AnySubject]:
        return self._location.subjects() | {self._size}

    def next_step(self, machine: Machine) -> Step | None:
        volume = self._location.on(machine, self.identity)
        if not volume.ours:
            self._check_room(volume)
            return growing.of_unknown_size(contents.take_over(volume), self._size)
        if volume.is_unfinished:
            return self._make(volume)
        return self._keep(volume)

    def claims(self, machine: Machine) -> tuple[Claim, ...]:
        volume = self._location.own(machine, self.identity)
        return (Claim(volume.node, volume.whole, "UUID", self._wanted(volume).uuid),) if volume else ()

    def warnings_on(self, machine: Machine) -> tuple[str, ...]:
        volume = self._location.own(machine, self.identity)
        if not volume or not volume.is_final or volume.content != self._wanted(volume):
            return ()
        return growing.warnings(volume, self.type, self._size)

    def _wanted(self, volume: Volume) -> Content:
        return Content(self.type, self.label, volume.uuid_of(self.type))

    def _keep(self, volume: Volume) -> Step | None:
        """A step for content that was finished before, so it may hold user data; None if it is in sync.

        The name of the volume shows that its content was finished.
        """
        found, wanted = volume.seen_content(), self._wanted(volume)
        if found == wanted and volume.is_final:
            return self._grow(volume)
        # An interrupted label change can leave no recognisable content.
        torn = found is None and volume.is_labelling
        if torn or (found and replace(found, label=self.label) == wanted):
            return relabelling.relabel(volume, self.type, wanted)
        return self._make(volume)

    def _grow(self, volume: Volume) -> Step | None:
        """A step that lets the content grow to the end of its volume; None if it reaches the end, or cannot grow.

        A swap area that is not in use is made again, since nothing in it is worth keeping.
        """
        if self.type == "swap" and growing.lacks(volume, self._size) and not volume.in_use:
            return growing.taken_back(volume)
        return growing.grown(volume, self.type, self._size)

    def _make(self, volume: Volume) -> Step:
        self._check_room(volume)
        label = f" labelled {self.label!r}" if self.label else ""
        says = f"Make {_NAMES[self.type]} on {self.device}{label}"
        made = Content(self.type, self.label, volume.made_uuid(self.type))
        return growing.of_unknown_size(contents.make(volume, says, made, self._making(volume)), self._size)

    def _making(self, volume: Volume) -> tuple[Command, ...]:
        tools = TOOLS[self.type]
        uuid = self.identity.filesystem(volume.uuid)
        return (
            Command(
                tools.made(volume.node, self.label, uuid, self.options, volume.room),
                env=tools.env,
                timeout=3600.0,
                demands=(self._trial(volume.room or volume.size),),
            ),
            Command(("sync", volume.node)),
            Command(tools.check(volume.node), timeout=3600.0),
        )

    def _trial(self, size: int) -> Trial:
        """A trial of the same mkfs on a file of ``size`` bytes, at most ``_ENOUGH`` without a dry run.

        It has another UUID, because mkfs.btrfs refuses a UUID that is in use.
        """
        tools = TOOLS[self.type]
        *argv, _ = tools.make("", self.label, _OF_TRIALS, (*tools.dry_run, *self.options))
        return Trial(tuple(argv), size if tools.dry_run else min(size, _ENOUGH), tuple(tools.env.items()))

    def _check_room(self, volume: Volume) -> None:
        if self.type in volume.unfit:
            raise Refused(
                f"{self.type} is not supported on a whole disk, {self.device}: it looks like a partition table there",
                advice="make a partition for it with `gpt-label` and `aligned-partition`; or declare another type",
            )
        least = least_sectors(self.type, volume.sector) * volume.sector
        if volume.size < least:
            raise Refused(
                f"{self.device} is too small for {self.type}: it has {show(volume.size)}, but FAT32 needs "
                f"{-(-least // MIB)}MiB with sectors of {volume.sector} bytes",
                advice="increase the `size` of the partition; firmware boots only from FAT32",
            )


_OF_TRIALS = UUID("b3a1f1a2-8f6e-4c0b-9d1c-6f1d7f3f2a10")

_ENOUGH = 64 << 30
"""Bytes of a trial's file without a dry run, at most: enough for every program. A larger file would fill the memory."""


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (Mkfs,)
