"""`aligned-partition`: a partition that is where it should be, and where no write to it costs a read first."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from subfloor import sizes
from subfloor.disks import gpt
from subfloor.disks.devices import whole_disk
from subfloor.disks.partition_types import type_guid, type_name
from subfloor.disks.room import largest_gap, room_after, start_for
from subfloor.disks.stages import LONGEST_NAME, UNFINISHED, final, is_final
from subfloor.errors import Refused
from subfloor.identity import Identity
from subfloor.machine import AnySubject, Machine
from subfloor.parameters import FromPlay, Param, checked
from subfloor.steps.partitioning import (
    check_expressible,
    disk_at,
    extent,
    rename,
    rewrite,
    table_of,
    tellable,
    wipe,
    with_partition,
)
from subfloor.subjects.disk import Disk, DiskState, Volume
from subfloor.task import Step, Task, hookimpl

_PERCENT = re.compile(r"(\d{1,3})%")
_ATTRIBUTES = {"required": 0, "no-block-io": 1, "legacy-boot": 2, "read-only": 60, "hidden": 62, "no-auto": 63}

Attribute = Literal["required", "no-block-io", "legacy-boot", "read-only", "hidden", "no-auto"]


@dataclass(frozen=True, kw_only=True)
class AlignedPartition(Task):
    """A partition of our own with this number, name, type and size, optimally aligned.

    It starts at the first aligned sector where it fits, or at `start`; `rest` takes the largest free
    space. It is born with a name that ends in `.unfinished`, which the task that fills it (`mkfs`) takes
    away at the very end; `raw: true` says that nothing will fill it.

    A partition that exists is never moved, shrunk, retyped or renamed. It grows where it is declared
    larger and there is room behind it; what it holds keeps its size. One that is not ours is left alone.
    """

    key: ClassVar[str] = "aligned-partition"
    examples: ClassVar[tuple[str, ...]] = (
        "aligned-partition: {device: /dev/vda, number: 1, name: ESP, type: esp, size: 512MiB}",
        "aligned-partition: {device: /dev/vda, number: 2, name: nix, type: linux, size: rest}",
        "aligned-partition: {device: /dev/vda, number: 3, name: grub, type: bios-boot, size: 1MiB, raw: true}",
    )

    device: Annotated[str, Param("The whole disk", examples=("/dev/vda", "/dev/disk/by-id/virtio-1234"))]
    number: Annotated[int, Param("The partition's number", minimum=1, maximum=128)]
    name: Annotated[str, Param(f"Its name in the GPT, up to {LONGEST_NAME} characters", min_length=1)]
    type: Annotated[str, Param("Its type: a name such as esp, linux, swap, luks, lvm, raid, bios-boot, or a GUID")]
    size: Annotated[str, Param("How large: `512MiB`, `25%` of what the disk has to give, or `rest`")] = ""
    start: Annotated[str, Param("Where it starts, counted from the disk's start, such as `1MiB`")] = ""
    end: Annotated[str, Param("Where it ends, instead of `size`, counted from the disk's start")] = ""
    attributes: Annotated[tuple[Attribute, ...], Param("Attributes in the GPT")] = ()
    raw: Annotated[bool, Param("Nothing will fill it: it gets its final name at once")] = False
    identity: Identity
    others: Annotated[tuple[AlignedPartition, ...], FromPlay()] = ()

    def __post_init__(self) -> None:
        checked("device", whole_disk, self.device)
        checked("name", _check_name, self.name)
        checked("type", type_guid, self.type)
        checked("size", _check_size, self.size)
        for parameter, value in (("start", self.start), ("end", self.end)):
            if value:
                checked(parameter, sizes.parse, value)
        if bool(self.size) == bool(self.end):
            raise ValueError("size: give either `size` or `end`")
        if self.end and not self.start:
            raise ValueError("end: it goes with `start`")
        if self.end and sizes.parse(self.end) <= sizes.parse(self.start):
            raise ValueError(f"end: {self.end} is not after the start, {self.start}")

    def within(self, play: tuple[Task, ...]) -> Task:
        others = (task for task in play if isinstance(task, AlignedPartition) and task.device == self.device)
        return replace(self, others=tuple(task for task in others if not task.is_same(self)))

    def is_same(self, other: AlignedPartition) -> bool:
        """Whether it is the same partition, whatever is declared of it: a play may go on with it later."""
        return replace(self, others=()) == replace(other, others=())

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset({Disk(self.device)})

    def next_step(self, machine: Machine) -> Step | None:
        disk = disk_at(machine, self.device)
        self._check_play()
        table = table_of(self.device, disk)
        self._check_uuid(table)
        there = disk.entry(self.number)
        if there is None:
            return self._make(machine, disk, table)
        self._check_ours(disk, table, there)
        return self._mend(machine, disk, table, there)

    def _check_play(self) -> None:
        for other in self.others:
            if other.number == self.number:
                raise Refused(
                    f"the play declares partition {self.number} of {self.device} twice, as {self.name!r} and "
                    f"as {other.name!r}",
                    advice="give each a number of its own, or declare it once",
                )
            if other.name == self.name:
                raise Refused(
                    f"the play makes two partitions named {self.name!r} on {self.device}: "
                    f"numbers {self.number} and {other.number}",
                    advice="give each a name of its own",
                )

    def _check_uuid(self, table: gpt.Gpt) -> None:
        """A renumbered or copied entry: nobody could say which of the two is meant by its UUID."""
        for entry in table.entries:
            if entry.uuid == self._uuid(table) and entry.number != self.number:
                raise Refused(
                    f"partition {entry.number} of {self.device} has the UUID of partition {self.number} "
                    f"{self.name!r}, {entry.uuid}",
                    advice="if it was renumbered, give it its old number again (sgdisk --transpose); if it is a copy, "
                    "give it another UUID (sfdisk --part-uuid); then run this again",
                )

    # What is wanted.

    @property
    def _bits(self) -> int:
        return sum(1 << _ATTRIBUTES[attribute] for attribute in set(self.attributes))

    def _uuid(self, table: gpt.Gpt) -> UUID:
        return self.identity.partition(table.id, self.number, self.name)

    def _sectors(self, disk: DiskState, table: gpt.Gpt) -> int | None:
        """How many sectors it should have, a whole number of grains; None for the rest."""
        grain, sector = disk.grid.grain, disk.limits.sector
        if self.end:
            return self._aligned("end", self.end, disk) - self._aligned("start", self.start, disk)
        if percent := _PERCENT.fullmatch(self.size):
            return (table.last_lba + 1 - table.first_lba) * int(percent[1]) // 100 // grain * grain
        if self.size == "rest":
            return None
        return -(-sizes.parse(self.size) // (grain * sector)) * grain

    def _start(self, disk: DiskState) -> int | None:
        """The sector it was declared to start at. Raises ``Refused`` where that is off the grid."""
        return self._aligned("start", self.start, disk) if self.start else None

    def _aligned(self, parameter: str, text: str, disk: DiskState) -> int:
        """A place on the disk, in sectors. Raises ``Refused`` where it is off the grid."""
        grid, sector, place = disk.grid, disk.limits.sector, sizes.parse(text)
        at = place // sector
        if place % sector or not grid.aligned(at):
            near = [sizes.show(each * sector) for each in (grid.down(at), grid.up(at + 1)) if each > 0]
            places = " or ".join(f"`{parameter}: {each}`" for each in near)
            raise Refused(
                f"{parameter} {text} is not an aligned place on {self.device}",
                advice=f"write {places}: writes anywhere else cost a read first",
            )
        return at

    # A partition that is not there yet.

    def _make(self, machine: Machine, disk: DiskState, table: gpt.Gpt) -> Step:
        tellable(self.device, disk)
        self._check_free_name(table)
        check_expressible(self.device, table)
        if self.number > table.length:
            raise Refused(
                f"the GPT of {self.device} has room for {table.length} partitions", advice="choose a smaller `number`"
            )
        start, size = self._place(disk, table)
        born = gpt.Entry(
            self.number, start, size, type_guid(self.type), self._uuid(table), self.name + UNFINISHED, self._bits
        )
        unfinished = with_partition(disk, born, Volume(self.number))
        node = disk.partition_node(self.number)
        ended = rename(unfinished, self.number, self.name) if self.raw else ()
        after = unfinished.with_entry(replace(born, name=self.name)) if self.raw else unfinished
        return Step(
            says=f"Make partition {self.number} {self.name!r} of {self.device}: {type_name(born.type)}, "
            + extent(disk, born),
            commands=(*rewrite(disk, unfinished), *wipe(node), *ended),
            after=machine.with_(Disk(self.device), after),
            locks=(disk.node,),
        )

    def _place(self, disk: DiskState, table: gpt.Gpt) -> tuple[int, int]:
        """Start and size in sectors. Raises ``Refused`` saying how much is missing."""
        start, size = self._start(disk), self._sectors(disk, table)
        found = start_for(disk.grid, table, start, size)
        if found:
            return found
        sector = disk.limits.sector
        at = room_after(disk.grid, table, start) if start is not None else largest_gap(disk.grid, table)[1]
        where = f"at {self.start} of {self.device}" if start is not None else f"in one piece on {self.device}"
        missing = (size or disk.grid.grain) - at
        raise Refused(
            f"there is no room for partition {self.number} {self.name!r}: {sizes.show(at * sector)} are free {where}, "
            f"{sizes.show(missing * sector)} too few",
            advice=self._advice_on_room(disk),
        )

    def _advice_on_room(self, disk: DiskState) -> str:
        for other in self.others:
            if other.size == "rest" and disk.entry(other.number):
                return (
                    f"partition {other.number} {other.name!r} takes the `rest`: let only one partition of the disk "
                    "take it, and declare that one last"
                )
        return "make it smaller, make another one smaller that is not there yet, or choose a larger disk"

    def _check_free_name(self, table: gpt.Gpt) -> None:
        for entry in table.entries:
            if final(entry.name) == self.name:
                raise Refused(
                    f"{self.device} has a partition named {self.name!r} already, number {entry.number}",
                    advice="choose another name, or that number; existing partitions are never renumbered",
                )

    # A partition that is there.

    def _check_ours(self, disk: DiskState, table: gpt.Gpt, there: gpt.Entry) -> None:
        """Raise ``Refused`` unless it is the one that was declared: never moved, shrunk, retyped or renamed."""
        sector = disk.limits.sector
        found = f"partition {self.number} of {self.device} ({there.name!r}, {extent(disk, there)})"
        if there.uuid != self._uuid(table):
            raise Refused(
                f"{found} is not the {self.name!r} that this play makes: it has another UUID",
                advice="choose a number that is free, or take the partition into the play as it is; to lay out "
                "the whole disk anew, erase it with `wipefs`, and consent",
            )
        start = self._start(disk)
        for what, was, wanted in (
            ("named", final(there.name), self.name),
            ("of type", type_name(there.type), type_name(type_guid(self.type))),
            ("at", sizes.show(there.start * sector), sizes.show((there.start if start is None else start) * sector)),
        ):
            if was != wanted:
                raise Refused(
                    f"{found} is {what} {was}, and {wanted} is declared",
                    advice="partitions that exist are never renamed, retyped or moved: declare it as it is, or "
                    "change it by hand",
                )

    def _mend(self, machine: Machine, disk: DiskState, table: gpt.Gpt, there: gpt.Entry) -> Step | None:
        size = self._wanted_size(disk, table, there)
        wanted = replace(there, size=size, attrs=self._bits)
        volume = disk.volume(self.number)
        if wanted != there or (volume and not volume.known):
            return self._rewrite(machine, disk, there, wanted)
        if self.raw and there.name.endswith(UNFINISHED):
            return self._finish(machine, disk, there)
        return None

    def _wanted_size(self, disk: DiskState, table: gpt.Gpt, there: gpt.Entry) -> int:
        others = replace(table, entries=tuple(entry for entry in table.entries if entry.number != self.number))
        room = room_after(disk.grid, others, there.start)
        size = self._sectors(disk, table)
        if size is not None and abs(size - there.size) < disk.grid.grain:
            return there.size  # as it was rounded where the disk had another grid
        wanted = max(there.size, room) if size is None else size
        sector = disk.limits.sector
        if wanted < there.size:
            raise Refused(
                f"partition {self.number} of {self.device} has {sizes.show(there.size * sector)}, and "
                f"{sizes.show(wanted * sector)} is declared: partitions are never shrunk",
                advice=f"declare `size: {sizes.show(there.size * sector)}`, or shrink what it holds and it by hand",
            )
        if wanted > there.size and wanted > room:
            raise Refused(
                f"partition {self.number} of {self.device} cannot grow to {sizes.show(wanted * sector)}: behind "
                f"its start there is room for {sizes.show(room * sector)}",
                advice=f"declare `size: {sizes.show(there.size * sector)}`, or make room behind it",
            )
        return wanted

    def _rewrite(self, machine: Machine, disk: DiskState, there: gpt.Entry, wanted: gpt.Entry) -> Step:
        tellable(self.device, disk)
        check_expressible(self.device, table_of(self.device, disk))
        volume = disk.volume(self.number) or Volume(self.number)
        after = with_partition(disk, wanted, volume)
        says = f"Set the attributes of partition {self.number} of {self.device}"
        if wanted.size > there.size:
            says = (
                f"Grow partition {self.number} of {self.device} to {extent(disk, wanted)}; what it holds keeps its size"
            )
        elif wanted == there:
            says = f"Tell the kernel of partition {self.number} of {self.device}"
        commands = rewrite(disk, after)
        return Step(says, commands, machine.with_(Disk(self.device), after), locks=(disk.node,))

    def _finish(self, machine: Machine, disk: DiskState, there: gpt.Entry) -> Step:
        """It is raw, and its making broke off before it got its final name."""
        node = disk.partition_node(self.number)
        volume = Volume(self.number)
        after = disk.with_entry(replace(there, name=self.name)).with_volume(volume)
        return Step(
            says=f"Finish partition {self.number} {self.name!r} of {self.device}",
            commands=(*wipe(node), *rename(disk, self.number, self.name)),
            after=machine.with_(Disk(self.device), after),
            locks=(disk.node,),
        )


def _check_name(name: str) -> None:
    if len(name) > LONGEST_NAME or not gpt.expressible(name):
        raise ValueError(
            f"{name!r} is no name for a partition: up to {LONGEST_NAME} characters, and no emoji or the like"
        )
    if not is_final(name):
        raise ValueError(f"{name!r} ends as the name of a partition does that is not finished; choose another")


def _check_size(size: str) -> None:
    if percent := _PERCENT.fullmatch(size):
        if not 1 <= int(percent[1]) <= 100:
            raise ValueError(f"{size} is out of range: from 1% to 100%")
    elif size not in ("", "rest"):
        sizes.parse(size)


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (AlignedPartition,)
