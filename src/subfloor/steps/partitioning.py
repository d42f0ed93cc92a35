"""Code of the tasks that write to disks: which disks they may change, and how a table is written.

All of it is pure: it returns commands and values, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from uuid import UUID

from subfloor.core.errors import Refused
from subfloor.core.identity import Identity
from subfloor.core.machine import Machine
from subfloor.core.task import Command
from subfloor.observe.disk import SAMPLE, SAMPLE_PLACES, Disk, DiskState, Missing, PartitionState, Unopened
from subfloor.steps import in_use
from subfloor.storage import gpt, mbr
from subfloor.storage.allocation import without
from subfloor.storage.sizes import MIB, show

START_OVER = (
    "to start over on the whole disk, give it another name with `disk:` in `wipefs` and `gpt-label`, and consent "
    "with `--destroy`"
)
"""How to erase a disk of ours: with another name it gets another label-id, so its content is no longer ours."""

_SFDISK = ("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel")


def disk_at(machine: Machine, path: str) -> DiskState:
    """The disk at a path. Raises ``Refused`` if there is none, or if it is not a disk that can be partitioned."""
    disk = machine[Disk(path)]
    if isinstance(disk, Missing):
        there = "; ".join(disk.present) or "none"
        raise Refused(f"there is no device {path}", advice=f"name another disk; this machine has: {there}")
    if isinstance(disk, Unopened):
        raise disk.error(path)
    if disk.kind != "disk":
        what = "a CD-ROM" if disk.kind == "rom" else "a partition"
        raise Refused(f"{path} is {what}, but a whole disk is required", advice="name a disk; lsblk lists them")
    if not disk.size:
        raise Refused(f"{path} has no size", advice="insert a medium, or name another disk")
    return disk


def writable(path: str, disk: DiskState) -> DiskState:
    """The disk, if it is writable. Raises ``Refused``."""
    if disk.read_only:
        raise Refused(
            f"{path} is read-only",
            advice="see `blockdev --getro` and the disk's write protection, or name another disk",
        )
    return disk


def unused(machine: Machine, path: str, disk: DiskState, instead: str = "") -> DiskState:
    """The disk, if neither it nor a partition is in use. Raises ``Refused``, since consent does not help, and
    ``LookNeeded``. ``instead``: the advice, if something better can be done than to release the disk."""
    if disk.is_busy:
        advice = "subfloor never destroys what is in use; unmount, `swapoff` or detach it, then run subfloor again"
        raise in_use.refusal(machine, path, disk.node, disk.busy, instead or advice)
    return disk


def tellable(path: str, disk: DiskState) -> DiskState:
    """The disk, if it is writable and the kernel will accept a changed table. Raises ``Refused``.

    The kernel keeps a partition in use as it is, even if the table has changed.
    """
    writable(path, disk)
    stale = [(disk.partition_node(v.number), v.users) for v in disk.volumes if v.in_use and not v.known]
    used = [(path, disk.users)] if disk.in_use and disk.stray else []
    for node, users in (*stale, *used):
        raise Refused(
            f"the kernel's partitions of {path} differ from its table, and {node} is in use: {', '.join(users)}",
            advice="unmount, `swapoff` or detach it, or reboot; then run subfloor again",
        )
    return disk


def check_not_another(path: str, name: str, disk: DiskState, identity: Identity, others: Iterable[str]) -> None:
    """Raise ``Refused`` if the label-id is that of another disk of the play. ``others``: the other disks' names."""
    other = identity.name_of(disk.table.id, others) if isinstance(disk.table, gpt.Gpt) else None
    if other is not None:
        raise Refused(
            f"{path} is the disk “{other}” of this play, not “{name}”",
            advice="the device names have changed: name the disks by /dev/disk/by-id/…",
        )


def table_of(path: str, disk: DiskState) -> gpt.Gpt:
    """The GPT of the disk. Raises ``Refused`` if it has none, or a damaged one."""
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
    """Commands that change the table of ``disk`` to that of ``after``, and update the kernel.

    A new table is written from one script that leaves sfdisk nothing to choose. In an existing table only changes
    are written: its geometry, the place of its entries, all other entries, and the boot code, signature and slots in
    the first sector stay. Partitions in use prevent the kernel from rereading a table (BLKRRPART). But the kernel
    accepts an update of each partition (partx(8), BLKPG).
    """
    assert isinstance(after.table, gpt.Gpt)
    there = disk.table if isinstance(disk.table, gpt.Gpt) and disk.table.id == after.table.id else None
    written = _changes(disk, there, after.table) if there else (_sfdisk(disk, script=gpt.script(after.table)),)
    return (*written, *tell_kernel(disk, after))


def _changes(disk: DiskState, before: gpt.Gpt, after: gpt.Gpt) -> Iterator[Command]:
    """Commands that turn one table into the other: repair, delete, change, add. Each command writes the table once."""
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
    """Commands that repair both copies of a table. sfdisk finds the valid copy, and each of its writes covers both.

    sfdisk does not find a copy at the old end of a disk that has grown. So for such a disk the first copy is written
    here, its header last. sfdisk finds no table without a protective MBR either. So the slots of the MBR are written
    here, in one piece, and nothing beside them.
    """
    sector = disk.limits.sector
    if gpt.is_at_old_end(before):
        yield _dd(disk, sector, after.array, gpt.entries_in_bytes(after))
        yield _dd(disk, sector, 1, gpt.header_in_bytes(after, disk.sectors, sector))
    if "protective MBR" in before.damage:
        yield _dd(disk, mbr.SLOTS, 1, before.slots or mbr.mended(b"", disk.sectors))
    yield Command((*_SFDISK, "--disk-id", disk.node, str(after.id)))


def _dd(disk: DiskState, block: int, at: int, data: bytes) -> Command:
    """A command that writes data from block ``at`` on, with ``block`` bytes per block, and flushes it."""
    how = ("iflag=fullblock", "conv=notrunc,fsync", "status=none")
    return Command(("dd", f"of={disk.node}", f"bs={block}", f"seek={at}", *how), stdin=data)


def _sfdisk(disk: DiskState, *how: str, script: bytes) -> Command:
    return Command((*_SFDISK, "--wipe", "never", "--wipe-partitions", "never", *how, disk.node), script)


def tell_kernel(disk: DiskState, after: DiskState) -> tuple[Command, ...]:
    """Commands that change the kernel's partitions to those of ``after``."""
    numbers = {volume.number for volume in after.volumes}
    known = {volume.number for volume in disk.volumes if volume.known} | set(disk.stray)
    if not numbers:
        return (forget(disk),) if known else ()
    # An update handles partitions in the table, and leaves all others alone.
    gone = (_partx(disk, "--delete", "--nr", f"{number}:{number}") for number in sorted(known - numbers))
    # Without a last number partx stops at the first gap.
    return (*gone, _partx(disk, "--update", "--nr", f"1:{max(numbers)}"))


_MOST = 256
"""How many partitions of a disk the kernel can have (DISK_MAX_PARTS)."""


def forget(disk: DiskState) -> Command:
    """A command that removes all partitions of the disk from the kernel; it succeeds if there are none.

    It names all possible numbers: without numbers, partx(8) fails if there is no partition. The partitions that were
    seen are not enough, because another program, such as udev, may have made the kernel reread the table since.
    """
    return _partx(disk, "--delete", "--nr", f"1:{_MOST}")


MOMENT = 10.0
"""Seconds to wait until other programs close a partition: udev and similar programs open each new one."""


def _partx(disk: DiskState, *argv: str) -> Command:
    """A command that updates the kernel's partitions. The kernel refuses to change a partition that is open (EBUSY)."""
    return Command(
        ("partx", *argv, disk.node),
        patience=MOMENT,
        needs=disk.node,
        advice="the kernel keeps a partition that is in use: unmount it, or end the program that uses it, or reboot",
    )


def rename(disk: DiskState, number: int, name: str) -> tuple[Command, ...]:
    """Commands that rename a partition, and flush it. The final name comes last: it marks finished content."""
    return (Command((*_SFDISK, "--part-label", "--", disk.node, str(number), name)),)


def stamp(disk: DiskState, number: int, uuid: UUID) -> tuple[Command, ...]:
    """Commands that give a partition another UUID, and flush it."""
    return (Command((*_SFDISK, "--part-uuid", disk.node, str(number), str(uuid))),)


def restamp(disk: DiskState, after: gpt.Gpt) -> tuple[Command, ...]:
    """Commands that give first the partitions and then the table the UUIDs of ``after``, and change nothing else.

    Each command is one write. No partition moves, so the kernel need not be updated.
    """
    assert isinstance(disk.table, gpt.Gpt)
    old = {entry.number: entry.uuid for entry in disk.table.entries}
    changed = (entry for entry in after.entries if entry.uuid != old[entry.number])
    stamped = tuple(command for entry in changed for command in stamp(disk, entry.number, entry.uuid))
    same = disk.table.id == after.id
    return stamped if same else (*stamped, Command((*_SFDISK, "--disk-id", disk.node, str(after.id))))


def check_expressible(path: str, table: gpt.Gpt) -> None:
    """Raise ``Refused`` for a table that sfdisk would not write back unchanged."""
    at = 0
    for entry in sorted(table.entries, key=lambda entry: entry.start):
        if entry.start < at or entry.size < 1 or not table.first_lba <= entry.start <= table.last_lba:
            raise Refused(
                f"partition {entry.number} of {path} overlaps another one, or lies outside the usable space",
                advice="the table is corrupt: copy the disk first, then repair the table with sfdisk or gdisk; or, "
                + START_OVER,
            )
        at = entry.end


def is_overwritten(disk: DiskState) -> bool:
    """Whether something else overwrote the table of the disk, so that only a copy of it is left.

    Such a copy shows the former owner of the disk, not the current one.
    """
    if not isinstance(disk.table, gpt.Gpt):
        return False
    first = {gpt.FIRST_SECTOR, gpt.FIRST_COPY} & disk.table.taken
    spoilt = {"primary table", "protective MBR"} & disk.table.damage
    return bool(first or (spoilt and set(disk.signatures) - {"dos"}))


def erase(disk: DiskState, besides: Iterable[tuple[int, int]] = ()) -> tuple[Command, ...]:
    """Commands that erase all signatures, first of the partitions and then of the disk, and empty the ends of each.

    ``besides``: more places to empty, start and size in bytes.

    A crash in between leaves signatures that show that the disk held data, and a rerun erases the rest. wipefs(8)
    overwrites only the signatures that it knows, and there are tables that it does not recognise; so the ends, where
    tables are, are emptied too.

    A table may be wrong: its partitions may overlap, lie in each other or beyond the end of the disk, so that the
    kernel does not have them. So the partitions are emptied by their places on the disk. The first command opens the
    disk exclusively (O_EXCL), which fails if it is in use in any mount namespace; it writes nothing. The partitions
    are removed from the kernel before anything is written, and again at the end: wipefs(8) makes the kernel reread
    the table.
    """
    partitions = [place for volume in disk.volumes for place in _ends(disk, *disk.place(volume))]
    told = [forget(disk)] if disk.volumes or disk.stray else []
    places = [*partitions, *besides]
    emptied = [_zeros(disk, places)] if places else []
    ends = _zeros(disk, _ends(disk, 0, disk.size))
    whole = (Command(("wipefs", "--all", "--quiet", disk.node)), _sampled(disk), ends)
    return (guard(disk.node), *told, *emptied, *whole, forget(disk))


def guard(node: str) -> Command:
    """A command that fails if the device is in use in any mount namespace (O_EXCL), and writes nothing."""
    return Command(("wipefs", "--all", "--no-act", "--quiet", node))


def wipe(*nodes: str) -> tuple[Command, ...]:
    """Commands that erase all signatures on these partitions.

    The first command opens the partitions exclusively, so it fails if one is in use. But it skips a partition table
    inside a partition, such as one from the disk of a virtual machine. The second command erases such a table.
    """
    return (
        Command(("wipefs", "--all", "--quiet", *nodes)),
        Command(("wipefs", "--all", "--quiet", "--force", *nodes)),
        Command(("sync", *nodes)),
    )


_FROM_START = 8 * MIB
_TO_END = 2 * MIB
"""The largest distance of a known signature from the ends of an extent: the second LUKS2 header is up to 4 MiB from
its start, the record of an array 1.5 MiB from its end (libblkid, promise_raid); all others are nearer."""

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
"""A shell function that writes zeros to the places on its input, start and size in units of 512 bytes. There may be
hundreds, and one program for each would take long."""

_ZEROS = f"""{_WRITE_ZEROS}
zeros "$1"
sync "$1"
"""


def _ends(disk: DiskState, start: int, size: int) -> list[tuple[int, int]]:
    """The two ends of an extent, start and size in bytes, limited to the disk."""
    end = min(start + size, disk.size)
    last = max(start, end - _TO_END)
    places = [(start, min(_FROM_START, end - start)), (last, end - last)]
    return [(at, length) for at, length in places if length > 0]


def _zeros(disk: DiskState, places: Iterable[tuple[int, int]]) -> Command:
    """A command that writes zeros to these places (start and size in bytes), and flushes them."""
    lines = "".join(f"{start // 512} {size // 512}\n" for start, size in places)
    return Command(("sh", "-euc", _ZEROS, "zeros", disk.node), stdin=lines.encode())


def empty_ends(disk: DiskState) -> Command:
    """A command that writes zeros to both ends of a device, so that nothing is recognised there."""
    return _zeros(disk, _ends(disk, 0, disk.size))


_EMPTY_SAMPLES = f"""
pages=$2
{SAMPLE_PLACES}{_WRITE_ZEROS}
places | while read -r at count; do
    echo $((at * {SAMPLE // 512})) $((count * {SAMPLE // 512}))
done | zeros "$1"
"""


def _sampled(disk: DiskState) -> Command:
    """A command that writes zeros where the samples are read, so that an erased disk counts as blank."""
    return Command(("sh", "-euc", _EMPTY_SAMPLES, "samples", disk.node, str(disk.size // SAMPLE)))


def erased(disk: DiskState) -> DiskState:
    """The disk after ``erase``."""
    return replace(
        disk,
        table=None,
        volumes=(),
        signatures=(),
        content=None,
        mark=None,
        stray=(),
        filled=False,
        cleared=((0, disk.sectors),),
    )


def known_to_kernel(disk: DiskState) -> DiskState:
    """The disk after the kernel's partitions were updated to those of its table."""
    volumes = tuple(replace(volume, known=True) for volume in disk.volumes)
    return replace(disk, volumes=volumes, stray=())


def with_partition(disk: DiskState, entry: gpt.Entry, volume: PartitionState) -> DiskState:
    """The disk after a partition was made or changed, and the kernel updated."""
    return known_to_kernel(disk.with_entry(entry).with_volume(volume))


def without_partitions(disk: DiskState, gone: tuple[gpt.Entry, ...]) -> DiskState:
    """The disk after these partitions and their content were removed."""
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
    """Commands that remove partitions: first their content, so that it does not reappear in a new partition."""
    nodes = tuple(disk.partition_node(entry.number) for entry in gone)
    unknown = any(volume.number in {entry.number for entry in gone} and not volume.known for volume in disk.volumes)
    reveal = tell_kernel(disk, disk) if unknown else ()
    return (*reveal, *wipe(*nodes), *rewrite(disk, without_partitions(disk, gone)))


def extent(disk: DiskState, entry: gpt.Entry) -> str:
    """The size and start of a partition, for messages."""
    sector = disk.limits.sector
    return f"{show(entry.size * sector)} at {show(entry.start * sector)}"
