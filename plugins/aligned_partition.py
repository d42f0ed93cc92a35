"""`aligned-partition`: a partition that starts at an optimally aligned sector."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from subfloor.plugin import (
    LONGEST_NAME,
    UNFINISHED,
    AnySubject,
    Attribute,
    Claim,
    Disk,
    DiskState,
    FromPlay,
    Identity,
    LabelledDisk,
    Machine,
    Param,
    Partition,
    Step,
    Task,
    checked,
    declared_sizes,
    disk_at,
    gpt,
    hookimpl,
    is_filled_by,
    partition_node,
    partitions,
    table_of,
    type_guid,
    whole_disk,
)


@dataclass(frozen=True, kw_only=True)
class AlignedPartition(Task):
    """Create a partition with this number, name, type and size, optimally aligned.

    It starts at the first aligned sector with enough room, or at `start`; `rest` takes the largest free space.
    A new partition has a name that ends in `.unfinished`. The task that fills it (`mkfs`) sets the final name
    as its last step; `raw: true` declares that no task fills it.

    subfloor reads free space before it uses it. A filesystem that is found there is a loss and needs consent.
    If the entry of one of our partitions was deleted and its filesystem is still there, the entry is put back.

    A changed name, type or attribute is set back. If a partition is declared larger and there is room behind it, it
    grows, and its content grows afterwards. If a partition of ours has another size, place or name than declared, or
    is in the way of another one, it is removed and made again. That needs consent for the partition or for the
    disk, unless the partition never held anything finished. A partition that is not ours stays as it is.
    """

    key: ClassVar[str] = "aligned-partition"
    examples: ClassVar[tuple[str, ...]] = (
        "aligned-partition: {device: /dev/vda, number: 1, name: ESP, type: esp, size: 512MiB}",
        "aligned-partition: {device: /dev/vda, number: 2, name: nix, type: linux, size: -8GiB}",
        "aligned-partition: {device: /dev/vda, number: 3, name: swap, type: swap, size: rest}",
        "aligned-partition: {device: /dev/vda, number: 4, name: grub, type: bios-boot, size: 1MiB, raw: true}",
    )

    device: Annotated[str, Param("The whole disk", examples=("/dev/vda", "/dev/disk/by-id/virtio-1234"))]
    number: Annotated[int, Param("The partition's number", minimum=1, maximum=128)]
    name: Annotated[str, Param(f"The name in the GPT, up to {LONGEST_NAME} characters", min_length=1)]
    type: Annotated[str, Param("The type: a name such as esp, linux, swap, luks, lvm, raid, bios-boot, or a GUID")]
    size: Annotated[
        str,
        Param(
            "The size: `512MiB`; `25%` of the usable space of the disk; `rest` or `100%`: all that is left; "
            "`-8GiB`: all but the last 8 GiB of the disk"
        ),
    ] = ""
    start: Annotated[
        str, Param("Where it starts, from the start of the disk, such as `1MiB`; or from its end, such as `-8GiB`")
    ] = ""
    end: Annotated[str, Param("Where it ends, instead of `size`; in the same form as `start`")] = ""
    attributes: Annotated[tuple[Attribute, ...], Param("Attributes in the GPT")] = ()
    raw: Annotated[bool, Param("No task fills it: it gets its final name at once")] = False
    identity: Identity
    others: Annotated[tuple[AlignedPartition, ...], FromPlay()] = ()
    earlier: Annotated[tuple[tuple[int, str], ...], FromPlay()] = ()
    filled: Annotated[bool, FromPlay()] = True

    def __post_init__(self) -> None:
        checked("device", whole_disk, self.device)
        checked("name", partitions.check_name, self.name)
        checked("type", type_guid, self.type)
        checked("size", declared_sizes.check_size, self.size)
        for parameter, value in (("start", self.start), ("end", self.end)):
            if value:
                checked(parameter, declared_sizes.check_place, value)
        if bool(self.size) == bool(self.end):
            raise ValueError("size: give either `size` or `end`")
        if self.end and not self.start:
            raise ValueError("end: give `start` too")
        if self.end and partitions.is_before(self.end, self.start):
            raise ValueError(f"end: {self.end} is not after the start, {self.start}")

    def within(self, play: tuple[Task, ...]) -> Task:
        mine = [task for task in play if isinstance(task, AlignedPartition) and task.device == self.device]
        at = next((index for index, task in enumerate(mine) if task.is_same(self)), len(mine))
        return replace(
            self,
            others=tuple(task for task in mine if not task.is_same(self)),
            earlier=tuple((task.number, task.name) for task in mine[:at]),
            filled=self.raw or any(is_filled_by(task, partition_node(self.device, self.number)) for task in play),
        )

    def is_same(self, other: AlignedPartition) -> bool:
        """Whether both tasks are equal, apart from the values that come from the play."""
        return _alone(self) == _alone(other)

    def warnings(self) -> tuple[str, ...]:
        if self.filled:
            return ()
        return (
            f"no task of the play fills partition {self.number} {self.name!r} of {self.device}, so it stays named "
            f"{self.name + UNFINISHED!r}: add `mkfs` for it, or `raw: true` if another tool fills it",
        )

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset({Disk(self.device)})

    def next_step(self, machine: Machine) -> Step | None:
        disk, declared = disk_at(machine, self.device), self._declared
        partitions.check_play(declared)
        table = table_of(self.device, disk)
        partitions.check_uuid(declared, table)
        on, there = LabelledDisk(self.device, machine, disk, table), disk.entry(self.number)
        if there is None:
            return partitions.make(on, declared)
        if not declared.is_(there, table):
            return partitions.replace_(on, declared, there)
        return partitions.mend(on, declared, there)

    def claims(self, machine: Machine) -> tuple[Claim, ...]:
        disk = machine[Disk(self.device)]
        if not isinstance(disk, DiskState) or not isinstance(disk.table, gpt.Gpt):
            return ()
        there = disk.entry(self.number)
        if there is None or not self._declared.is_(there, disk.table):
            return ()
        return (Claim(disk.partition_node(self.number), disk.node, "PARTUUID", str(there.uuid)),)

    @property
    def _declared(self) -> Partition:
        return Partition(
            device=self.device,
            number=self.number,
            name=self.name,
            type=type_guid(self.type),
            size=self.size,
            start=self.start,
            end=self.end,
            attributes=self.attributes,
            raw=self.raw,
            identity=self.identity,
            others=tuple(_alone(other)._declared for other in self.others),
            earlier=self.earlier,
        )


def _alone(task: AlignedPartition) -> AlignedPartition:
    """The task without the values that come from the play."""
    return replace(task, others=(), earlier=(), filled=True)


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (AlignedPartition,)
