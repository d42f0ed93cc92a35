"""A partition of a GPT, as a volume: the name in its table entry has the mark."""

from __future__ import annotations

from dataclasses import dataclass, replace

from subfloor.core.errors import Refused
from subfloor.core.identity import Identity
from subfloor.core.machine import AnySubject, Machine
from subfloor.core.task import Command, Loss, Step, Task
from subfloor.observe.disk import Content, Disk, DiskState, PartitionState
from subfloor.steps.losses import losses_of_partitions
from subfloor.steps.ownership import is_adopted_content, is_our_partition, is_partition
from subfloor.steps.partitioning import check_expressible, disk_at, rename, stamp, table_of, tell_kernel
from subfloor.steps.volumes.volume import Locate, Location, Volume
from subfloor.storage.devices import partition_of
from subfloor.storage.gpt import Entry, Gpt
from subfloor.storage.marks import LONGEST_NAME, UNFINISHED


@dataclass(frozen=True)
class PartitionAt(Location):
    """The partition at ``path``. ``declared``: the name that a task of the play gives to it; empty if none makes it."""

    path: str
    declared: str = ""

    def subjects(self) -> frozenset[AnySubject]:
        """All subjects that ``on`` reads."""
        return frozenset({Disk(self._disk)})

    def on(self, machine: Machine, identity: Identity) -> Volume:
        """The volume on a machine. Raises ``Refused`` and ``NotVisible``."""
        disk = disk_at(machine, self._disk)
        table = table_of(self._disk, disk)
        entry, seen = disk.entry(self._number), disk.volume(self._number)
        if not entry or not seen:
            raise Refused(
                f"there is no {self.path}: {self._disk} has no partition {self._number}",
                advice="put an `aligned-partition` task before this one",
            )
        ours = is_our_partition(identity, table, entry)
        if not ours and self.declared:
            raise self._another(identity, table, entry)
        return Partition(
            machine=machine,
            identity=identity,
            path=self.path,
            node=disk.partition_node(self._number),
            size=entry.size * disk.limits.sector,
            sector=disk.limits.sector,
            name=entry.name,
            uuid=entry.uuid,
            ours=ours,
            content=seen.content,
            adopted=isinstance(seen.content, Content) and is_adopted_content(identity, table, entry, seen.content),
            users=seen.users,
            in_use=seen.in_use,
            read_only=disk.read_only,
            known=seen.known,
            disks=(self._disk, disk.node),
            locks=(disk.node,),
            disk=disk,
            entry=entry,
            seen=seen,
        )

    @property
    def _disk(self) -> str:
        return partition_of(self.path)[0]

    @property
    def _number(self) -> int:
        return partition_of(self.path)[1]

    def _another(self, identity: Identity, table: Gpt, entry: Entry) -> Refused:
        if is_partition(identity, table.id, entry, self.declared):
            return Refused(
                f"{self.path} is the {self.declared!r} of this play, but was renamed to {entry.name!r}",
                advice="also run the `aligned-partition` task before this one: it restores the name",
            )
        return Refused(
            f"{self.path} ({entry.name!r}) was not made by this play, and stays as it is",
            advice=f"give {self.declared!r} a free number; or, to make a filesystem on this partition "
            "as it is, remove the `aligned-partition` task for it, and consent",
        )


@dataclass(frozen=True, kw_only=True)
class Partition(Volume):
    """A partition on a machine. ``entry``: its table entry; ``seen``: the rest of its state."""

    disk: DiskState
    entry: Entry
    seen: PartitionState

    @property
    def whole(self) -> str:
        """The node of the whole device that contains the volume, or is the volume."""
        return self.disk.node

    def reveal(self) -> tuple[Command, ...]:
        """Commands that make the volume known to the kernel; none if the kernel knows it."""
        return () if self.known else tell_kernel(self.disk, self.disk)

    def mark(self, name: str) -> tuple[Command, ...]:
        """Commands that rename the volume, and flush it."""
        return rename(self.disk, self.entry.number, name)

    def holding(self, content: Content | None, name: str, *, known: bool = True) -> Machine:
        """The machine after the volume got this content and name."""
        return self._with(replace(self.entry, name=name), content, known=known)

    def losses(self, about: str) -> tuple[Loss, ...]:
        """The losses of a step that destroys the content of the volume. Raises ``LookNeeded``."""
        return losses_of_partitions(self.machine, self.disks[0], self.disk, (self.entry,), about)

    def take_over(self) -> Step:
        """A step that makes the partition ours: its name and UUID change, its content is erased, all else stays."""
        table = table_of(self.disks[0], self.disk)
        check_expressible(self.disks[0], table)
        name = self.final_name[:LONGEST_NAME]
        uuid = self.identity.partition(table.id, self.entry.number, name)
        taken = replace(self.entry, name=name + UNFINISHED, uuid=uuid)
        return Step(
            says=f"Take over {self.path} {self.name!r}, and empty it",
            commands=(
                *self.reveal(),
                *self.wipe(),
                # The UUID comes last: until then the partition is foreign, and needs consent.
                *self.mark(taken.name),
                *stamp(self.disk, self.entry.number, uuid),
            ),
            after=self._with(taken, None, known=True),
            destroys=self.losses("not made by this play"),
            locks=self.locks,
        )

    def _with(self, entry: Entry, content: Content | None, *, known: bool) -> Machine:
        seen = replace(self.seen, content=content, known=known)
        return self.machine.with_(Disk(self.disks[0]), self.disk.with_entry(entry).with_volume(seen))


def located(path: str, play: tuple[Task, ...], locate: Locate) -> Location | None:
    """The partition at a path. Raises ``ValueError`` for a path that names no partition."""
    where = partition_of(path)
    return PartitionAt(path, next(filter(None, (_name_given_by(task, where) for task in play)), ""))


def _name_given_by(task: Task, where: tuple[str, int]) -> str:
    """The name that the task gives to this partition; "" if the task does not make it."""
    makes = (getattr(task, "device", None), getattr(task, "number", None)) == where
    return str(getattr(task, "name", "")) if makes and task.key == "aligned-partition" else ""
