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
    check_chunk,
    check_layout,
    checked,
    contents,
    geometry,
    hookimpl,
    is_filled_by,
    locate,
    own_array,
    partition_of,
    sizes,
)


@dataclass(frozen=True, kw_only=True)
class Raid(Task):
    """Make an md array of this level over these partitions, and assemble it as /dev/md/NAME.

    Level 1 keeps a copy on each member, level 10 two copies of all data. Levels 4 and 5 can lose one member, level 6
    two. Level 0 can lose none: if one disk fails, all data is lost. Except at level 0, the smallest member decides how
    much of each member is used. subfloor leaves mdadm nothing to choose, so size and shape are known before the array
    is made.

    The array is unfinished until the last of its partitions has its final name. Its content is unfinished until the
    task that makes the content is done: until then a mark is near the array's end. A finished array of ours is never
    made again while one of its members exists. After a reboot the task assembles it again; a check assembles nothing.

    The kernel synchronises the members in the background, and the array can be used meanwhile: `cat /proc/mdstat`
    shows the progress. An array that lacks a declared member is degraded, which is drift. A partition that belongs to
    the array is added again, unless the array was in use without it; any other content needs consent before the
    partition is added. If the kernel has marked a member as faulty, a person must decide. An array that has lost more
    members than its level allows is refused, and never changed. An array with another level, chunk, layout or number
    of members is refused too: nothing is reshaped.
    """

    key: ClassVar[str] = "raid"
    examples: ClassVar[tuple[str, ...]] = (
        "raid: {name: root, level: 1, devices: [/dev/vda2, /dev/vdb2]}",
        "raid: {name: data, level: 5, devices: [/dev/vda3, /dev/vdb3, /dev/vdc3], chunk: 64KiB, raw: true}",
        "raid: {name: fast, level: 10, layout: f2, devices: [/dev/vda4, /dev/vdb4]}",
        "raid: {name: boot, level: 1, metadata: '1.0', devices: [/dev/vda1, /dev/vdb1]}",
    )

    name: Annotated[str, Param("Its name: /dev/md/NAME", examples=("root",))]
    level: Annotated[
        Literal[0, 1, 4, 5, 6, 10],
        Param("The RAID level; levels 0, 1 and 10 need at least 2 members, 4 and 5 need 3, and 6 needs 4"),
    ]
    devices: Annotated[tuple[str, ...], Param("The partitions, each on another disk", examples=("/dev/vda2",))]
    chunk: Annotated[
        str,
        Param(
            "How much of a member follows before the next one, a power of two; level 1 has none", examples=("64KiB",)
        ),
    ] = ""
    layout: Annotated[
        str,
        Param("Level 10: near, far or offset copies and their number, as mdadm writes it: `n2`, `f2`, `o2`, `n3`"),
    ] = ""
    metadata: Annotated[
        Literal["1.2", "1.0"],
        Param(
            "Where the metadata is: 1.2 at the start of each member; 1.0 at its end, for a mirror that firmware or a "
            "boot loader reads as if it were a plain partition"
        ),
    ] = "1.2"
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
        if self.chunk:
            checked("chunk", lambda chunk: check_chunk(self.level, sizes.parse(chunk)), self.chunk)
        if self.layout:
            checked("layout", lambda layout: check_layout(self.level, layout), self.layout)
        fewest = self._declared.geometry.fewest
        if len(set(self.devices)) < max(fewest, len(self.devices)):
            raise ValueError(f"devices: RAID {self.level} needs at least {fewest} different devices")
        if self.metadata != "1.2" and self.level != 1:
            raise ValueError("metadata: 1.0 is for level 1 only, where each member can be read like a plain filesystem")

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
            f"{self._declared.path} is {syncing}: until that ends, the failure of a disk may lose data; `cat "
            "/proc/mdstat` shows how far it is",
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
                advice="make several arrays over partitions, or put LUKS, LVM or a filesystem on the array",
            )

    def _members(self, machine: Machine) -> list[Volume]:
        try:
            return [each.on(machine, self.identity) for each in self._places]
        except Refused as error:
            array = own_array(machine, self.identity, self.name)
            raise arrays.as_degraded(error, self._declared, array) from None

    @property
    def _declared(self) -> arrays.Declared:
        shape = geometry(self.level, sizes.parse(self.chunk) if self.chunk else 0, self.layout)
        return arrays.Declared(self.name, shape, self.devices, self.raw, self.metadata)


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (Raid,)
