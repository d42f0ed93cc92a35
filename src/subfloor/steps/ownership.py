"""What this play made on a disk. It may make that again without consent; all other content is a loss (``losses``)."""

from __future__ import annotations

from uuid import UUID

from subfloor.core.identity import Identity
from subfloor.core.machine import Machine
from subfloor.observe.disk import Content, DiskState, FreeSpace, PartitionState, Remains
from subfloor.storage.allocation import hole_around
from subfloor.storage.arrays import name_in
from subfloor.storage.filesystems import LAYERS, RAID, TOOLS, uuid_on_disk
from subfloor.storage.gpt import Entry, Gpt
from subfloor.storage.marks import UNFINISHED, final


def is_our_partition(identity: Identity, table: Gpt, entry: Entry) -> bool:
    """Whether this play, or an earlier version of it, made the partition or took it over, with its current name."""
    return is_partition(identity, table.id, entry, final(entry.name))


def is_partition(identity: Identity, table: UUID, entry: Entry, name: str) -> bool:
    """Whether the partition has the UUID that this play gives to a partition with its number and this name."""
    made = entry.uuid == identity.partition(table, entry.number, name)
    return made or identity.is_adopted(entry.uuid, table, entry.number, name)


def adopted_uuid(identity: Identity, table: UUID, number: int, name: str, content: Content | None) -> UUID:
    """The UUID that a partition gets when it is taken over with this content."""
    return identity.adopted(table, number, name, f"{content.type} {content.uuid}" if content else "")


def is_adopted_content(identity: Identity, table: Gpt, entry: Entry, content: Content) -> bool:
    """Whether the partition was taken over with this very content, as far as its UUID shows."""
    return entry.uuid == adopted_uuid(identity, table.id, entry.number, final(entry.name), content)


def is_our_content(identity: Identity, partition: UUID, content: Content) -> bool:
    """Whether the content has a type and UUID that this play gives to content of the partition with that UUID.

    A swap area has its UUID and its signature in different sectors, so after a power failure during mkswap it may
    show no UUID. A member of an array has the array's UUID, which is derived from the name in its label.
    """
    if content.type == RAID:
        return content.uuid == str(identity.array(name_in(content.label)))
    if content.type not in (*TOOLS, *LAYERS):
        return False
    ours = uuid_on_disk(content.type, identity.filesystem(partition))
    return content.uuid in ("", ours)


def holds_nothing_finished(identity: Identity, table: Gpt, entry: Entry, volume: PartitionState | None) -> bool:
    """Whether the partition holds only our unfinished work: content that we would make, or nothing recognisable."""
    content = volume.content if volume else None
    ours = content is None or (isinstance(content, Content) and is_our_content(identity, entry.uuid, content))
    return ours and entry.name.endswith(UNFINISHED) and is_our_partition(identity, table, entry)


# Free space.


def remains(machine: Machine, path: str, disk: DiskState, table: Gpt, start: int, size: int) -> tuple[Remains, ...]:
    """Content in the free space for a new partition, without losses for which this run already has consent.

    Such content exists because deleting a table entry does not delete the filesystem. ``start`` and ``size``: in
    sectors. Raises ``LookNeeded``.
    """
    if disk.is_cleared(start, start + size):
        return ()
    space = free_space(path, table, start, size, disk.limits.sector)
    found = machine.further(space)
    return tuple(each for each in found if each.overlaps(*space.extent) and not _agreed(disk, each))


def free_space(path: str, table: Gpt, start: int, size: int, sector: int) -> FreeSpace:
    """The free space for a new partition of this table. ``start`` and ``size``: in sectors; ``sector``: in bytes."""
    first, end = hole_around(table, start)
    return FreeSpace(path, (first * sector, end * sector), (start * sector, (start + size) * sector))


def _agreed(disk: DiskState, found: Remains) -> bool:
    at = found.start // disk.limits.sector
    return disk.is_cleared(at, at + 1)
