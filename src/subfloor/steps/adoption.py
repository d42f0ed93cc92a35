"""Take over a disk that was laid out by hand or by another tool: match it with the play, then stamp its UUIDs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar
from uuid import UUID

from subfloor.core.errors import NotVisible, Refused
from subfloor.core.identity import Identity
from subfloor.core.machine import AnySubject, Machine
from subfloor.core.parameters import FromPlay, Param
from subfloor.core.task import Claim, Step, Task
from subfloor.observe.disk import Content, Disk, DiskState
from subfloor.observe.filesystem_size import FilesystemSize, SizeOn
from subfloor.observe.partuuids import Naming, PartuuidNames
from subfloor.steps import tables
from subfloor.steps.ownership import adopted_uuid, is_partition
from subfloor.steps.partitioning import check_expressible, disk_at, is_overwritten, restamp, writable
from subfloor.storage.devices import device
from subfloor.storage.gpt import Entry, Gpt

_DECLARE = (
    "declare what is there (`subfloor draft` writes it), or change the disk by hand, without loss; then run subfloor "
    "again"
)


@dataclass(frozen=True, kw_only=True)
class Adoption(Task):
    """Take over a disk whose partitions and their content are as the play declares.

    Only UUIDs in the partition table are written. ``label``: the task for the table; ``layout``: all tasks for
    the disk and its partitions.
    """

    key: ClassVar[str] = "adopt"

    device: Annotated[str, Param("The whole disk")]
    identity: Identity
    label: Annotated[Task, FromPlay()]
    layout: Annotated[tuple[Task, ...], FromPlay()]

    def subjects(self) -> frozenset[AnySubject]:
        """Everything that the tasks of the layout look at, and where PARTUUIDs are used."""
        own: frozenset[AnySubject] = frozenset({Disk(self.device), PartuuidNames()})
        return own.union(*(task.subjects() for task in self.layout))

    def next_step(self, machine: Machine) -> Step | None:
        """A step that repairs the table, or stamps the disk; None if the disk is ours.

        Raises ``Refused`` if the layout differs from the play, or if the disk cannot be taken over.
        """
        disk = disk_at(machine, self.device)
        table = self._table(disk)
        if mended := self._mended(machine, disk, table):
            return mended
        stamped = self._stamped(disk, table)
        after = machine.with_(Disk(self.device), replace(disk, table=stamped))
        self._check_layout(after, table)
        if stamped == table:
            return None
        writable(self.device, disk)
        check_expressible(self.device, table)
        self._check_names(machine, table, stamped)
        return Step(_says(self.device, table, stamped), restamp(disk, stamped), after, locks=(disk.node,))

    def claims(self, machine: Machine) -> tuple[Claim, ...]:
        """The UUIDs that the tasks of the layout claim."""
        return tuple(dict.fromkeys(claim for task in self.layout for claim in task.claims(machine)))

    def warnings_on(self, machine: Machine) -> tuple[str, ...]:
        """A warning for each boot entry of the firmware that names a PARTUUID which will change."""
        disk = machine[Disk(self.device)]
        if not isinstance(disk, DiskState) or not isinstance(disk.table, Gpt):
            return ()
        stale = self._stale(machine, disk.table, self._stamped(disk, disk.table))
        return tuple(
            f"{each.where} names a partition of {self.device} by its PARTUUID, {each.uuid}, which changes: write the "
            "entry again before you reboot (`bootctl install`, `grub-install` or `efibootmgr`)"
            for each in stale
            if each.in_firmware
        )

    def _table(self, disk: DiskState) -> Gpt:
        if not isinstance(disk.table, Gpt) or is_overwritten(disk):
            raise Refused(
                f"{self.device} has no GPT to take over: {disk.describe()}",
                advice="only disks with a GPT can be taken over: apply the playbook to another disk, and copy the data",
            )
        return disk.table

    def _mended(self, machine: Machine, disk: DiskState, table: Gpt) -> Step | None:
        """A step that repairs the table and updates the kernel. Raises ``Refused`` if that would overwrite data."""
        step = tables.repair(machine, self.device, disk, table)
        if step and step.destroys:
            raise Refused(
                f"repairing the GPT of {self.device} would overwrite unknown data: {step.destroys[0].what}",
                advice="copy the disk first; then repair its table with sgdisk or gdisk, and run subfloor again",
            )
        return step

    @property
    def _keeps_table(self) -> bool:
        return getattr(self.label, "existing", "") == "keep"

    @property
    def _declared(self) -> dict[int, str]:
        """The names of the partitions that the play declares, by number."""
        found = (task for task in self.layout if task.key == "aligned-partition")
        return {int(getattr(task, "number", 0)): str(getattr(task, "name", "")) for task in found}

    def _stamped(self, disk: DiskState, table: Gpt) -> Gpt:
        """The table with the UUIDs that make the disk ours."""
        name = str(getattr(self.label, "disk", "disk"))
        is_kept = self._keeps_table or self.identity.is_disk(table.id, name)
        label_id = table.id if is_kept else self.identity.disk(name)
        declared = self._declared
        entries = (
            self._entry(disk, label_id, entry, declared[entry.number]) if entry.number in declared else entry
            for entry in table.entries
        )
        return replace(table, id=label_id, entries=tuple(entries))

    def _entry(self, disk: DiskState, table: UUID, entry: Entry, name: str) -> Entry:
        if is_partition(self.identity, table, entry, name):
            return entry
        volume = disk.volume(entry.number)
        content = volume.content if volume and isinstance(volume.content, Content) else None
        return replace(entry, uuid=adopted_uuid(self.identity, table, entry.number, name, content))

    def _check_layout(self, after: Machine, table: Gpt) -> None:
        """Raise ``Refused`` if a task of the layout would still change the disk after the UUIDs are stamped.

        A filesystem that is smaller than its partition is accepted: the next apply lets it grow, without loss.
        """
        seen = after.updated({each: FilesystemSize() for each in self.subjects() if isinstance(each, SizeOn)})
        found = [text for task in self.layout for text in _lacks(task, seen)]
        found += [] if self._keeps_table else self._undeclared(table)
        if found:
            listed = "\n".join(f"- {each}" for each in dict.fromkeys(found))
            raise Refused(f"{self.device} is not laid out as the playbook declares:\n{listed}", advice=_DECLARE)

    def _undeclared(self, table: Gpt) -> list[str]:
        others = [entry for entry in table.entries if entry.number not in self._declared]
        return [
            f"no task declares partition {entry.number} {entry.name!r}; with `existing: keep` in `gpt-label` it stays "
            "as it is, and so does the label-id, by which another system may find it"
            for entry in others
        ]

    def _check_names(self, machine: Machine, table: Gpt, stamped: Gpt) -> None:
        """Raise ``Refused`` if a PARTUUID would change that the next boot needs."""
        if stale := [each for each in self._stale(machine, table, stamped) if not each.in_firmware]:
            listed = ", ".join(f"{each.where} (PARTUUID {each.uuid})" for each in stale)
            raise Refused(
                f"the next boot would not find a partition of {self.device}: its PARTUUID changes, and is named in "
                f"{listed}",
                advice="name the filesystem there instead, by UUID= or LABEL=, which stay (in the boot loader's "
                "configuration, for the kernel's command line, and then reboot); then run subfloor again",
            )

    def _stale(self, machine: Machine, table: Gpt, stamped: Gpt) -> list[Naming]:
        gone = {entry.uuid for entry in table.entries} - {entry.uuid for entry in stamped.entries}
        return [each for each in machine[PartuuidNames()] if each.uuid in gone]


def _lacks(task: Task, machine: Machine) -> Iterator[str]:
    """What a task would still change on the disk, or why it is refused, in words. Raises ``LookNeeded``."""
    try:
        step = task.next_step(machine)
    except (Refused, NotVisible) as error:
        yield f"{task.key}: {error.what}"
        return
    if step and step.locks:
        yield f"{task.key} would {step.says[0].lower()}{step.says[1:]}"


def _says(path: str, table: Gpt, stamped: Gpt) -> str:
    old = {entry.number: entry.uuid for entry in table.entries}
    listed = [f"{entry.number} {entry.name!r}" for entry in stamped.entries if entry.uuid != old[entry.number]]
    given = [f"PARTUUIDs to partition {', '.join(listed)}"] if listed else []
    given += ["a label-id to its table"] if stamped.id != table.id else []
    return f"Take over {path} with its content as it is: give {' and '.join(given)}"


def adoptions(tasks: Iterable[Task]) -> tuple[Adoption, ...]:
    """One adoption for each `gpt-label` task among these tasks of a play."""
    play = tuple(tasks)
    labels = (task for task in play if task.key == "gpt-label")
    return tuple(_adoption(label, play) for label in labels)


def _adoption(label: Task, play: tuple[Task, ...]) -> Adoption:
    path, identity = str(getattr(label, "device", "")), getattr(label, "identity", None)
    assert isinstance(identity, Identity)
    layout = tuple(task for task in play if _is_on(path, getattr(task, "device", None)))
    return Adoption(device=path, identity=identity, label=label, layout=layout)


def _is_on(path: str, named: object) -> bool:
    try:
        return isinstance(named, str) and device(named).disk == path
    except ValueError:
        return False  # a tag
