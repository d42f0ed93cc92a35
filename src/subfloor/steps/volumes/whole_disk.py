"""A whole disk without a partition table, as a volume: a sector near its end carries the mark.

A finished disk has no mark: it is ours by the UUID of its content, which is derived from the disk's name in the play.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from subfloor.core.errors import Refused
from subfloor.core.identity import Identity
from subfloor.core.machine import AnySubject, Machine
from subfloor.core.task import Step, Task
from subfloor.observe.disk import UNKNOWN_DATA, Disk, DiskState
from subfloor.steps.ownership import is_our_content
from subfloor.steps.partitioning import check_not_another, disk_at, erase, erased, guard
from subfloor.steps.volumes.end_marked import EndMarked, unexpected
from subfloor.steps.volumes.filling import filled_disks
from subfloor.steps.volumes.volume import Locate, Location, Volume
from subfloor.storage.devices import device
from subfloor.storage.end_mark import ROOM, EndMark, room
from subfloor.storage.marks import UNFINISHED
from subfloor.storage.sizes import show


@dataclass(frozen=True)
class WholeDiskAt(Location):
    """The disk at this path, which the play calls ``disk``.

    ``others``: the names and paths of the play's other disks. ``partitioned``: the play makes a partition table on
    this disk.
    """

    path: str
    disk: str = "disk"
    others: tuple[tuple[str, str], ...] = ()
    partitioned: bool = False

    def subjects(self) -> frozenset[AnySubject]:
        """All subjects that ``on`` reads."""
        return frozenset({Disk(self.path)})

    def on(self, machine: Machine, identity: Identity) -> Volume:
        """The volume on a machine. Raises ``Refused`` and ``NotVisible``."""
        self._check_play()
        disk, uuid = disk_at(machine, self.path), identity.disk_anywhere(self.disk)
        self._check_disk(disk, identity)
        ours = _is_ours(identity, disk, EndMark(uuid, disk.mark.stage) if disk.mark else None, self.disk)
        return WholeDisk(
            machine=machine,
            identity=identity,
            path=self.path,
            node=disk.node,
            size=disk.size,
            room=room(disk.size),
            unfit=("vfat",),
            sector=disk.limits.sector,
            name=self.disk + (disk.mark.stage if ours and disk.mark else ""),
            uuid=uuid,
            ours=ours,
            content=disk.content or unexpected(disk),
            users=disk.busy,
            in_use=disk.is_busy,
            read_only=disk.read_only,
            disks=(self.path, disk.node),
            locks=(disk.node,),
            disk=disk,
        )

    def _check_play(self) -> None:
        if self.partitioned:
            raise Refused(
                f"the play makes a partition table on {self.path}, so nothing else can fill the whole disk",
                advice="name one of its partitions; or remove the `gpt-label` task for the disk",
            )
        for name, path in self.others:
            if name == self.disk:
                raise Refused(
                    f"the play calls both {self.path} and {path} “{name}”: they would get the same identity",
                    advice="give one of them another name with `disk:`",
                )

    def _check_disk(self, disk: DiskState, identity: Identity) -> None:
        if disk.mapped:
            raise Refused(
                f"{self.path} is a mapped device, and no task of the play makes it",
                advice="name a disk, a partition, or what a `luks` task opens; `lsblk` lists them",
            )
        if disk.size <= 2 * ROOM:
            raise Refused(f"{self.path} is too small: {show(disk.size)}", advice="name a larger disk; lsblk lists them")
        check_not_another(self.path, self.disk, disk, identity, [name for name, _ in self.others])
        for name, _ in self.others:
            uuid = identity.disk_anywhere(name)
            if disk.content and disk.content.uuid and is_our_content(identity, uuid, disk.content):
                raise Refused(
                    f"{self.path} is the disk “{name}” of this play, not “{self.disk}”",
                    advice="the device names have changed: name the disks by /dev/disk/by-id/…",
                )


@dataclass(frozen=True, kw_only=True)
class WholeDisk(EndMarked):
    """A whole disk on a machine."""

    def take_over(self) -> Step:
        """A step that erases the disk, and marks it as ours and unfinished; a blank disk is only marked."""
        blank = not self.disk.signatures and self.disk.table is None
        name = self.final_name + UNFINISHED
        after = replace(erased(self.disk), signatures=(UNKNOWN_DATA,), mark=self.marked(name))
        return Step(
            says=f"Mark {self.path} as unfinished" if blank else f"Take over {self.path}, and empty it",
            commands=((guard(self.node),) if blank else erase(self.disk)) + self.mark(name),
            after=self.machine.with_(Disk(self.path), after),
            destroys=() if blank else self.losses("not made by this play"),
            locks=self.locks,
        )


def _is_ours(identity: Identity, disk: DiskState, mark: EndMark | None, name: str) -> bool:
    """Whether the disk has our mark, or no mark and nothing but content of ours.

    ``mark``: our mark, with the same stage as the disk's mark; None if the disk has no mark.
    """
    if disk.table is not None or (disk.mark and disk.mark != mark):
        return False
    content = disk.content
    made_here = bool(content and content.uuid and is_our_content(identity, identity.disk_anywhere(name), content))
    return disk.mark is not None or (made_here and content is not None and disk.signatures == (content.type,))


def marked_name(disk: DiskState) -> str:
    """The stage in the mark near the end of a disk; "" if the disk has no mark, so its content is not unfinished."""
    return disk.mark.stage if disk.mark else ""


def located(path: str, play: tuple[Task, ...], locate: Locate) -> Location | None:
    """The whole disk at a path; None for a partition. Raises ``ValueError`` for a path that names no device."""
    if device(path).number is not None:
        return None
    filled = filled_disks(play)
    labelled = tuple(dict.fromkeys(_labelled(play)))
    own = next((name for name, at in filled if at == path), "disk")
    others = tuple((name, at) for name, at in dict.fromkeys((*labelled, *filled)) if at != path)
    return WholeDiskAt(path, own, others, partitioned=any(at == path for _, at in labelled))


def _labelled(play: tuple[Task, ...]) -> Iterator[tuple[str, str]]:
    """The name and path of each disk on which the play makes a table."""
    for task in play:
        path, name = getattr(task, "device", None), getattr(task, "disk", None)
        if task.key == "gpt-label" and isinstance(path, str) and isinstance(name, str):
            yield name, path
