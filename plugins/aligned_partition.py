"""`aligned-partition`: a partition at an aligned place, so that writes need no read first."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from subfloor.plugin import (
    LABELLING,
    LONGEST_NAME,
    UNFINISHED,
    AnySubject,
    Claim,
    Disk,
    DiskState,
    FromPlay,
    Identity,
    Machine,
    Param,
    PartitionState,
    Refused,
    Remains,
    Step,
    Task,
    check_expressible,
    checked,
    declared_sizes,
    device,
    disk_at,
    extent,
    final,
    gpt,
    holds_nothing_finished,
    hookimpl,
    in_the_way,
    is_final,
    is_our_content,
    is_our_partition,
    largest_gap,
    loss_of_remains,
    losses_of_partitions,
    remains,
    remove,
    rename,
    rewrite,
    room_after,
    sizes,
    start_for,
    table_of,
    tellable,
    type_guid,
    type_name,
    whole_disk,
    wipe,
    with_partition,
    without,
    without_partitions,
)

_ATTRIBUTES = {"required": 0, "no-block-io": 1, "legacy-boot": 2, "read-only": 60, "hidden": 62, "no-auto": 63}

Attribute = Literal["required", "no-block-io", "legacy-boot", "read-only", "hidden", "no-auto"]


@dataclass(frozen=True, kw_only=True)
class AlignedPartition(Task):
    """Create a partition with this number, name, type and size, optimally aligned.

    It starts at the first aligned sector with enough room, or at `start`; `rest` takes the largest free space.
    A new partition has a name that ends in `.unfinished`. The task that fills it (`mkfs`) sets the final name
    as its last step; `raw: true` declares that no task fills it.

    subfloor reads free space before it uses it. A filesystem that is still there is a loss and needs consent.
    If the entry of one of our partitions was deleted and its filesystem is still there, the entry is put back.

    A changed name, type or attribute is set back. A partition grows if it is declared larger and there is room
    behind it; the filesystem on it keeps its size. One of our partitions with another size, place or name, or
    one in the way, is removed and made again. That needs consent for it or for the disk, unless it never held
    anything finished. A partition that is not ours stays as it is.
    """

    key: ClassVar[str] = "aligned-partition"
    examples: ClassVar[tuple[str, ...]] = (
        "aligned-partition: {device: /dev/vda, number: 1, name: ESP, type: esp, size: 512MiB}",
        "aligned-partition: {device: /dev/vda, number: 2, name: nix, type: linux, size: -8GiB}",
        "aligned-partition: {device: /dev/vda, number: 3, name: swap, type: swap, size: rest}",
        "aligned-partition: {device: /dev/vda, number: 4, name: grub, type: bios-boot, size: 1MiB, raw: true}",
    )

    device: Annotated[str, Param("The whole disk", examples=("/dev/vda", "/dev/disk/by-id/virtio-1234"))]
    number: Annotated[int, Param("The partition's number", minimum=1, maximum=128)]
    name: Annotated[str, Param(f"The name in the GPT, up to {LONGEST_NAME} characters", min_length=1)]
    type: Annotated[str, Param("The type: a name such as esp, linux, swap, luks, lvm, raid, bios-boot, or a GUID")]
    size: Annotated[
        str,
        Param(
            "The size: `512MiB`; `25%` of the usable space of the disk; `rest` or `100%`: all that is left; "
            "`-8GiB`: all but the last 8 GiB of the disk"
        ),
    ] = ""
    start: Annotated[
        str, Param("Where it starts, from the start of the disk, such as `1MiB`; or from its end, such as `-8GiB`")
    ] = ""
    end: Annotated[str, Param("Where it ends, instead of `size`; in the same form as `start`")] = ""
    attributes: Annotated[tuple[Attribute, ...], Param("Attributes in the GPT")] = ()
    raw: Annotated[bool, Param("No task fills it: it gets its final name at once")] = False
    identity: Identity
    others: Annotated[tuple[AlignedPartition, ...], FromPlay()] = ()
    earlier: Annotated[tuple[tuple[int, str], ...], FromPlay()] = ()
    filled: Annotated[bool, FromPlay()] = True

    def __post_init__(self) -> None:
        checked("device", whole_disk, self.device)
        checked("name", _check_name, self.name)
        checked("type", type_guid, self.type)
        checked("size", declared_sizes.check_size, self.size)
        for parameter, value in (("start", self.start), ("end", self.end)):
            if value:
                checked(parameter, declared_sizes.check_place, value)
        if bool(self.size) == bool(self.end):
            raise ValueError("size: give either `size` or `end`")
        if self.end and not self.start:
            raise ValueError("end: it needs `start`")
        if self.end and _before(self.end, self.start):
            raise ValueError(f"end: {self.end} is not after the start, {self.start}")

    def within(self, play: tuple[Task, ...]) -> Task:
        mine = [task for task in play if isinstance(task, AlignedPartition) and task.device == self.device]
        at = next((index for index, task in enumerate(mine) if task.is_same(self)), len(mine))
        return replace(
            self,
            others=tuple(task for task in mine if not task.is_same(self)),
            earlier=tuple((task.number, task.name) for task in mine[:at]),
            filled=self.raw or any(map(self._is_filled_by, play)),
        )

    def is_same(self, other: AlignedPartition) -> bool:
        """Whether both tasks are equal, apart from the values that come from the play."""
        return _alone(self) == _alone(other)

    def _is_filled_by(self, task: Task) -> bool:
        path = getattr(task, "device", None)
        if task.key == "swap" or not isinstance(path, str) or not path.startswith("/dev/"):
            return False
        named = device(path)
        return (named.disk, named.number) == (self.device, self.number)

    def warnings(self) -> tuple[str, ...]:
        if self.filled:
            return ()
        return (
            f"no task of the play fills partition {self.number} {self.name!r} of {self.device}, so it stays named "
            f"{self.name + UNFINISHED!r}: add `mkfs` for it, or `raw: true` if another tool fills it",
        )

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
        if there.uuid != self._uuid(table):
            return self._replace(machine, disk, table, there)
        return self._mend(machine, disk, table, there)

    def claims(self, machine: Machine) -> tuple[Claim, ...]:
        disk = machine[Disk(self.device)]
        if not isinstance(disk, DiskState) or not isinstance(disk.table, gpt.Gpt):
            return ()
        there = disk.entry(self.number)
        if there is None or there.uuid != self._uuid(disk.table):
            return ()
        return (Claim(disk.partition_node(self.number), disk.node, "PARTUUID", str(there.uuid)),)

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
        """Refuse a renumbered or copied entry: its UUID would not identify one partition."""
        for entry in table.entries:
            if entry.uuid == self._uuid(table) and entry.number != self.number:
                raise Refused(
                    f"partition {entry.number} of {self.device} has the UUID of partition {self.number} "
                    f"{self.name!r}, {entry.uuid}",
                    advice="if it was renumbered, give it its old number again (sgdisk --transpose); if it is a copy, "
                    "give it another UUID (sfdisk --part-uuid); then run this again",
                )

    # The desired state.

    @property
    def _bits(self) -> int:
        return sum(1 << _ATTRIBUTES[attribute] for attribute in set(self.attributes))

    def _uuid(self, table: gpt.Gpt) -> UUID:
        return self.identity.partition(table.id, self.number, self.name)

    def _sectors(self, disk: DiskState, table: gpt.Gpt) -> int | None:
        """The desired size in sectors, a whole number of grains; None for all that is left."""
        grid, sector = disk.grid, disk.limits.sector
        if self.end:
            return self._from_start_to_end(disk)
        if declared_sizes.is_all(self.size) or declared_sizes.from_end(self.size):
            return None
        if share := declared_sizes.percent(self.size):
            return (grid.down(table.last_lba + 1) - grid.up(table.first_lba)) * share // 100 // grid.grain * grid.grain
        return -(-sizes.parse(self.size) // (grid.grain * sector)) * grid.grain

    def _from_start_to_end(self, disk: DiskState) -> int:
        size = self._place_of("end", self.end, disk) - self._place_of("start", self.start, disk)
        if size <= 0:
            raise Refused(
                f"end {self.end} is not after the start, {self.start}, on {self.device}: it has "
                f"{sizes.show(disk.size)}",
                advice="choose a later `end`, or an earlier `start`",
            )
        return size

    def _start(self, disk: DiskState) -> int | None:
        """The declared start sector. Raises ``Refused`` if it is not aligned."""
        return self._place_of("start", self.start, disk) if self.start else None

    def _place_of(self, parameter: str, text: str, disk: DiskState) -> int:
        """A place on the disk, in sectors. Raises ``Refused`` if it is not aligned, or before the start of the disk."""
        grid, sector = disk.grid, disk.limits.sector
        back = declared_sizes.from_end(text)
        if back is not None:
            if back >= disk.size:
                raise Refused(
                    f"{parameter} {text} is before the start of {self.device}, whose size is {sizes.show(disk.size)}",
                    advice=f"choose a smaller distance from the end, or `{parameter}: 1MiB` from the start",
                )
            return grid.down(disk.sectors - -(-back // sector))
        place = sizes.parse(text)
        at = place // sector
        if place % sector or not grid.aligned(at):
            near = [sizes.show(each * sector) for each in (grid.down(at), grid.up(at + 1)) if each > 0]
            places = " or ".join(f"`{parameter}: {each}`" for each in near)
            raise Refused(
                f"{parameter} {text} is not an aligned place on {self.device}",
                advice=f"write {places}: at other places, each write needs a read first",
            )
        return at

    def _within_bounds(self, disk: DiskState, table: gpt.Gpt) -> gpt.Gpt:
        """The table without the space at its end that the size leaves free."""
        if declared_sizes.from_end(self.size) is None:
            return table
        return replace(table, last_lba=min(table.last_lba, self._place_of("size", self.size, disk) - 1))

    # A partition that does not exist yet.

    def _make(self, machine: Machine, disk: DiskState, table: gpt.Gpt) -> Step:
        tellable(self.device, disk)
        if clash := self._of_this_name(table):
            return self._remove_namesake(machine, disk, table, clash)
        check_expressible(self.device, table)
        if self.number > table.length:
            raise Refused(
                f"the GPT of {self.device} has room for {table.length} partitions", advice="choose a smaller `number`"
            )
        place = self._place(disk, table)
        if place is None:
            return self._make_room(machine, disk, table)
        born = gpt.Entry(
            self.number, *place, type_guid(self.type), self._uuid(table), self.name + UNFINISHED, self._bits
        )
        found = remains(machine, self.device, disk, table, *place)
        kept = next((each for each in found if self._is_own(disk, born, each)), None)
        if kept:
            return self._put_back(machine, disk, born, kept, tuple(each for each in found if each != kept))
        return self._bear(machine, disk, born, found)

    def _bear(self, machine: Machine, disk: DiskState, born: gpt.Entry, lost: tuple[Remains, ...]) -> Step:
        unfinished = with_partition(disk, born, PartitionState(self.number))
        node = disk.partition_node(self.number)
        ended = rename(unfinished, self.number, self.name) if self.raw else ()
        after = unfinished.with_entry(replace(born, name=self.name)) if self.raw else unfinished
        return Step(
            says=f"Make partition {self.number} {self.name!r} of {self.device}: {type_name(born.type)}, "
            + extent(disk, born),
            commands=(*rewrite(disk, unfinished), *wipe(node), *ended),
            after=machine.with_(Disk(self.device), after),
            destroys=loss_of_remains(self.device, disk, lost),
            locks=(disk.node,),
        )

    def _is_own(self, disk: DiskState, born: gpt.Entry, found: Remains) -> bool:
        """Whether it is the complete content that this play made on this same partition before."""
        sector = disk.limits.sector
        fits = found.start == born.start * sector and 0 < found.size <= born.size * sector
        return fits and bool(found.content.uuid) and is_our_content(self.identity, born.uuid, found.content)

    def _put_back(
        self, machine: Machine, disk: DiskState, born: gpt.Entry, kept: Remains, lost: tuple[Remains, ...]
    ) -> Step:
        """Put back an entry that was deleted. Its content may be unfinished: `mkfs` checks it."""
        entry = replace(born, name=self.name if self.raw else self.name + LABELLING)
        after = with_partition(disk, entry, PartitionState(self.number, kept.content))
        return Step(
            says=f"Put partition {self.number} {self.name!r} of {self.device} back: {type_name(entry.type)}, "
            f"{extent(disk, entry)}, with the {kept.content.named} that it held",
            commands=rewrite(disk, after),
            after=machine.with_(Disk(self.device), after),
            destroys=loss_of_remains(self.device, disk, lost),
            locks=(disk.node,),
        )

    def _place(self, disk: DiskState, table: gpt.Gpt) -> tuple[int, int] | None:
        """Start and size in sectors; None if there is no room."""
        bounded = self._within_bounds(disk, table)
        return start_for(disk.grid, bounded, self._start(disk), self._sectors(disk, table))

    def _make_room(self, machine: Machine, disk: DiskState, table: gpt.Gpt) -> Step:
        """Remove partitions that this play no longer declares. Raises ``Refused`` with the missing size."""
        gone = in_the_way(table, lambda entry: self._may_go(disk, table, entry), lambda rest: self._place(disk, rest))
        if gone:
            return self._remove(machine, disk, table, gone, f"in the way of {self.name!r}")
        start, size, sector = self._start(disk), self._sectors(disk, table), disk.limits.sector
        bounded = self._within_bounds(disk, table)
        at = room_after(disk.grid, bounded, start) if start is not None else largest_gap(disk.grid, bounded)[1]
        where = f"at {self.start} of {self.device}" if start is not None else f"in one piece on {self.device}"
        missing = (size or disk.grid.grain) - at
        raise Refused(
            f"there is no room for partition {self.number} {self.name!r}: {sizes.show(at * sector)} are free {where}, "
            f"{sizes.show(missing * sector)} too few",
            advice=self._advice_on_room(disk, at),
        )

    def _advice_on_room(self, disk: DiskState, free: int) -> str:
        for other in self.others:
            if declared_sizes.is_all(other.size) and disk.entry(other.number):
                return (
                    f"partition {other.number} {other.name!r} takes the `rest`: only one partition of the disk can "
                    "take it, so declare that one last"
                )
        rest = "use what is left with `size: rest`, " if free >= disk.grid.grain else ""
        return f"{rest}make it smaller, make another new partition smaller, or choose a larger disk"

    def _of_this_name(self, table: gpt.Gpt) -> gpt.Entry | None:
        others = (entry for entry in table.entries if entry.number != self.number)
        return next((entry for entry in others if final(entry.name) == self.name), None)

    def _remove_namesake(self, machine: Machine, disk: DiskState, table: gpt.Gpt, entry: gpt.Entry) -> Step:
        if self._may_go(disk, table, entry):
            return self._remove(
                machine, disk, table, (entry,), f"the play now uses its name for partition {self.number}"
            )
        raise Refused(
            f"{self.device} already has a partition named {self.name!r}, number {entry.number}",
            advice="choose another name, or that number; existing partitions are never renumbered",
        )

    # A partition to remove.

    def _may_go(self, disk: DiskState, table: gpt.Gpt, entry: gpt.Entry) -> bool:
        """Whether the partition is ours and unused, and no earlier task of the play declares it."""
        volume = disk.volume(entry.number)
        declared_before = (entry.number, final(entry.name)) in self.earlier
        used = bool(volume and volume.in_use)
        return is_our_partition(self.identity, table, entry) and not declared_before and not used

    def _replace(self, machine: Machine, disk: DiskState, table: gpt.Gpt, there: gpt.Entry) -> Step:
        """Another partition has this number: one of an earlier version of this play, or a foreign one."""
        if is_our_partition(self.identity, table, there):
            return self._remove(machine, disk, table, (there,), f"{self.name!r} is declared in its place")
        raise Refused(
            f"{self._found(disk, there)} is not the {self.name!r} that this play makes: it has another UUID",
            advice="choose a free number; or remove this task, and make a filesystem on the partition as "
            f"it is with `mkfs`, with consent for it; {_ANEW}",
        )

    def _remove(self, machine: Machine, disk: DiskState, table: gpt.Gpt, gone: tuple[gpt.Entry, ...], why: str) -> Step:
        tellable(self.device, disk)
        check_expressible(self.device, table)
        for entry in gone:
            self._check_unused(disk, entry, why)
        listed = ", ".join(f"{entry.number} {entry.name!r} ({extent(disk, entry)})" for entry in gone)
        finished = [
            entry
            for entry in gone
            if not holds_nothing_finished(self.identity, table, entry, disk.volume(entry.number))
        ]
        return Step(
            says=f"Remove partition {listed} of {self.device}: {why}",
            commands=remove(disk, gone),
            after=machine.with_(Disk(self.device), without_partitions(disk, gone)),
            destroys=losses_of_partitions(machine, self.device, disk, finished, why),
            locks=(disk.node,),
        )

    def _check_unused(self, disk: DiskState, entry: gpt.Entry, why: str) -> None:
        volume = disk.volume(entry.number)
        if volume and volume.in_use:
            raise Refused(
                f"{self._found(disk, entry)} would be removed ({why}), and is in use: {', '.join(volume.users)}",
                advice="declare it as it is; or unmount or `swapoff` it, then run this again",
            )

    def _found(self, disk: DiskState, there: gpt.Entry) -> str:
        return f"partition {there.number} of {self.device} ({there.name!r}, {extent(disk, there)})"

    # A partition that exists.

    def _mend(self, machine: Machine, disk: DiskState, table: gpt.Gpt, there: gpt.Entry) -> Step | None:
        start, sector = self._start(disk), disk.limits.sector
        if start is not None and start != there.start:
            why = f"it starts at {sizes.show(there.start * sector)}, but {sizes.show(start * sector)} is declared"
            return self._remove(machine, disk, table, (there,), why)
        size = self._wanted_size(disk, table, there)
        if size < there.size:
            why = f"it has {sizes.show(there.size * sector)}, but {sizes.show(size * sector)} is declared"
            return self._remove(machine, disk, table, (there,), why)
        if size > max(there.size, self._room(disk, table, there)):
            return self._make_room_behind(machine, disk, table, there, size)
        name = there.name if final(there.name) == self.name else self.name + _stage(there.name)
        wanted = replace(there, size=size, attrs=self._bits, type=type_guid(self.type), name=name)
        volume = disk.volume(self.number)
        if wanted != there or (volume and not volume.known):
            return self._rewrite(machine, disk, table, there, wanted)
        if self.raw and there.name.endswith(UNFINISHED):
            return self._finish(machine, disk, table, there)
        return None

    def _room(self, disk: DiskState, table: gpt.Gpt, there: gpt.Entry) -> int:
        return room_after(disk.grid, without(self._within_bounds(disk, table), there), there.start)

    def _wanted_size(self, disk: DiskState, table: gpt.Gpt, there: gpt.Entry) -> int:
        size, grain = self._sectors(disk, table), disk.grid.grain
        bound = self._within_bounds(disk, table).last_lba + 1 - there.start
        if size is None:
            return max(min(there.size, bound // grain * grain), self._room(disk, table, there))
        # Rounding differs if the disk had another grid, or percentages were computed differently.
        tolerance = 2 * grain if declared_sizes.percent(self.size) else grain
        return there.size if abs(size - there.size) < tolerance else size

    def _make_room_behind(self, machine: Machine, disk: DiskState, table: gpt.Gpt, there: gpt.Entry, size: int) -> Step:
        gone = in_the_way(
            without(table, there),
            lambda entry: self._may_go(disk, table, entry),
            lambda rest: room_after(disk.grid, rest, there.start) >= size,
        )
        if gone:
            return self._remove(machine, disk, table, gone, f"in the way of {self.name!r}, which is declared larger")
        sector = disk.limits.sector
        raise Refused(
            f"partition {self.number} of {self.device} cannot grow to {sizes.show(size * sector)}: from "
            f"its start there is room for {sizes.show(self._room(disk, table, there) * sector)}",
            advice=f"declare `size: {sizes.show(there.size * sector)}`, or make room behind it",
        )

    def _rewrite(self, machine: Machine, disk: DiskState, table: gpt.Gpt, there: gpt.Entry, wanted: gpt.Entry) -> Step:
        tellable(self.device, disk)
        check_expressible(self.device, table)
        clash = self._of_this_name(table)
        if clash and wanted.name != there.name:
            return self._remove_namesake(machine, disk, table, clash)
        grown = wanted.size - there.size
        lost = remains(machine, self.device, disk, table, there.end, grown) if grown else ()
        after = with_partition(disk, wanted, disk.volume(self.number) or PartitionState(self.number))
        return Step(
            self._says(disk, there, wanted),
            rewrite(disk, after),
            machine.with_(Disk(self.device), after),
            destroys=loss_of_remains(self.device, disk, lost),
            locks=(disk.node,),
        )

    def _says(self, disk: DiskState, there: gpt.Entry, wanted: gpt.Entry) -> str:
        which = f"partition {self.number} of {self.device}"
        if wanted == there:
            return f"Tell the kernel of {which}"
        if wanted.size > there.size:
            return f"Grow {which} to {extent(disk, wanted)}; what it holds keeps its size"
        changes = (
            ("name", there.name, wanted.name),
            ("type", type_name(there.type), type_name(wanted.type)),
        )
        listed = [f"{what} from {was!r} to {now!r}" for what, was, now in changes if was != now]
        if not listed:
            return f"Set the attributes of {which}"
        return f"Set the {' and the '.join(listed)} of {which}"

    def _finish(self, machine: Machine, disk: DiskState, table: gpt.Gpt, there: gpt.Entry) -> Step:
        """Finish a raw partition: its creation was interrupted before the final name, or it was not `raw` before."""
        node, volume = disk.partition_node(self.number), disk.volume(self.number)
        after = disk.with_entry(replace(there, name=self.name)).with_volume(PartitionState(self.number))
        by_hand = shlex.join(("sfdisk", "--part-label", disk.node, str(self.number), self.name))
        about = f"not made by this play; to keep it, and the partition as it is, run `{by_hand}`"
        worthless = holds_nothing_finished(self.identity, table, there, volume)
        return Step(
            says=f"Finish partition {self.number} {self.name!r} of {self.device}",
            commands=(*wipe(node), *rename(disk, self.number, self.name)),
            after=machine.with_(Disk(self.device), after),
            destroys=() if worthless else losses_of_partitions(machine, self.device, disk, (there,), about),
            locks=(disk.node,),
        )


_ANEW = (
    "to start over on the whole disk, give it another name with `disk:` in `wipefs` and `gpt-label`, and consent with "
    "`--destroy DEVICE`"
)


def _alone(task: AlignedPartition) -> AlignedPartition:
    """The task without the values that come from the play."""
    return replace(task, others=(), earlier=(), filled=True)


def _stage(name: str) -> str:
    """The suffix of the name that marks an unfinished partition; empty if it is finished."""
    return "" if is_final(name) else name[len(final(name)) :]


def _before(end: str, start: str) -> bool:
    """Whether the end is not after the start, if this is known without the disk."""
    back = declared_sizes.from_end(end), declared_sizes.from_end(start)
    if back[0] is not None and back[1] is not None:
        return back[0] >= back[1]
    return back == (None, None) and sizes.parse(end) <= sizes.parse(start)


def _check_name(name: str) -> None:
    if len(name) > LONGEST_NAME or not gpt.expressible(name):
        raise ValueError(
            f"{name!r} is not a valid partition name: use up to {LONGEST_NAME} characters, "
            "none outside the first Unicode plane, such as emoji"
        )
    if not is_final(name):
        raise ValueError(f"{name!r} has an ending that is reserved for unfinished partitions; choose another")


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (AlignedPartition,)
