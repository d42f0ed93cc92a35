"""`volume-group`: a volume group (LVM) of this play, on the declared volumes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from subfloor.plugin import (
    AnySubject,
    Claim,
    FromPlay,
    GroupAt,
    Identity,
    Machine,
    Param,
    Step,
    Task,
    check_group,
    checked,
    hookimpl,
    locate,
    volume_groups,
)


@dataclass(frozen=True, kw_only=True)
class VolumeGroup(Task):
    """Make physical volumes of LVM on these volumes, and a volume group with this name from them.

    A volume is a partition, an open container, or a whole disk. A whole disk has the name that its `wipefs` task gives
    it. Other content of a volume needs consent. A tag in the group's metadata shows that this play made the group. A
    group of the same name that this play did not make is refused, and stays as it is, unless the play erases all of
    its disks.

    A volume that is added to `devices` is added to the group. A physical volume grows with its volume. The task takes
    nothing out of a group, and activates nothing: each `logical-volume` task activates its own volume.

    subfloor gives LVM's programs no devices file. On a host that has one, `vgimportdevices NAME` adds the group to it.
    """

    key: ClassVar[str] = "volume-group"
    examples: ClassVar[tuple[str, ...]] = (
        "volume-group: {name: pool, devices: [/dev/vda2]}",
        "volume-group: {name: pool, devices: [/dev/mapper/crypt1, /dev/mapper/crypt2]}",
    )

    name: Annotated[str, Param("The name of the group", examples=("pool",))]
    devices: Annotated[tuple[str, ...], Param("The volumes that it lies on", examples=("/dev/vda2",))]
    identity: Identity
    group: Annotated[GroupAt | None, FromPlay()] = None

    def __post_init__(self) -> None:
        checked("name", check_group, self.name)
        for path in self.devices:
            checked("devices", locate, path)
        if len(set(self.devices)) != len(self.devices) or not self.devices:
            raise ValueError("devices: name at least one volume, and none of them twice")

    def within(self, play: tuple[Task, ...]) -> Task:
        return replace(self, group=GroupAt(self.name, tuple(locate(path, play) for path in self.devices)))

    @property
    def _group(self) -> GroupAt:
        return self.group or GroupAt(self.name, tuple(map(locate, self.devices)))

    def subjects(self) -> frozenset[AnySubject]:
        return self._group.subjects()

    def next_step(self, machine: Machine) -> Step | None:
        volumes = self._group.below(machine, self.identity)
        found = self._group.on(machine, self.identity)
        return (
            next(filter(None, map(volume_groups.filled, volumes)), None)
            or volume_groups.grouped(self.name, volumes, found)
            or next((step for each in volumes if found and (step := volume_groups.grown(each, found))), None)
        )

    def claims(self, machine: Machine) -> tuple[Claim, ...]:
        own = (each.own(machine, self.identity) for each in self._group.devices)
        return tuple(Claim(each.node, each.whole, "UUID", volume_groups.wanted(each).uuid) for each in own if each)


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (VolumeGroup,)
