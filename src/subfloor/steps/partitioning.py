"""What the tasks that write to disks share: which disks they may touch at all, and how a table is written.

All of it is pure: it makes commands and values, and touches nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from uuid import UUID

from subfloor.core.errors import Refused
from subfloor.core.machine import Machine
from subfloor.core.task import Command
from subfloor.observe.disk import SAMPLE, SAMPLE_PLACES, Disk, DiskState, Missing, PartitionState
from subfloor.storage import gpt, mbr
from subfloor.storage.allocation import without
from subfloor.storage.sizes import MIB, show

START_OVER = (
    "to start over on the whole disk, give it another name with `disk:` in `wipefs` and `gpt-label`, and consent "
    "with `--destroy`"
)
"""How a disk is erased that is ours: under another name it has another label-id, so what is there is not ours."""

_SFDISK = ("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel")


def disk_at(machine: Machine, path: str) -> DiskState:
    """The disk at a path. Raises ``Refused`` where there is none, or no disk that could be laid out."""
    disk = machine[Disk(path)]
    if isinstance(disk, Missing):
        there = "; ".join(disk.present) or "none"
        raise Refused(f"there is no device {path}", advice=f"name another disk; those that are here: {there}")
    if disk.kind != "disk":
        what = "a CD-ROM" if disk.kind == "rom" else "a partition"
        raise Refused(f"{path} is {what}, but a whole disk is required", advice="name a disk; lsblk lists them")
    if not disk.size:
        raise Refused(f"{path} has no size", advice="see that a medium is in it, or name another disk")
    return disk


def writable(path: str, disk: DiskState) -> DiskState:
    """The disk, if it can be written to. Raises ``Refused``."""
    if disk.read_only:
        raise Refused(
            f"{path} is read-only",
            advice="see `blockdev --getro` and the disk's write protection, or name another disk",
        )
    return disk


def unused(path: str, disk: DiskState) -> DiskState:
    """The disk, if nothing uses it or a partition of it. Raises ``Refused``: no consent covers that."""
    if disk.is_busy:
        raise Refused(
            f"{path} is in use: {', '.join(disk.busy)}",
            advice="what is in use is never destroyed; unmount it, `swapoff` or take it apart, then run this again",
        )
    return disk


def tellable(path: str, disk: DiskState) -> DiskState:
    """The disk, if it can be written to and the kernel will then take its table. Raises ``Refused``.

    The kernel keeps a partition in use as it is, whatever has become of the table since.
    """
    writable(path, disk)
    stale = [(disk.partition_node(v.number), v.users) for v in disk.volumes if v.in_use and not v.known]
    used = [(path, disk.users)] if disk.in_use and disk.stray else []
    for node, users in (*stale, *used):
        raise Refused(
            f"the kernel has other partitions on {path} than its table, and {node} is in use: {', '.join(users)}",
            advice="unmount it, `swapoff` or take it apart, or reboot; then run this again",
        )
    return disk


def check_not_another(path: str, name: str, disk: DiskState, others: Mapping[UUID, str]) -> None:
    """Raise ``Refused`` for a disk that the play knows by another name: ``others``, by label-id."""
    other = others.get(disk.table.id) if isinstance(disk.table, gpt.Gpt) else None
    if other is not None:
        raise Refused(
            f"{path} is the disk that this play calls “{other}”, not “{name}”",
            advice="the devices' names have changed: name the disks by /dev/disk/by-id/…",
        )


def table_of(path: str, disk: DiskState) -> gpt.Gpt:
    """The disk's GPT. Raises ``Refused`` where it has none, or a damaged one."""
    if not isinstance(disk.table, gpt.Gpt):
        found = f"a {disk.table.type} partition table" if disk.table else "no partition table"
        raise Refused(f"{path} has {found}, but a GPT is required", advice="put a `gpt-label` task before this one")
    if disk.table.damage:
        raise Refused(
            f"the GPT of {path} is damaged: {', '.join(sorted(disk.table.damage))}",
            advice="put a `gpt-label` task before this one: it repairs the table",
        )
    return disk.table


def rewrite(disk: DiskState, after: DiskState) -> tuple[Command, ...]:
    """Commands that make the table of ``after`` from that of ``disk``, and tell the kernel.

    A new table is written from one script, so nothing is left for sfdisk to choose. Of one that is there no more is
    written than what changes: it keeps its geometry, the place of its entries, every other entry as it is, and the
    boot code, signature and slots in the first sector. Partitions in use keep the kernel from reading a table anew
    (BLKRRPART), so it is told of each partition instead, which it takes (partx(8), BLKPG).
    """
    assert isinstance(after.table, gpt.Gpt)
    there = disk.table if isinstance(disk.table, gpt.Gpt) and disk.table.id == after.table.id else None
    written = _changes(disk, there, after.table) if there else (_sfdisk(disk, script=gpt.script(after.table)),)
    return (*written, *tell_kernel(disk, after))


def _changes(disk: DiskState, before: gpt.Gpt, after: gpt.Gpt) -> Iterator[Command]:
    """What is damaged first, then what goes, what changes, and what is new: each command is one write of the table."""
    if before.damage and not after.damage:
        yield from _mend(disk, before, after)
    old = {entry.number: entry for entry in before.entries}
    new = {entry.number: entry for entry in after.entries}
    if gone := sorted(old.keys() - new.keys()):
        yield Command((*_SFDISK, "--delete", disk.node, *map(str, gone)))
    for number in sorted(old.keys() & new.keys()):
        if old[number] != new[number]:
            yield _sfdisk(disk, "-N", str(number), script=gpt.change(old[number], new[number]))
    if added := [new[number] for number in sorted(new.keys() - old.keys())]:
        yield _sfdisk(disk, "--append", script=gpt.additions(added))


def _mend(disk: DiskState, before: gpt.Gpt, after: gpt.Gpt) -> Iterator[Command]:
    """Both copies, from the one that is sound: sfdisk finds that one by itself, and any write of it makes both.

    It does not look for one at the end that a disk had before it grew. So the first copy is made from that, its
    header last. It finds no table without a protective MBR, either. The slots of that are written in one piece, and
    nothing beside them.
    """
    sector = disk.limits.sector
    if gpt.is_at_old_end(before):
        yield _dd(disk, sector, after.array, gpt.entries_in_bytes(after))
        yield _dd(disk, sector, 1, gpt.header_in_bytes(after, disk.sectors, sector))
    if "protective MBR" in before.damage:
        yield _dd(disk, mbr.SLOTS, 1, before.slots or mbr.mended(b"", disk.sectors))
    yield Command((*_SFDISK, "--disk-id", disk.node, str(after.id)))


def _dd(disk: DiskState, block: int, at: int, data: bytes) -> Command:
    """A command that writes bytes from a block on, of so many bytes each, and flushes them."""
    how = ("iflag=fullblock", "conv=notrunc,fsync", "status=none")
    return Command(("dd", f"of={disk.node}", f"bs={block}", f"seek={at}", *how), stdin=data)


def _sfdisk(disk: DiskState, *how: str, script: bytes) -> Command:
    return Command((*_SFDISK, "--wipe", "never", "--wipe-partitions", "never", *how, disk.node), script)


def tell_kernel(disk: DiskState, after: DiskState) -> tuple[Command, ...]:
    """Commands that make the kernel's partitions those of ``after``."""
    numbers = {volume.number for volume in after.volumes}
    known = {volume.number for volume in disk.volumes if volume.known} | set(disk.stray)
    if not numbers:
        return (forget(disk),) if known else ()
    # An update tells of what is in the table, and leaves alone what is not.
    gone = (_partx(disk, "--delete", "--nr", f"{number}:{number}") for number in sorted(known - numbers))
    # Without its last number partx stops at the first gap.
    return (*gone, _partx(disk, "--update", "--nr", f"1:{max(numbers)}"))


_MOST = 256
"""How many partitions of a disk the kernel can have (DISK_MAX_PARTS)."""


def forget(disk: DiskState) -> Command:
    """A command after which the kernel has no partition of the disk, whether or not it had one.

    Without the numbers partx(8) fails where there is none any more; and another program, udev first of all, may
    have had the kernel read the table anew.
    """
    return _partx(disk, "--delete", "--nr", f"1:{_MOST}")


MOMENT = 10.0
"""Seconds that others are given to let go of a partition: udev and its like look into each that is new."""


def _partx(disk: DiskState, *argv: str) -> Command:
    """A command that tells the kernel of partitions. It does not take that of one that anybody has open (EBUSY)."""
    return Command(
        ("partx", *argv, disk.node),
        patience=MOMENT,
        needs=disk.node,
        advice="the kernel keeps a partition that is in use: unmount it, or let what has it open end, or reboot",
    )


def rename(disk: DiskState, number: int, name: str) -> tuple[Command, ...]:
    """Commands that give a partition a name, and flush it. A final one is given last: it says that all is sound."""
    return (Command((*_SFDISK, "--part-label", "--", disk.node, str(number), name)),)


def stamp(disk: DiskState, number: int, uuid: UUID) -> tuple[Command, ...]:
    """Commands that give a partition another UUID, and flush it."""
    return (Command((*_SFDISK, "--part-uuid", disk.node, str(number), str(uuid))),)


def check_expressible(path: str, table: gpt.Gpt) -> None:
    """Raise ``Refused`` for a table that sfdisk would not write back as it is: of the rest it writes what it read."""
    at = 0
    for entry in sorted(table.entries, key=lambda entry: entry.start):
        if entry.start < at or entry.size < 1 or not table.first_lba <= entry.start <= table.last_lba:
            raise Refused(
                f"partition {entry.number} of {path} overlaps another, or lies where no partition may be",
                advice="the table is corrupt: copy the disk first, then repair the table with sfdisk or gdisk; or, "
                + START_OVER,
            )
        at = entry.end


def is_overwritten(disk: DiskState) -> bool:
    """Whether something else was put on the disk over its table, so that no more than a copy of it is left.

    That copy says whose the disk was, and not whose it is.
    """
    if not isinstance(disk.table, gpt.Gpt):
        return False
    first = {gpt.FIRST_SECTOR, gpt.FIRST_COPY} & disk.table.taken
    spoilt = {"primary table", "protective MBR"} & disk.table.damage
    return bool(first or (spoilt and set(disk.signatures) - {"dos"}))


def erase(disk: DiskState, besides: Iterable[tuple[int, int]] = ()) -> tuple[Command, ...]:
    """Commands that leave no signature on the disk: its partitions' first, its own last; and nothing at its ends.

    ``besides``: more places that are left empty, start and size in bytes.

    A crash on the way leaves something that says that somebody's data were there, and a rerun erases the
    rest. wipefs(8) writes over no more than the signatures that it knows, and there are tables that it does
    not know for what they are; so the ends, where tables are, are emptied besides.

    A table is data: its partitions may overlap, lie in each other or beyond the end of the disk, so that the kernel
    does not have them. So the partitions are emptied by their places on the disk. The first command opens the disk
    exclusively (O_EXCL), which the kernel denies where anything uses it, in whatever mount namespace; and it
    writes nothing. The kernel forgets the partitions before anything is written, and once more at the end:
    wipefs(8) makes it read the table anew.
    """
    partitions = [place for volume in disk.volumes for place in _ends(disk, *disk.place(volume))]
    told = [forget(disk)] if disk.volumes or disk.stray else []
    places = [*partitions, *besides]
    emptied = [_zeros(disk, places)] if places else []
    ends = _zeros(disk, _ends(disk, 0, disk.size))
    whole = (Command(("wipefs", "--all", "--quiet", disk.node)), _sampled(disk), ends)
    return (guard(disk.node), *told, *emptied, *whole, forget(disk))


def guard(node: str) -> Command:
    """A command that fails where anything uses the device, in any mount namespace (O_EXCL), and writes nothing."""
    return Command(("wipefs", "--all", "--no-act", "--quiet", node))


def wipe(*nodes: str) -> tuple[Command, ...]:
    """Commands that leave no signature on these partitions.

    The first opens them exclusively, so it fails where one is in use; but it passes over a partition
    table inside a partition, such as a virtual machine's disk leaves.
    """
    return (
        Command(("wipefs", "--all", "--quiet", *nodes)),
        Command(("wipefs", "--all", "--quiet", "--force", *nodes)),
        Command(("sync", *nodes)),
    )


_FROM_START = 8 * MIB
_TO_END = 2 * MIB
"""How far from the ends of an extent a signature may be that any program looks for: the second header of LUKS2 up to
4 MiB from its start, an array's record 1.5 MiB from its end (libblkid, promise_raid); all others are nearer."""

_WRITE_ZEROS = r"""
zeros() {
    if command -v perl >/dev/null; then
        perl -e 'open(D, "+<:raw", shift) or die "$!\n"; while (<STDIN>) {
            my ($at, $left) = map { $_ * 512 } split; sysseek(D, $at, 0) or die "$!\n";
            while ($left > 0) {
                my $done = syswrite(D, "\0" x ($left < 1048576 ? $left : 1048576)) or die "$!\n";
                $left -= $done } }' "$1"
    else
        while read -r at count; do
            dd if=/dev/zero of="$1" bs=512 seek="$at" count="$count" conv=notrunc status=none || return
        done
    fi
}
"""
"""A function that leaves zeros at the places that it reads, start and size in units of 512 bytes. There may be
hundreds, and to start a program for each takes long."""

_ZEROS = f"""{_WRITE_ZEROS}
zeros "$1"
sync "$1"
"""


def _ends(disk: DiskState, start: int, size: int) -> list[tuple[int, int]]:
    """The two ends of an extent, start and size in bytes, as far as they lie on the disk."""
    end = min(start + size, disk.size)
    last = max(start, end - _TO_END)
    places = [(start, min(_FROM_START, end - start)), (last, end - last)]
    return [(at, length) for at, length in places if length > 0]


def _zeros(disk: DiskState, places: Iterable[tuple[int, int]]) -> Command:
    """A command that leaves zeros at these places (start and size in bytes), and nothing unflushed."""
    lines = "".join(f"{start // 512} {size // 512}\n" for start, size in places)
    return Command(("sh", "-euc", _ZEROS, "zeros", disk.node), stdin=lines.encode())


_EMPTY_SAMPLES = f"""
pages=$2
{SAMPLE_PLACES}{_WRITE_ZEROS}
places | while read -r at; do echo $((at * {SAMPLE // 512})) {SAMPLE // 512}; done | zeros "$1"
"""


def _sampled(disk: DiskState) -> Command:
    """A command that leaves zeros where the samples are read, so that what was erased counts as blank."""
    return Command(("sh", "-euc", _EMPTY_SAMPLES, "samples", disk.node, str(disk.size // SAMPLE)))


def erased(disk: DiskState) -> DiskState:
    """The disk after ``erase``."""
    return replace(
        disk, table=None, volumes=(), signatures=(), content=None, stray=(), filled=False, cleared=((0, disk.sectors),)
    )


def known_to_kernel(disk: DiskState) -> DiskState:
    """The disk once the kernel has been told of every partition in its table, and of no other."""
    volumes = tuple(replace(volume, known=True) for volume in disk.volumes)
    return replace(disk, volumes=volumes, stray=())


def with_partition(disk: DiskState, entry: gpt.Entry, volume: PartitionState) -> DiskState:
    """The disk once a partition was made or changed, and the kernel told."""
    return known_to_kernel(disk.with_entry(entry).with_volume(volume))


def without_partitions(disk: DiskState, gone: tuple[gpt.Entry, ...]) -> DiskState:
    """The disk once these partitions were removed, and what they held."""
    assert isinstance(disk.table, gpt.Gpt)
    numbers = {entry.number for entry in gone}
    after = replace(
        disk,
        table=without(disk.table, *gone),
        volumes=tuple(volume for volume in disk.volumes if volume.number not in numbers),
        cleared=(*disk.cleared, *((entry.start, entry.end) for entry in gone)),
    )
    return known_to_kernel(after)


def remove(disk: DiskState, gone: tuple[gpt.Entry, ...]) -> tuple[Command, ...]:
    """Commands that remove partitions: first what they hold, so that nothing of it comes back in another one."""
    nodes = tuple(disk.partition_node(entry.number) for entry in gone)
    unknown = any(volume.number in {entry.number for entry in gone} and not volume.known for volume in disk.volumes)
    reveal = tell_kernel(disk, disk) if unknown else ()
    return (*reveal, *wipe(*nodes), *rewrite(disk, without_partitions(disk, gone)))


def extent(disk: DiskState, entry: gpt.Entry) -> str:
    """Where a partition is, in words."""
    sector = disk.limits.sector
    return f"{show(entry.size * sector)} at {show(entry.start * sector)}"
