"""An md array, as a volume: a sector near its end carries the mark, as on a whole disk.

The array is ours by the UUID in its superblocks, which is derived from its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from subfloor.core.errors import Refused
from subfloor.core.identity import Identity
from subfloor.core.machine import AnySubject, Machine, Unknown
from subfloor.core.task import Step, Task
from subfloor.observe.array import Array, ArraysNamed
from subfloor.observe.disk import Disk, DiskState, Missing, Unopened
from subfloor.steps.volumes.end_marked import EndMarked, unexpected
from subfloor.steps.volumes.volume import Locate, Location, Volume, disks_of, locks_of
from subfloor.storage.end_mark import EndMark, room

_PATH = re.compile(r"/dev/md/([^/]+)")


@dataclass(frozen=True)
class ArrayAt(Location):
    """The array that a task of the play makes at ``path``. ``below``: the volumes of its members."""

    path: str
    below: tuple[Location, ...]

    @property
    def name(self) -> str:
        """The name of the array in its superblocks."""
        return self.path.rpartition("/")[2]

    def subjects(self) -> frozenset[AnySubject]:
        """All subjects that ``on`` reads."""
        mine: frozenset[AnySubject] = frozenset({Disk(self.path), ArraysNamed(self.name)})
        return mine.union(*(each.subjects() for each in self.below))

    def on(self, machine: Machine, identity: Identity) -> Volume:
        """The volume on a machine. Raises ``Refused`` and ``NotVisible``."""
        disk = machine[Disk(self.path)]
        if isinstance(disk, Unopened):
            raise disk.error(self.path)
        if isinstance(disk, Missing):
            raise Refused(
                f"there is no {self.path}",
                advice="put a `raid` task for it before this one: it makes the array, or assembles it",
            )
        uuid = identity.array(self.name)
        check_same(self.path, disk, own(machine, identity, self.name))
        if disk.table is not None:
            raise Refused(
                f"{self.path} is partitioned, and this play makes no partitions on it",
                advice=f"if nothing on it is needed, `wipefs --all {self.path}`, then run subfloor again",
            )
        members = [found for each in self.below if (found := each.own(machine, identity))]
        mark = disk.mark if disk.mark == EndMark(uuid, disk.mark.stage if disk.mark else "") else None
        return ArrayVolume(
            machine=machine,
            identity=identity,
            path=self.path,
            node=disk.node,
            size=disk.size,
            room=room(disk.size),
            sector=disk.limits.sector,
            name=self.name + (mark.stage if mark else ""),
            uuid=uuid,
            ours=any(each.is_final for each in members),
            content=disk.content or unexpected(disk),
            users=disk.busy,
            in_use=disk.is_busy,
            read_only=disk.read_only,
            disks=disks_of(members),
            locks=locks_of(members),
            disk=disk,
        )


@dataclass(frozen=True, kw_only=True)
class ArrayVolume(EndMarked):
    """An array on a machine."""

    def take_over(self) -> Step:
        """Always raises ``Refused``: only a `raid` task takes over the members of an array."""
        raise Refused(
            f"{self.path} is not finished yet", advice="put a `raid` task for it before this one: it finishes the array"
        )


def own(machine: Machine, identity: Identity, name: str) -> Array | Unknown | None:
    """Our array of this name in the kernel; None if the kernel has none, ``Unknown`` if this run assembles it."""
    found = machine[ArraysNamed(name)]
    if isinstance(found, Unknown):
        return found
    return next((each for each in found if each.uuid == str(identity.array(name))), None)


def check_same(path: str, disk: DiskState, array: Array | Unknown | None) -> None:
    """Raise ``Refused`` if the device at ``path`` is not ``array``."""
    if not isinstance(array, Array) or array.node != disk.node:
        raise Refused(
            f"{path} is not the array that this play makes",
            advice="stop it (`mdadm --stop`), or choose another `name`; `mdadm --detail` shows what it is",
        )


def located(path: str, play: tuple[Task, ...], locate: Locate) -> Location | None:
    """The array that a task of the play makes under this path; None for any other path."""
    found = _PATH.fullmatch(path)
    for task in play if found else ():
        if task.key == "raid" and getattr(task, "name", None) == path.rpartition("/")[2]:
            return ArrayAt(path, tuple(locate(each, play) for each in getattr(task, "devices", ())))
    return None
