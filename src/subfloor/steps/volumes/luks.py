"""An open LUKS container, as a volume: the label in the container's header carries the mark.

cryptsetup writes a LUKS2 header twice, one copy after the other, each with a checksum and a sequence number; so a crash
leaves the old label or the new one (LUKS2 on-disk format, section 2.4).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from uuid import UUID

from subfloor.core.errors import Refused
from subfloor.core.identity import Identity
from subfloor.core.machine import AnySubject, Machine
from subfloor.core.task import Command, Loss, Step, Task
from subfloor.observe.disk import Content, Disk, DiskState, Missing, Unopened
from subfloor.steps.losses import loss
from subfloor.steps.volumes.volume import Locate, Location, Volume
from subfloor.storage.filesystems import LUKS

_MAPPED = re.compile(r"/dev/mapper/([^/]+)")


def node_of(name: str) -> str:
    """The node of a mapped device."""
    return f"/dev/mapper/{name}"


def dm_uuid(container: UUID | str, name: str) -> str:
    """The UUID that cryptsetup gives to the mapped device of an open LUKS2 container."""
    return f"CRYPT-LUKS2-{str(container).replace('-', '')}-{name}"


@dataclass(frozen=True)
class OpenContainerAt(Location):
    """The inside of a container, which a task of the play opens as ``path``.

    ``below``: the volume that holds the container; None if there is no such task.
    """

    path: str
    below: Location | None

    def subjects(self) -> frozenset[AnySubject]:
        """All subjects that ``on`` reads."""
        return frozenset({Disk(self.path)}) | (self.below.subjects() if self.below else frozenset())

    def on(self, machine: Machine, identity: Identity) -> Volume:
        """The volume on a machine. Raises ``Refused`` and ``NotVisible``."""
        if self.below is None:
            raise Refused(
                f"no `luks` or `logical-volume` task of the play makes {self.path}",
                advice="put one before this task: it makes the container or the volume, or opens it",
            )
        below = self.below.on(machine, identity)
        uuid = identity.filesystem(below.uuid)
        disk = self._open(machine, uuid)
        header = below.content
        if not isinstance(header, Content) or header.type != LUKS or header.uuid != str(uuid):
            raise Refused(
                f"{self.path} was not opened from a container that this play made on {below.path}",
                advice="put a `luks` task for it before this one",
            )
        return OpenContainer(
            machine=machine,
            identity=identity,
            path=self.path,
            node=disk.node,
            size=disk.size,
            sector=disk.limits.sector,
            name=header.label,
            uuid=uuid,
            ours=below.ours and below.is_final,
            content=disk.content,
            users=disk.users,
            in_use=disk.is_busy,
            read_only=disk.read_only,
            disks=below.disks,
            locks=below.locks,
            below=below,
            header=header,
            disk=disk,
        )

    def _open(self, machine: Machine, uuid: UUID) -> DiskState:
        disk = machine[Disk(self.path)]
        if isinstance(disk, Unopened):
            raise disk.error(self.path)
        if isinstance(disk, Missing):
            raise Refused(f"there is no {self.path}", advice="put a `luks` task that opens it before this one")
        found = disk.mapped.uuid if disk.mapped else ""
        if found != dm_uuid(uuid, self.path.rpartition("/")[2]):
            raise Refused(
                f"{self.path} is not the device that this play opens there",
                advice="close it (`cryptsetup close`), or choose another name; `dmsetup ls --tree` shows what it is",
            )
        return disk


@dataclass(frozen=True, kw_only=True)
class OpenContainer(Volume):
    """An open container on a machine. ``below``: the volume that holds it; ``header``: the content of ``below``."""

    below: Volume
    header: Content
    disk: DiskState

    def mark(self, name: str) -> tuple[Command, ...]:
        """Commands that make ``name`` the label of the container, and flush that."""
        return relabel(self.below, name)

    def holding(self, content: Content | None, name: str, *, known: bool = True) -> Machine:
        """The machine after the volume got this content and name."""
        signatures = (content.type,) if content else ()
        disk = replace(self.disk, content=content, signatures=signatures, table=None, volumes=(), filled=False)
        header = replace(self.header, label=name)
        return self.below.holding(header, self.below.name, known=self.below.known).with_(Disk(self.path), disk)

    def losses(self, about: str) -> tuple[Loss, ...]:
        """The losses of a step that destroys the content of the volume. Raises ``LookNeeded``."""
        lost = loss(self.machine, self.path, self.disk)
        return (replace(lost, what=f"{lost.what} ({about})", disks=self.disks),)

    def take_over(self) -> Step:
        """Always raises ``Refused``: only a `luks` task takes over a container."""
        raise Refused(
            f"{self.path} was not made by this play",
            advice=f"put a `luks` task for {self.below.path} before this one, and consent to its loss",
        )


def relabel(container: Volume, label: str) -> tuple[Command, ...]:
    """Commands that change the label of a container, and flush it."""
    config = ("cryptsetup", "config", "--batch-mode", "--label", label, "--subsystem", "", "--", container.node)
    return (Command(config), Command(("sync", container.node)))


def marked_name(machine: Machine, disk: DiskState) -> str:
    """The label of the container that was opened as this device; "" if no partition of the machine holds it."""
    opened = disk.mapped.uuid if disk.mapped else ""
    if not isinstance(opened, str):
        return ""
    for subject, state in machine.items():
        for seen in state.volumes if isinstance(subject, Disk) and isinstance(state, DiskState) else ():
            if isinstance(seen.content, Content) and opened.startswith(dm_uuid(seen.content.uuid, "")):
                return seen.content.label
    return ""


def located(path: str, play: tuple[Task, ...], locate: Locate) -> Location | None:
    """The inside of a container, for every path below /dev/mapper, even if no task opens it; None for other paths."""
    found = _MAPPED.fullmatch(path)
    if not found:
        return None
    for task in play:
        if task.key == "luks" and getattr(task, "name", None) == found[1]:
            return OpenContainerAt(path, locate(str(getattr(task, "device", "")), play))
    return OpenContainerAt(path, None)
