"""`wipefs`: a disk that is blank or already ours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from subfloor.plugin import (
    AnySubject,
    Command,
    Disk,
    DiskState,
    FromPlay,
    Identity,
    Location,
    Machine,
    Param,
    Step,
    Task,
    check_not_another,
    checked,
    disk_at,
    filled_disks,
    gpt,
    hookimpl,
    is_overwritten,
    locate,
    loss,
    partitions_of,
    tables,
    unused,
    whole_disk,
    writable,
)


@dataclass(frozen=True, kw_only=True)
class Wipefs(Task):
    """Erase all signatures from a disk that is neither blank nor already ours.

    The task is satisfied on a blank disk, and on a disk that this play has labelled or filled as a whole, whatever
    the disk holds. So a rerun never wipes the work of an earlier run. To start over on such a disk, give it another
    name with `disk:`, here and in `gpt-label`.

    Anything else is erased with consent for this device: the signatures of the partitions first and those of
    the disk last, with the first 8 MiB and the last 2 MiB of each, and the places where the play makes its
    partitions. A disk without a known signature needs consent too, unless its first and last MiB and 200
    samples of 4 KiB between them are zeros: it may be encrypted.
    """

    key: ClassVar[str] = "wipefs"
    examples: ClassVar[tuple[str, ...]] = ("wipefs: {device: /dev/vda}",)

    device: Annotated[str, Param("The whole disk", examples=("/dev/vda", "/dev/disk/by-id/virtio-1234"))]
    disk: Annotated[str, Param("The name of the disk in the play, as in `gpt-label`")] = "disk"
    identity: Identity
    others: Annotated[tuple[Wipefs, ...], FromPlay()] = ()
    partitions: Annotated[tuple[Task, ...], FromPlay()] = ()
    volume: Annotated[Location | None, FromPlay()] = None

    def __post_init__(self) -> None:
        checked("device", whole_disk, self.device)

    def within(self, play: tuple[Task, ...]) -> Task:
        others = tuple(task for task in play if isinstance(task, Wipefs) and task.device != self.device)
        partitions = partitions_of(play, self.device)
        return replace(self, others=others, partitions=partitions, volume=self._filled(play))

    def _filled(self, play: tuple[Task, ...]) -> Location | None:
        """The whole disk as a volume, if the play fills it under the name that this task gives it; otherwise None."""
        return locate(self.device, play) if (self.disk, self.device) in filled_disks(play) else None

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset({Disk(self.device)})

    def next_step(self, machine: Machine) -> Step | None:
        disk = disk_at(machine, self.device)
        if self.volume and self.volume.own(machine, self.identity):
            return None
        if self._is_ours(disk):
            return self._erase_beside_label(machine, disk) if disk.signatures else None
        if not disk.signatures and disk.table is None:
            return None
        others = [other.disk for other in self.others if other.disk != self.disk]
        check_not_another(self.device, self.disk, disk, self.identity, others)
        return tables.erase(machine, self.device, disk, self.identity, self.disk, self.partitions)

    def _is_ours(self, disk: DiskState) -> bool:
        ours = isinstance(disk.table, gpt.Gpt) and self.identity.is_disk(disk.table.id, self.disk)
        return ours and not is_overwritten(disk)

    def _erase_beside_label(self, machine: Machine, disk: DiskState) -> Step:
        """A step that erases signatures on the whole disk beside our GPT, such as an old superblock of a pool."""
        writable(self.device, unused(machine, self.device, disk))
        kinds = ",".join(dict.fromkeys(disk.signatures))
        return Step(
            says=f"Erase {kinds} next to our label on {self.device}",
            commands=(
                Command(("wipefs", "--all", "--quiet", "--types", kinds, disk.node)),
                Command(("sync", disk.node)),
            ),
            after=machine.with_(Disk(self.device), replace(disk, signatures=())),
            destroys=(loss(machine, self.device, disk),),
            locks=(disk.node,),
        )


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (Wipefs,)
