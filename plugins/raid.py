"""`raid`: an md array of this play over the declared volumes, assembled under its name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from subfloor.plugin import (
    AnySubject,
    ArrayDevice,
    Contribution,
    FromPlay,
    Identity,
    Location,
    Machine,
    Param,
    Refused,
    Step,
    Task,
    Unknown,
    Volume,
    arrays,
    check_array_name,
    checked,
    contents,
    hookimpl,
    is_filled_by,
    locate,
    own_array,
    partition_of,
)


@dataclass(frozen=True, kw_only=True)
class Raid(Task):
    """Make an md array of this level over these partitions, and assemble it as /dev/md/NAME.

    The array is unfinished until the last partition of it has its final name. What is in it is unfinished until the
    task that makes it ends: until then a mark is near the array's end. An array of ours is never made again while one
    of its members exists. After a reboot the task assembles it again; a check assembles nothing.

    The kernel synchronises the members in the background, and the array can be used meanwhile: `cat /proc/mdstat`
    shows how far it is. An array in which a declared member is missing is degraded, which is drift. The
    member is added again if it belongs to the array and was not used without it; a partition with other content is
    added with consent for it. If the kernel has marked a member as faulty, a person must decide.
    """

    key: ClassVar[str] = "raid"
    examples: ClassVar[tuple[str, ...]] = (
        "raid: {name: root, level: 1, devices: [/dev/vda2, /dev/vdb2]}",
        "raid: {name: data, level: 1, devices: [/dev/vda3, /dev/vdb3, /dev/vdc3], raw: true}",
    )

    name: Annotated[str, Param("Its name: /dev/md/NAME", examples=("root",))]
    level: Annotated[Literal[1], Param("The RAID level: 1, a mirror")]
    devices: Annotated[tuple[str, ...], Param("The partitions, each on another disk", examples=("/dev/vda2",))]
    raw: Annotated[bool, Param("No task of the play fills it: it is finished at once")] = False
    identity: Identity
    volumes: Annotated[tuple[Location, ...], FromPlay()] = ()
    filled: Annotated[bool, FromPlay()] = True
    partitioned: Annotated[bool, FromPlay()] = False
    twice: Annotated[bool, FromPlay()] = False

    def __post_init__(self) -> None:
        checked("name", check_array_name, self.name)
        for each in self.devices:
            checked("devices", partition_of, each)
        if len(set(self.devices)) < max(2, len(self.devices)):
            raise ValueError("devices: a mirror needs at least 2 different devices")

    def within(self, play: tuple[Task, ...]) -> Task:
        path = self._declared.path
        return replace(
            self,
            volumes=tuple(locate(each, play) for each in self.devices),
            filled=self.raw or any(is_filled_by(task, path) for task in play),
            partitioned=any(
                task.key in ("gpt-label", "wipefs") and getattr(task, "device", None) == path for task in play
            ),
            twice=sum(isinstance(task, Raid) and task.name == self.name for task in play) > 1,
        )

    def warnings(self) -> tuple[str, ...]:
        if self.filled:
            return ()
        return (
            f"no task of the play fills {self._declared.path}, so it stays unfinished: add `mkfs` for it, or "
            "`raw: true` if another tool fills it",
        )

    def warnings_on(self, machine: Machine) -> tuple[str, ...]:
        array = own_array(machine, self.identity, self.name)
        syncing = getattr(array, "syncing", "")
        if not syncing:
            return ()
        return (
            f"{self._declared.path} is {syncing}: until that ends, a disk that fails may cost data; `cat /proc/mdstat` "
            "shows how far it is",
        )

    @property
    def _places(self) -> tuple[Location, ...]:
        return self.volumes or tuple(map(locate, self.devices))

    def subjects(self) -> frozenset[AnySubject]:
        return self._declared.subjects.union(*(each.subjects() for each in self._places))

    def next_step(self, machine: Machine) -> Step | None:
        self._check_play()
        declared, array = self._declared, own_array(machine, self.identity, self.name)
        volumes = self._members(machine)
        for each in volumes:
            if not each.ours:
                return contents.take_over(each)
        arrays.check_apart(volumes, declared)
        if not arrays.is_begun(volumes, declared):
            return arrays.make(machine, self._places, volumes, declared)
        if isinstance(array, Unknown):
            return None  # it is assembled in this run, and seen then
        if array is None or not array.active:
            return arrays.assemble(machine, volumes, declared, array)
        return arrays.mended(machine, volumes, declared, array)

    def contributes(self) -> tuple[Contribution, ...]:
        return (ArrayDevice(self.name, str(self.identity.array(self.name)), self.devices),)

    def _check_play(self) -> None:
        if self.twice:
            raise Refused(
                f"two tasks of the play make the array {self.name!r}", advice="give one of them another `name`"
            )
        if self.partitioned:
            raise Refused(
                f"the play makes a partition table on {self._declared.path}, which is not supported",
                advice="make several arrays over partitions, or put LUKS or a filesystem on the array",
            )

    def _members(self, machine: Machine) -> list[Volume]:
        try:
            return [each.on(machine, self.identity) for each in self._places]
        except Refused as error:
            array = own_array(machine, self.identity, self.name)
            raise arrays.as_degraded(error, self._declared, array) from None

    @property
    def _declared(self) -> arrays.Declared:
        return arrays.Declared(self.name, self.level, self.devices, self.raw)


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (Raid,)
