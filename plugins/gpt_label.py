"""`gpt-label`: a GUID partition table of this play with two valid copies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from subfloor.plugin import (
    AnySubject,
    Claim,
    Disk,
    DiskState,
    FromPlay,
    Identity,
    Machine,
    Param,
    Refused,
    Step,
    Task,
    check_not_another,
    checked,
    disk_at,
    gpt,
    hookimpl,
    is_overwritten,
    partitions_of,
    tables,
    whole_disk,
)


@dataclass(frozen=True, kw_only=True)
class GptLabel(Task):
    """Create or repair a GPT with our label-id, with both copies sound and known to the kernel.

    The task repairs a damaged copy, even while partitions are mounted. If the disk has grown, it moves the second
    copy to the new end; if the first copy is lost too, it uses the copy at the old end. In the place of a copy, it
    overwrites only zeros and damaged copies of the same table without a question; other data needs consent. A foreign
    table, or a filesystem on the whole disk, is erased only with consent for this device. A GPT without a
    partition is no loss.

    With `existing: keep` an existing GPT is kept, whoever made it: it is repaired, partitions can be added to
    it, and it is never erased. A blank disk gets a GPT of ours.

    To lay out one of our disks from the beginning, give it another name with `disk:`, here and in `wipefs`, and
    consent.
    """

    key: ClassVar[str] = "gpt-label"
    examples: ClassVar[tuple[str, ...]] = (
        "gpt-label: {device: /dev/vda}",
        "gpt-label: {device: /dev/vdb, disk: data}",
        "gpt-label: {device: /dev/vda, existing: keep}",
    )

    device: Annotated[str, Param("The whole disk", examples=("/dev/vda", "/dev/disk/by-id/virtio-1234"))]
    disk: Annotated[str, Param("The name of the disk in the play; needed if the play has more than one disk")] = "disk"
    existing: Annotated[
        Literal["replace", "keep"],
        Param("What to do with a GPT that is not ours: replace it, with consent; or keep it"),
    ] = "replace"
    identity: Identity
    others: Annotated[tuple[GptLabel, ...], FromPlay()] = ()
    wiped: Annotated[bool, FromPlay()] = False
    partitions: Annotated[tuple[Task, ...], FromPlay()] = ()

    def __post_init__(self) -> None:
        checked("device", whole_disk, self.device)

    def within(self, play: tuple[Task, ...]) -> Task:
        others = tuple(task for task in play if isinstance(task, GptLabel) and task.device != self.device)
        wiped = any(task.key == "wipefs" and getattr(task, "device", "") == self.device for task in play)
        return replace(self, others=others, wiped=wiped, partitions=partitions_of(play, self.device))

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset({Disk(self.device)})

    def next_step(self, machine: Machine) -> Step | None:
        disk = disk_at(machine, self.device)
        self._check_names()
        if isinstance(disk.table, gpt.Gpt) and self._accepts(disk, disk.table):
            return tables.repair(machine, self.device, disk, disk.table)
        if tables.is_empty(disk):
            return tables.write(machine, self.device, disk, self.label_id)
        if self.existing == "keep":
            raise self._nothing_to_keep(disk)
        self._check_another(disk)
        return tables.erase(machine, self.device, disk, self.identity, self.disk, self.partitions)

    def claims(self, machine: Machine) -> tuple[Claim, ...]:
        disk = machine[Disk(self.device)]
        if not isinstance(disk, DiskState) or not isinstance(disk.table, gpt.Gpt) or not self._is_ours(disk.table):
            return ()
        label_ids = {disk.table.id, self.label_id, self.identity.disk_anywhere(self.disk)}
        return tuple(Claim(disk.node, disk.node, "label-id", each) for each in sorted(map(str, label_ids)))

    def _accepts(self, disk: DiskState, table: gpt.Gpt) -> bool:
        """Whether the task keeps the table. It does not keep a table that other data has overwritten."""
        if is_overwritten(disk):
            return False
        if self.existing == "keep":
            self._check_another(disk)
            return True
        return self._is_ours(table)

    def _is_ours(self, table: gpt.Gpt) -> bool:
        return self.identity.is_disk(table.id, self.disk)

    def _nothing_to_keep(self, disk: DiskState) -> Refused:
        return Refused(
            f"{self.device} has no GPT to keep, and is not blank: {disk.describe()}",
            advice="name another disk; or remove `existing: keep`, then the disk is erased, with consent",
        )

    def _check_another(self, disk: DiskState) -> None:
        check_not_another(self.device, self.disk, disk, self.identity, [other.disk for other in self.others])

    @property
    def label_id(self) -> UUID:
        """The UUID of a new table (the disk GUID)."""
        return self.identity.disk(self.disk)

    def _check_names(self) -> None:
        if self.wiped and self.existing == "keep":
            raise Refused(
                f"the play erases {self.device} with `wipefs`, but keeps its table with `existing: keep`",
                advice="remove one of the two from the play",
            )
        for other in self.others:
            if other.disk == self.disk:
                raise Refused(
                    f"the play calls both {self.device} and {other.device} “{self.disk}”: "
                    "they would get the same identity",
                    advice="give one of them another name with `disk:`, in `gpt-label` and in `wipefs`",
                )


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (GptLabel,)
