"""`logical-volume`: an active logical volume (LVM) of this play."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from subfloor.plugin import (
    UNFINISHED,
    AnySubject,
    Contribution,
    Disk,
    FromPlay,
    GroupAt,
    Identity,
    Machine,
    Param,
    Refused,
    Step,
    Task,
    check_group,
    check_volume,
    checked,
    declared_sizes,
    group_of,
    hookimpl,
    is_filled_by,
    logical_volume,
    volume_groups,
)
from subfloor.plugin import LogicalVolume as Contributed


@dataclass(frozen=True, kw_only=True)
class LogicalVolume(Task):
    """Make a logical volume of this size in a volume group of the play, and activate it as /dev/GROUP/NAME.

    It is a volume like any other: `mkfs`, `luks`, `swap` and `mount` take it by that path, or by its other one,
    /dev/mapper/GROUP-NAME. A tag shows that this play made it; the tag ends in `.unfinished` until the task that
    fills it ends. A new volume is emptied before that, so it never shows what its place held before. After a reboot
    the task activates it again.

    A volume grows if it is declared larger, and its filesystem grows then. It never shrinks. One that this play did
    not make is refused, and stays as it is. All volumes that it makes are linear.
    """

    key: ClassVar[str] = "logical-volume"
    examples: ClassVar[tuple[str, ...]] = (
        "logical-volume: {group: pool, name: swap, size: 8GiB}",
        "logical-volume: {group: pool, name: nix, size: rest}",
        "logical-volume: {group: pool, name: data, size: 25%, raw: true}",
    )

    group: Annotated[str, Param("The volume group, which a `volume-group` task of the play makes", examples=("pool",))]
    name: Annotated[str, Param("The name of the volume", examples=("root",))]
    size: Annotated[
        str,
        Param(
            "The size, rounded up to extents of 4 MiB: `8GiB`; `25%` of the group; `rest` or `100%`: all that the "
            "other volumes of the play leave"
        ),
    ]
    raw: Annotated[bool, Param("No task of the play fills it: it gets its final tag at once")] = False
    identity: Identity
    at: Annotated[GroupAt | None, FromPlay()] = None
    others: Annotated[tuple[tuple[str, str], ...], FromPlay()] = ()
    filled: Annotated[bool, FromPlay()] = True

    def __post_init__(self) -> None:
        checked("group", check_group, self.group)
        checked("name", lambda name: check_volume(self.group, name), self.name)
        checked("size", declared_sizes.check_size, self.size)
        if not self.size or self.size.startswith("-"):
            raise ValueError("size: a logical volume has a size such as 8GiB, 25% or rest")

    def within(self, play: tuple[Task, ...]) -> Task:
        same = [task for task in play if isinstance(task, LogicalVolume) and task.group == self.group]
        return replace(
            self,
            at=group_of(self.group, play),
            others=tuple((task.name, task.size) for task in same if task.name != self.name),
            filled=self.raw or any(is_filled_by(task, self._path) for task in play),
        )

    @property
    def _path(self) -> str:
        return logical_volume(self.group, self.name)

    def warnings(self) -> tuple[str, ...]:
        if self.filled:
            return ()
        return (
            f"no task of the play fills the logical volume {self.group}/{self.name}, so its tag still ends in "
            f"{UNFINISHED!r}: add `mkfs` for it, or `raw: true` if another tool fills it",
        )

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset({Disk(self._path)}) | (self.at.subjects() if self.at else frozenset())

    def next_step(self, machine: Machine) -> Step | None:
        if self.at is None:
            raise Refused(
                f"no `volume-group` task of the play makes {self.group!r}",
                advice="put one before this task: it makes the group, or finds the one that it made",
            )
        below = self.at.below(machine, self.identity)
        group = self.at.on(machine, self.identity)
        if group is None:
            raise Refused(
                f"there is no volume group {self.group!r}", advice="put its `volume-group` task before this one"
            )
        declared = self._declared
        return volume_groups.made(machine, declared, group, below) or volume_groups.kept(
            machine, declared, group, below
        )

    def contributes(self) -> tuple[Contribution, ...]:
        devices = tuple(each.path for each in self.at.devices) if self.at else ()
        return (Contributed(self.group, self.name, devices),)

    @property
    def _declared(self) -> volume_groups.Declared:
        uuid = self.identity.logical_volume(self.identity.volume_group(self.group), self.name)
        return volume_groups.Declared(self.group, self.name, self._path, uuid, self.size, self.others, self.raw)


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (LogicalVolume,)
