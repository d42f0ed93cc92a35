"""What the tasks that write to disks share: which disks they may touch at all, and how a table is written.

All of it is pure: it makes commands and values, and touches nothing.
"""

from __future__ import annotations

from dataclasses import replace

from subfloor import gpt
from subfloor.errors import Refused
from subfloor.machine import Machine
from subfloor.sizes import show
from subfloor.subjects.disk import Disk, DiskState, Missing, Volume
from subfloor.task import Command, Loss

UNFINISHED = ".unfinished"
"""What the name of a partition ends with until what it holds has been made and proven sound."""

LONGEST_NAME = gpt.NAME_UNITS - len(UNFINISHED)
"""How long the name of a partition may be that is to be filled: its unfinished name must fit too."""


_SFDISK = ("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel")


def disk_at(machine: Machine, path: str) -> DiskState:
    """The disk at a path. Raises ``Refused`` where there is none, or no disk that could be laid out."""
    disk = machine[Disk(path)]
    if isinstance(disk, Missing):
        there = "; ".join(disk.present) or "none"
        raise Refused(f"there is no device {path}", advice=f"name another disk; those that are here: {there}")
    if disk.kind != "disk":
        what = "a CD-ROM" if disk.kind == "rom" else "a partition"
        raise Refused(f"{path} is {what}, and a whole disk is wanted", advice="name a disk; lsblk lists them")
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


def table_of(path: str, disk: DiskState) -> gpt.Gpt:
    """The disk's GPT. Raises ``Refused`` where it has none, or a damaged one."""
    if not isinstance(disk.table, gpt.Gpt):
        found = f"a {disk.table.type} partition table" if disk.table else "no partition table"
        raise Refused(f"{path} has {found}, and a GPT is wanted", advice="put a `gpt-label` task before this one")
    if disk.table.damage:
        raise Refused(
            f"the GPT of {path} is damaged: {', '.join(sorted(disk.table.damage))}",
            advice="put a `gpt-label` task before this one: it repairs the table",
        )
    return disk.table


def loss(path: str, disk: DiskState) -> Loss:
    """Everything on a disk, as what a step destroys."""
    return Loss(path, disk.node, disk.describe())


def rewrite(disk: DiskState, after: DiskState) -> tuple[Command, ...]:
    """Commands that write the table of ``after``, and tell the kernel.

    The whole table is written from one script, so nothing is left for sfdisk to choose; entries that
    do not change are written as they are. Partitions in use keep the kernel from reading a table anew
    (BLKRRPART), so it is told of each partition instead, which it takes (partx(8), BLKPG).
    """
    assert isinstance(after.table, gpt.Gpt)
    return (
        Command(
            (*_SFDISK, "--wipe", "never", "--wipe-partitions", "never", disk.node),
            stdin=gpt.script(after.table),
        ),
        *tell_kernel(disk, after),
    )


def tell_kernel(disk: DiskState, after: DiskState) -> tuple[Command, ...]:
    """Commands that make the kernel's partitions those of ``after``."""
    numbers = [volume.number for volume in after.volumes]
    known = [volume.number for volume in disk.volumes if volume.known] + list(disk.stray)
    if not numbers:
        return (Command(("partx", "--delete", disk.node)),) if known else ()
    # Without its last number partx stops at the first gap.
    return (Command(("partx", "--update", "--nr", f"1:{max(numbers + known)}", disk.node)),)


def finish(disk: DiskState, number: int, name: str) -> tuple[Command, ...]:
    """Commands that give a partition its final name, the very last thing: it says that what it holds is sound."""
    return (Command((*_SFDISK, "--part-label", disk.node, str(number), name)),)


def check_expressible(path: str, table: gpt.Gpt) -> None:
    """Raise ``Refused`` for a table that sfdisk would not write back as it is."""
    for entry in table.entries:
        if entry.name and not gpt.expressible(entry.name):
            raise Refused(
                f"partition {entry.number} of {path} is named {entry.name!r}, which sfdisk cannot write back",
                advice="rename that partition with another tool (sgdisk --change-name), then run this again",
            )


def erase(disk: DiskState) -> tuple[Command, ...]:
    """Commands that leave no signature on the disk: its partitions' first, its own last.

    A crash on the way leaves a table that still says what was there, and a rerun erases the rest. The
    first command opens the disk exclusively (O_EXCL), which the kernel denies where anything uses it,
    in whatever mount namespace; and it writes nothing.
    """
    nodes = [disk.partition_node(volume.number) for volume in disk.volumes]
    guard = Command(("wipefs", "--all", "--no-act", "--quiet", disk.node))
    wipe_disk = (Command(("wipefs", "--all", "--quiet", disk.node)), Command(("sync", disk.node)))
    if not nodes:
        return (guard, *wipe_disk, *_forget(disk))
    reveal = Command(("partx", "--update", "--nr", f"1:{max(volume.number for volume in disk.volumes)}", disk.node))
    wipe_partitions = (Command(("wipefs", "--all", "--quiet", *nodes)), Command(("sync", *nodes)))
    return (guard, reveal, *wipe_partitions, *wipe_disk, Command(("partx", "--delete", disk.node)))


def _forget(disk: DiskState) -> tuple[Command, ...]:
    return (Command(("partx", "--delete", disk.node)),) if disk.stray else ()


def erased(disk: DiskState) -> DiskState:
    """The disk after ``erase``."""
    return replace(disk, table=None, volumes=(), signatures=(), stray=())


def known_to_kernel(disk: DiskState) -> DiskState:
    """The disk once the kernel has been told of every partition in its table, and of no other."""
    volumes = tuple(replace(volume, known=True) for volume in disk.volumes)
    return replace(disk, volumes=volumes, stray=())


def with_partition(disk: DiskState, entry: gpt.Entry, volume: Volume) -> DiskState:
    """The disk once a partition was made or changed, and the kernel told."""
    return known_to_kernel(disk.with_entry(entry).with_volume(volume))


def extent(disk: DiskState, entry: gpt.Entry) -> str:
    """Where a partition is, in words."""
    sector = disk.limits.sector
    return f"{show(entry.size * sector)} at {show(entry.start * sector)}"
