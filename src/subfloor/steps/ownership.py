"""What this play made on a disk, and so may make again without consent. All other content is a loss (``losses``)."""

from __future__ import annotations

from uuid import UUID

from subfloor.core.identity import Identity
from subfloor.core.machine import Machine
from subfloor.observe.disk import Content, DiskState, FreeSpace, PartitionState, Remains
from subfloor.storage.allocation import hole_around
from subfloor.storage.filesystems import LUKS, TOOLS, uuid_on_disk
from subfloor.storage.gpt import Entry, Gpt
from subfloor.storage.marks import UNFINISHED, final


def is_our_partition(identity: Identity, table: Gpt, entry: Entry) -> bool:
    """Whether this play, or an earlier version of it, made the partition under its current name."""
    return entry.uuid == identity.partition(table.id, entry.number, final(entry.name))


def is_our_content(identity: Identity, partition: UUID, content: Content) -> bool:
    """Whether this play makes such content on the partition with that UUID.

    A swap area has its UUID and its signature in different sectors, so after a power failure during mkswap it may
    show no UUID.
    """
    if content.type not in (*TOOLS, LUKS):
        return False
    ours = uuid_on_disk(content.type, identity.filesystem(partition))
    return content.uuid in ("", ours)


def holds_nothing_finished(identity: Identity, table: Gpt, entry: Entry, volume: PartitionState | None) -> bool:
    """Whether it is our own unfinished work: content that we would make there, or nothing recognisable."""
    content = volume.content if volume else None
    ours = content is None or (isinstance(content, Content) and is_our_content(identity, entry.uuid, content))
    return ours and entry.name.endswith(UNFINISHED) and is_our_partition(identity, table, entry)


# Free space.


def remains(machine: Machine, path: str, disk: DiskState, table: Gpt, start: int, size: int) -> tuple[Remains, ...]:
    """What the free space for a new partition (in sectors) still holds, except losses with consent already given.

    Deleting a table entry does not delete the filesystem behind it. Raises ``LookNeeded``.
    """
    if disk.is_cleared(start, start + size):
        return ()
    sector = disk.limits.sector
    first, end = hole_around(table, start)
    extent = start * sector, (start + size) * sector
    found = machine.further(FreeSpace(path, (first * sector, end * sector), extent))
    return tuple(each for each in found if each.overlaps(*extent) and not _agreed(disk, each))


def _agreed(disk: DiskState, found: Remains) -> bool:
    at = found.start // disk.limits.sector
    return disk.is_cleared(at, at + 1)
