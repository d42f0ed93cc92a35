"""`gpt-label`: a GUID partition table that is ours, sound in both copies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar
from uuid import UUID

from subfloor.disks import gpt
from subfloor.disks.devices import whole_disk
from subfloor.errors import Refused
from subfloor.identity import Identity
from subfloor.machine import AnySubject, Machine
from subfloor.parameters import FromPlay, Param, checked
from subfloor.sizes import show
from subfloor.steps.partitioning import (
    check_expressible,
    check_not_another,
    disk_at,
    erase,
    erased,
    known_to_kernel,
    loss,
    rewrite,
    tell_kernel,
    tellable,
    unused,
    writable,
)
from subfloor.subjects.disk import Disk, DiskState
from subfloor.task import Claim, Step, Task, hookimpl


@dataclass(frozen=True, kw_only=True)
class GptLabel(Task):
    """A GPT with our label-id, both copies sound, and the kernel's partitions those of the table.

    Repairs a copy that is damaged, or that is not at the end of a disk that has grown. A table of
    somebody else's, or a filesystem on the whole disk, is erased only with consent for this device; a
    GPT without a partition in it is no loss.
    """

    key: ClassVar[str] = "gpt-label"
    examples: ClassVar[tuple[str, ...]] = (
        "gpt-label: {device: /dev/vda}",
        "gpt-label: {device: /dev/vdb, disk: data}",
    )

    device: Annotated[str, Param("The whole disk", examples=("/dev/vda", "/dev/disk/by-id/virtio-1234"))]
    disk: Annotated[str, Param("What the play calls the disk; needed where it lays out more than one")] = "disk"
    identity: Identity
    others: Annotated[tuple[GptLabel, ...], FromPlay()] = ()

    def __post_init__(self) -> None:
        checked("device", whole_disk, self.device)

    def within(self, play: tuple[Task, ...]) -> Task:
        others = tuple(task for task in play if isinstance(task, GptLabel) and task.device != self.device)
        return replace(self, others=others)

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset({Disk(self.device)})

    def next_step(self, machine: Machine) -> Step | None:
        disk = disk_at(machine, self.device)
        self._check_names()
        if isinstance(disk.table, gpt.Gpt) and disk.table.id == self.label_id:
            return self._repair(machine, disk, disk.table)
        if _holds_nothing(disk):
            return self._write(machine, disk)
        return self._erase(machine, disk)

    def claims(self, machine: Machine) -> tuple[Claim, ...]:
        disk = machine[Disk(self.device)]
        if not isinstance(disk, DiskState) or not isinstance(disk.table, gpt.Gpt) or disk.table.id != self.label_id:
            return ()
        return (Claim(disk.node, disk.node, "label-id", str(self.label_id)),)

    @property
    def label_id(self) -> UUID:
        return self.identity.disk(self.disk)

    def _check_names(self) -> None:
        for other in self.others:
            if other.disk == self.disk:
                raise Refused(
                    f"the play calls both {self.device} and {other.device} “{self.disk}”: they would get one identity",
                    advice="give one of them another name with `disk:`, in `gpt-label` and in `wipefs`",
                )

    def _write(self, machine: Machine, disk: DiskState) -> Step:
        writable(self.device, unused(self.device, disk))
        table = gpt.blank(self.label_id, disk.sectors, disk.limits.sector)
        if table.last_lba <= table.first_lba:
            raise Refused(
                f"{self.device} is too small for a GPT: {show(disk.size)}",
                advice="name a larger disk; lsblk lists them",
            )
        after = replace(erased(disk), table=table, cleared=disk.cleared)
        return self._step(f"Write a GPT with label-id {table.id} to {self.device}", machine, disk, after)

    def _step(self, says: str, machine: Machine, disk: DiskState, after: DiskState) -> Step:
        return Step(
            says=says,
            commands=rewrite(disk, after),
            after=machine.with_(Disk(self.device), after),
            locks=(disk.node,),
        )

    def _repair(self, machine: Machine, disk: DiskState, table: gpt.Gpt) -> Step | None:
        if table.damage:
            return self._mend(machine, tellable(self.device, disk), table)
        if disk != known_to_kernel(disk):
            tellable(self.device, disk)
            after = known_to_kernel(disk)
            says = f"Tell the kernel of the partitions of {self.device}"
            return Step(says, tell_kernel(disk, after), machine.with_(Disk(self.device), after), locks=(disk.node,))
        return None

    def _mend(self, machine: Machine, disk: DiskState, table: gpt.Gpt) -> Step:
        _, last = gpt.usable(disk.sectors, disk.limits.sector, table.length)
        beyond = [entry for entry in table.entries if entry.end - 1 > last]
        if beyond:
            raise Refused(
                f"partition {beyond[0].number} reaches beyond the end of {self.device}: the disk has shrunk",
                advice="take a copy of the disk before anything else; then give it its old size again",
            )
        check_expressible(self.device, table)
        whole = replace(table, last_lba=last, damage=frozenset())
        after = known_to_kernel(replace(disk, table=whole))
        return self._step(f"Repair the GPT of {self.device} ({', '.join(sorted(table.damage))})", machine, disk, after)

    def _erase(self, machine: Machine, disk: DiskState) -> Step:
        others = {other.label_id: other.disk for other in self.others}
        check_not_another(self.device, self.disk, disk, others)
        writable(self.device, unused(self.device, disk))
        return Step(
            says=f"Erase every signature on {self.device}",
            commands=erase(disk),
            after=machine.with_(Disk(self.device), erased(disk)),
            destroys=(loss(self.device, disk),),
            locks=(disk.node,),
        )


def _holds_nothing(disk: DiskState) -> bool:
    """Whether a table can be written without losing anything: blank, or a GPT with nothing in it."""
    empty_gpt = isinstance(disk.table, gpt.Gpt) and not disk.table.entries
    return not disk.signatures and not disk.filled and (disk.table is None or empty_gpt)


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (GptLabel,)
