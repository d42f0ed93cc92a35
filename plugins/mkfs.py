"""`mkfs`: a partition of ours that holds a finished filesystem, or swap area."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from subfloor.plugin import (
    LABELLING,
    LONGEST_NAME,
    MIB,
    TOOLS,
    UNFINISHED,
    AnySubject,
    Call,
    Claim,
    Command,
    Content,
    Disk,
    DiskState,
    Entry,
    FromPlay,
    Gpt,
    Identity,
    Loss,
    Machine,
    NotVisible,
    Param,
    Refused,
    Step,
    Task,
    Trial,
    Unknown,
    Volume,
    check_expressible,
    check_label,
    check_options,
    checked,
    disk_at,
    final,
    guard,
    holds_nothing_finished,
    hookimpl,
    is_final,
    is_our_partition,
    least_sectors,
    losses_of_partitions,
    partition_of,
    rename,
    show,
    stamp,
    table_of,
    tell_kernel,
    uuid_on_disk,
    wipe,
    writable,
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
    """Make a filesystem or swap area of this type and label on a partition of ours.

    A type and a label do not prove that mkfs finished. So the name of the partition ends in `.unfinished` until
    the extent is wiped, and the filesystem is made, flushed and checked. Our own unfinished work is repeated
    without a question. A finished filesystem may hold data: its label is repaired in place, and everything else
    needs consent. Other content that this play would not have made needs consent too.

    A partition of another system is taken over with consent for it, if no task of the play makes it. It keeps
    its place, number, type and name, gets a UUID of ours, and a new filesystem. The other partitions stay as
    they are.

    While a label is changed, the name ends in `.labelling`. If that is interrupted, the next run repairs what a
    power cut may have damaged, and sets the label again. The filesystem is never made again for that.
    """

    key: ClassVar[str] = "mkfs"
    examples: ClassVar[tuple[str, ...]] = (
        "mkfs: {device: /dev/vda1, type: vfat, label: boot}",
        "mkfs: {device: /dev/nvme0n1p2, type: swap, label: swap}",
        'mkfs: {device: /dev/vda3, type: ext4, label: nixos, options: ["-m", "1"]}',
    )

    device: Annotated[str, Param("The partition", examples=("/dev/vda3", "/dev/disk/by-id/virtio-1234-part3"))]
    type: Annotated[Literal["ext4", "vfat", "xfs", "btrfs", "f2fs", "swap"], Param("What it holds")]
    label: Annotated[str, Param("Its label; how long it may be depends on the type")] = ""
    options: Annotated[
        tuple[str, ...],
        Param("Further options for the program that makes it, none of which may name a device or a path"),
    ] = ()
    identity: Identity
    named: Annotated[str, FromPlay()] = ""

    def __post_init__(self) -> None:
        checked("device", partition_of, self.device)
        checked("label", lambda label: check_label(self.type, label), self.label)
        checked("options", lambda options: check_options(self.type, options), self.options)

    def within(self, play: tuple[Task, ...]) -> Task:
        return replace(self, named=next(filter(None, map(self._name_given_by, play)), ""))

    def _name_given_by(self, task: Task) -> str:
        """The name of this partition, if that task makes it."""
        path, number = getattr(task, "device", None), getattr(task, "number", None)
        makes = task.key == "aligned-partition" and (path, number) == partition_of(self.device)
        return str(getattr(task, "name", "")) if makes else ""

    @property
    def _disk(self) -> Disk:
        return Disk(partition_of(self.device)[0])

    @property
    def _number(self) -> int:
        return partition_of(self.device)[1]

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset({self._disk})

    def next_step(self, machine: Machine) -> Step | None:
        disk = disk_at(machine, self._disk.path)
        entry, volume = self._partition(disk)
        wanted = Content(self.type, self.label, uuid_on_disk(self.type, self.identity.filesystem(entry.uuid)))
        if not is_our_partition(self.identity, table_of(self._disk.path, disk), entry):
            return self._take_over(machine, disk, entry, volume)
        if entry.name.endswith(UNFINISHED):
            return self._make(machine, disk, entry, volume, wanted)
        return self._keep(machine, disk, entry, volume, wanted)

    def claims(self, machine: Machine) -> tuple[Claim, ...]:
        disk = machine[self._disk]
        if not isinstance(disk, DiskState) or not isinstance(disk.table, Gpt):
            return ()
        entry = disk.entry(self._number)
        if entry is None or not is_our_partition(self.identity, disk.table, entry):
            return ()
        uuid = uuid_on_disk(self.type, self.identity.filesystem(entry.uuid))
        return (Claim(disk.partition_node(self._number), disk.node, "UUID", uuid),)

    def _partition(self, disk: DiskState) -> tuple[Entry, Volume]:
        """The partition. Raises ``Refused`` where it is another one than the play makes."""
        table = table_of(self._disk.path, disk)
        entry, volume = disk.entry(self._number), disk.volume(self._number)
        if not entry or not volume:
            raise Refused(
                f"there is no {self.device}: {self._disk.path} has no partition {self._number}",
                advice="put an `aligned-partition` task before this one",
            )
        if not is_our_partition(self.identity, table, entry) and self.named:
            raise self._another(table, entry)
        return entry, volume

    def _another(self, table: Gpt, entry: Entry) -> Refused:
        if entry.uuid == self.identity.partition(table.id, entry.number, self.named):
            return Refused(
                f"{self.device} is the {self.named!r} of this play, and was renamed: now it is {entry.name!r}",
                advice="run the `aligned-partition` task before this one too: it sets the name back",
            )
        return Refused(
            f"{self.device} ({entry.name!r}) was not made by this play, and is left alone",
            advice=f"make {self.named!r} under a number that is free; or, to make a filesystem on this partition as "
            "it is, leave out the `aligned-partition` task for it, and consent",
        )

    def _take_over(self, machine: Machine, disk: DiskState, entry: Entry, volume: Volume) -> Step:
        """Make another system's partition ours, empty and unfinished; all else about it stays."""
        writable(self.device, disk)
        self._check_unused(volume)
        self._check_room(disk, entry)
        table = table_of(self._disk.path, disk)
        check_expressible(self._disk.path, table)
        name = final(entry.name)[:LONGEST_NAME]
        taken = replace(entry, name=name + UNFINISHED, uuid=self.identity.partition(table.id, entry.number, name))
        after = disk.with_entry(taken).with_volume(replace(volume, content=None, known=True))
        return Step(
            says=f"Take over {self.device} {entry.name!r}, and empty it",
            commands=(
                *(() if volume.known else tell_kernel(disk, disk)),
                *wipe(disk.partition_node(self._number)),
                # The UUID last: until then it is another system's, and asked about.
                *rename(disk, self._number, taken.name),
                *stamp(disk, self._number, taken.uuid),
            ),
            after=machine.with_(self._disk, after),
            destroys=losses_of_partitions(machine, self._disk.path, disk, (entry,), "not made by this play"),
            locks=(disk.node,),
        )

    def _keep(self, machine: Machine, disk: DiskState, entry: Entry, volume: Volume, wanted: Content) -> Step | None:
        """The partition's name says that it was finished once: what is on it may be somebody's data."""
        found = volume.content
        if isinstance(found, Unknown):
            raise NotVisible(
                f"what {self.device} holds cannot be seen until the table of {self._disk.path} is repaired",
                advice="a `gpt-label` task repairs it",
            )
        if found == wanted and is_final(entry.name):
            return None
        # Torn, it may show nothing at all.
        torn = found is None and entry.name.endswith(LABELLING)
        if torn or (found and replace(found, label=self.label) == wanted):
            return self._relabel(machine, disk, entry, volume, wanted)
        return self._make(machine, disk, entry, volume, wanted)

    def _relabel(self, machine: Machine, disk: DiskState, entry: Entry, volume: Volume, wanted: Content) -> Step:
        writable(self.device, disk)
        if volume.in_use and not TOOLS[self.type].relabels_in_use:
            raise Refused(
                f"{self.device} is {', '.join(volume.users)}, and {self.type} takes no label while it is in use",
                advice="unmount it, or `swapoff`, and run this again",
            )
        name, broke_off = final(entry.name), not is_final(entry.name)
        after = replace(volume, content=wanted, known=volume.known or not volume.in_use)
        return Step(
            says=f"Label {self.device} {self.label!r}" + (", which broke off" if broke_off else ""),
            commands=(
                *(self._labelling(disk, volume, name, broke_off) if not volume.in_use else ()),
                *self._labelled(disk, volume),
                *(rename(disk, self._number, name) if broke_off or not volume.in_use else ()),
            ),
            after=machine.with_(self._disk, disk.with_entry(replace(entry, name=name)).with_volume(after)),
            locks=(disk.node,),
        )

    def _labelling(self, disk: DiskState, volume: Volume, name: str, broke_off: bool) -> tuple[Command, ...]:
        """What comes before the label is written: the name says so; or what broke off is made whole."""
        tools, node = TOOLS[self.type], disk.partition_node(self._number)
        reveal = () if volume.known else tell_kernel(disk, disk)
        sound = () if broke_off or tools.settle else self._checked(node, _UNSOUND.format(node))
        marked = () if broke_off else rename(disk, self._number, name + LABELLING)
        mend = (tools.mend,) if tools.mend and broke_off else ()
        settle = (tools.settle,) if tools.settle else ()
        writing = (_command(call(node), node) for call in (*mend, *settle))
        return (*reveal, guard(node), *sound, *marked, *writing)

    def _labelled(self, disk: DiskState, volume: Volume) -> tuple[Command, ...]:
        node = disk.partition_node(self._number)
        checked = () if volume.in_use else self._checked(node, _UNSOUND.format(node))
        return (Command(TOOLS[self.type].relabel(node, self.label)), Command(("sync", node)), *checked)

    def _checked(self, node: str, advice: str = "") -> tuple[Command, ...]:
        """Commands that fail where what is there is not sound, and write nothing."""
        return (Command(TOOLS[self.type].check(node), timeout=3600.0, advice=advice),)

    def _make(self, machine: Machine, disk: DiskState, entry: Entry, volume: Volume, wanted: Content) -> Step:
        """Make it, whatever is there. The name is final at the very end, after all else is proven."""
        writable(self.device, disk)
        self._check_unused(volume)
        self._check_room(disk, entry)
        self._check_unique(machine, wanted)
        finished = not entry.name.endswith(UNFINISHED)
        name = final(entry.name)
        made = replace(volume, content=replace(wanted, fresh=True), known=True)
        reveal = () if volume.known else tell_kernel(disk, disk)
        label = f" labelled {self.label!r}" if self.label else ""
        return Step(
            says=f"Make {_NAMES[self.type]} on {self.device}{label}",
            commands=(
                *reveal,
                # A label that broke off is one no more; with that name, what is wiped would be taken for torn.
                *(rename(disk, self._number, name) if entry.name.endswith(LABELLING) else ()),
                # Opens it exclusively (O_EXCL), so this fails where anything uses it, in any mount namespace.
                *wipe(disk.partition_node(self._number)),
                # Not before there is nothing left to lose: what is unfinished is made again unasked.
                *(rename(disk, self._number, name + UNFINISHED) if finished else ()),
                *self._making(disk, entry),
                *rename(disk, self._number, name),
            ),
            after=machine.with_(self._disk, disk.with_entry(replace(entry, name=name)).with_volume(made)),
            destroys=self._losses(machine, disk, entry, volume),
            locks=(disk.node,),
        )

    def _making(self, disk: DiskState, entry: Entry) -> tuple[Command, ...]:
        tools, node = TOOLS[self.type], disk.partition_node(self._number)
        uuid = self.identity.filesystem(entry.uuid)
        return (
            Command(
                tools.make(node, self.label, uuid, self.options),
                env=tools.env,
                timeout=3600.0,
                demands=(self._trial(entry.size * disk.limits.sector),),
            ),
            Command(("sync", node)),
            *self._checked(node),
        )

    def _trial(self, size: int) -> Trial:
        """Its making on a file of as many bytes, under a UUID of its own: mkfs.btrfs refuses one that a device has."""
        tools = TOOLS[self.type]
        *argv, _ = tools.make("", self.label, _OF_TRIALS, (*tools.dry_run, *self.options))
        return Trial(tuple(argv), size if tools.dry_run else min(size, _ENOUGH), tuple(tools.env.items()))

    def _check_unused(self, volume: Volume) -> None:
        if volume.in_use:
            raise Refused(
                f"{self.device} is in use: {', '.join(volume.users)}",
                advice="what is in use is never destroyed; unmount it, or `swapoff`, then run this again",
            )

    def _check_room(self, disk: DiskState, entry: Entry) -> None:
        sector = disk.limits.sector
        least = least_sectors(self.type, sector)
        if entry.size < least:
            raise Refused(
                f"{self.device} is too small for {self.type}: it has {show(entry.size * sector)}, and a FAT32 needs "
                f"{-(-least * sector // MIB)}MiB of sectors of {sector} bytes",
                advice="give the partition more `size`; it is FAT32 that firmware can boot from",
            )

    def _check_unique(self, machine: Machine, wanted: Content) -> None:
        """A copy of what this made once: the UUID would not identify one devices UUID."""
        for subject, seen in machine.items():
            volumes = seen.volumes if isinstance(subject, Disk) and isinstance(seen, DiskState) else ()
            for volume in volumes:
                here = subject == self._disk and volume.number == self._number
                if not here and isinstance(volume.content, Content) and volume.content.uuid == wanted.uuid:
                    raise Refused(
                        f"{seen.partition_node(volume.number)} has the very UUID that {self.device} is to get, "
                        f"{wanted.uuid}: it is a copy of what this play made",
                        advice="give the copy another UUID, detach its disk, or choose another `seed`; "
                        "then run this again",
                    )

    def _losses(self, machine: Machine, disk: DiskState, entry: Entry, volume: Volume) -> tuple[Loss, ...]:
        table = table_of(self._disk.path, disk)
        if holds_nothing_finished(self.identity, table, entry, volume):
            return ()
        about = "not made by this play" if entry.name.endswith(UNFINISHED) else "finished once"
        return losses_of_partitions(machine, self._disk.path, disk, (entry,), about)


_OF_TRIALS = UUID("b3a1f1a2-8f6e-4c0b-9d1c-6f1d7f3f2a10")

_ENOUGH = 64 << 30
"""Bytes beyond which no program finds a device too small; without a dry run, more would fill the memory."""

_UNSOUND = (
    "where it was only not unmounted cleanly, mount {0} once and unmount it; else repair it with its own fsck, "
    "after a copy of what matters"
)


def _command(call: Call, node: str) -> Command:
    return Command(call.argv, timeout=3600.0, accepts=call.accepts, advice=_UNSOUND.format(node))


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (Mkfs,)
