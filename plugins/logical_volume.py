"""`logical-volume`: an active logical volume (LVM) of this play."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from subfloor.plugin import (
    POOL,
    THIN,
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
    Shape,
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
    shape,
    volume_groups,
)
from subfloor.plugin import LogicalVolume as Contributed


@dataclass(frozen=True, kw_only=True)
class LogicalVolume(Task):
    """Make a logical volume of this size in a volume group of the play, and activate it as /dev/GROUP/NAME.

    It is a volume like any other: `mkfs`, `luks`, `swap` and `mount` take it by that path, or by its other path,
    /dev/mapper/GROUP-NAME. A tag shows that this play made it; the tag ends in `.unfinished` until the task that
    fills it is done. A new volume is emptied first, so it never shows old data. After a reboot the task activates it
    again.

    If a volume is declared larger, it grows, and its filesystem grows afterwards. A volume never shrinks. A volume that
    this play did not make is refused and stays as it is. A volume of another type is refused too: nothing is converted.

    The types are those of lvcreate(8). Each image of a striped or RAID volume lies on another physical volume of the
    group, so the task for such a volume comes before those for the others. A thin pool holds thin volumes, which take
    room of it as they are written to. Together they may be larger than the pool. When the pool is full, writes fail.
    """

    key: ClassVar[str] = "logical-volume"
    examples: ClassVar[tuple[str, ...]] = (
        "logical-volume: {group: pool, name: swap, size: 8GiB}",
        "logical-volume: {group: pool, name: nix, size: rest}",
        "logical-volume: {group: pool, name: data, size: 25%, raw: true}",
        "logical-volume: {group: pool, name: home, type: raid1, size: 100GiB}",
        "logical-volume: {group: pool, name: fast, type: raid10, stripes: 3, size: 50%}",
        "logical-volume: {group: pool, name: thin, type: thin-pool, size: rest}",
        "logical-volume: {group: pool, name: vm, type: thin, pool: thin, size: 500GiB}",
    )

    group: Annotated[str, Param("The volume group, which a `volume-group` task of the play makes", examples=("pool",))]
    name: Annotated[str, Param("The name of the volume", examples=("root",))]
    size: Annotated[
        str,
        Param(
            "The size, rounded up to extents of 4 MiB: `8GiB`; `25%` of the group, with copies and metadata, or of the "
            "pool of a thin volume; `rest` or `100%`: all that the other volumes of the play leave (linear, thin-pool)"
        ),
    ]
    type: Annotated[
        Literal["linear", "striped", "raid0", "raid1", "raid4", "raid5", "raid6", "raid10", "thin-pool", "thin"],
        Param("How its data lies on the physical volumes"),
    ] = "linear"
    stripes: Annotated[
        int | None, Param("Over how many images data is striped, without parity and copies; 2, or 3 for raid6")
    ] = None
    copies: Annotated[int | None, Param("How many copies raid1 and raid10 have; 2 unless given")] = None
    pool: Annotated[str, Param("The thin pool of a thin volume", examples=("thin",))] = ""
    raw: Annotated[bool, Param("No task of the play fills it: it gets its final tag at once")] = False
    identity: Identity
    at: Annotated[GroupAt | None, FromPlay()] = None
    others: Annotated[tuple[tuple[str, Shape, str], ...], FromPlay()] = ()
    later: Annotated[tuple[str, ...], FromPlay()] = ()
    filled: Annotated[bool, FromPlay()] = True

    def __post_init__(self) -> None:
        checked("group", check_group, self.group)
        checked("name", lambda name: check_volume(self.group, name), self.name)
        checked("size", declared_sizes.check_size, self.size)
        if not self.size or self.size.startswith("-"):
            raise ValueError("size: a logical volume has a size such as 8GiB, 25% or rest")
        if declared_sizes.is_all(self.size) and self.type not in ("linear", POOL):
            raise ValueError(f"size: a volume of type {self.type} has a size such as 8GiB or 25%")
        if bool(self.pool) != (self.type == THIN):
            raise ValueError("pool: give it for type thin, and for no other type")
        assert self.shape

    def within(self, play: tuple[Task, ...]) -> Task:
        same = [task for task in play if isinstance(task, LogicalVolume) and task.group == self.group]
        return replace(
            self,
            at=group_of(self.group, play),
            later=() if self.shape.is_divided else _divided_after(self, same),
            others=tuple((task.name, task.shape, task.size) for task in same if task.name != self.name),
            filled=self.raw or any(is_filled_by(task, self._path) for task in play),
        )

    @property
    def shape(self) -> Shape:
        """The type of the volume, with its numbers of stripes and copies."""
        return shape(self.type, self.stripes or 0, self.copies or 0)

    @property
    def _path(self) -> str:
        return logical_volume(self.group, self.name)

    def warnings(self) -> tuple[str, ...]:
        if self.filled or self.type == POOL:
            return ()
        return (
            f"no task of the play fills the logical volume {self.group}/{self.name}, so its tag still ends in "
            f"{UNFINISHED!r}: add `mkfs` for it, or `raw: true` if another tool fills it",
        )

    def warnings_on(self, machine: Machine) -> tuple[str, ...]:
        if not any(getattr(machine[each], "syncing", False) for each in self._declared.images):
            return ()
        return (
            f"the images of {self.group}/{self.name} are synchronising: until that ends, a disk that fails may cost "
            "data; `lvs -o +sync_percent` shows how far it is",
        )

    def subjects(self) -> frozenset[AnySubject]:
        mine: frozenset[AnySubject] = frozenset() if self.type == POOL else frozenset({Disk(self._path)})
        return mine | self._declared.images | (self.at.subjects() if self.at else frozenset())

    def next_step(self, machine: Machine) -> Step | None:
        if self.at is None:
            raise Refused(
                f"no `volume-group` task of the play makes {self.group!r}",
                advice="put a `volume-group` task before this one: it makes the group, or finds it if an earlier run "
                "made it",
            )
        below = self.at.below(machine, self.identity)
        group = self.at.on(machine, self.identity)
        if group is None:
            raise Refused(
                f"there is no volume group {self.group!r}", advice="put its `volume-group` task before this one"
            )
        declared = self._declared
        if self.type == POOL:
            return volume_groups.pool(machine, declared, group, below)
        return volume_groups.made(machine, declared, group, below) or volume_groups.kept(
            machine, declared, group, below
        )

    def contributes(self) -> tuple[Contribution, ...]:
        devices = tuple(each.path for each in self.at.devices) if self.at else ()
        return (Contributed(self.group, self.name, devices, self.type),) if self.type != POOL else ()

    @property
    def _declared(self) -> volume_groups.Declared:
        uuid = self.identity.logical_volume(self.identity.volume_group(self.group), self.name)
        about = (self.group, self.name, self._path, uuid, self.size, self.others, self.raw, self.shape, self.pool)
        return volume_groups.Declared(*about, later=self.later)


def _divided_after(task: LogicalVolume, same: list[LogicalVolume]) -> tuple[str, ...]:
    """The volumes with images that tasks after this one make in the same group."""
    names = [each.name for each in same]
    after = same[names.index(task.name) + 1 :] if task.name in names and task.type != THIN else []
    return tuple(each.name for each in after if each.shape.is_divided)


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (LogicalVolume,)
