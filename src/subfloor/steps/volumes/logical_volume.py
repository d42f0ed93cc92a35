"""A logical volume of LVM, as a volume: a tag in the group's metadata carries the mark.

LVM writes the whole metadata of a group beside the former copy, and then the header, which holds a checksum of the
metadata and refers to it. So a killed command leaves either the former tags or the new ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from uuid import UUID

from subfloor.core.errors import Refused
from subfloor.core.identity import Identity
from subfloor.core.machine import AnySubject, Machine
from subfloor.core.task import Command, Loss, Step, Task
from subfloor.observe.disk import Content, Disk, DiskState, Missing, Unopened
from subfloor.observe.volume_group import Group, Logical, NamedGroup
from subfloor.steps.losses import loss
from subfloor.steps.volumes.volume import Locate, Location, Volume, disks_of, locks_of
from subfloor.steps.volumes.volume_group import ENV, SETTINGS, GroupAt, group_of, nodes
from subfloor.storage import lvm
from subfloor.storage.devices import logical_volume
from subfloor.storage.marks import STAGES, final

_KEY = "logical-volume"
"""The key of the task that makes a logical volume."""


@dataclass(frozen=True)
class LogicalVolumeAt(Location):
    """The logical volume ``name`` in ``group``. ``group`` is None if no task of the play makes it."""

    path: str
    name: str
    group: GroupAt | None

    def subjects(self) -> frozenset[AnySubject]:
        """All subjects that ``on`` reads."""
        return frozenset({Disk(self.path)}) | (self.group.subjects() if self.group else frozenset())

    def on(self, machine: Machine, identity: Identity) -> Volume:
        """The volume on a machine. Raises ``Refused`` and ``NotVisible``."""
        group_at = self.required()
        below = group_at.below(machine, identity)
        group = group_at.on(machine, identity)
        logical = group.volume(self.name) if group else None
        uuid = identity.logical_volume(identity.volume_group(group_at.name), self.name)
        stage = lvm.stage_of(logical.tags, uuid) if logical else None
        if group is None or logical is None or stage is None or stage == lvm.NEW:
            raise Refused(
                f"there is no {self.path} that this play made",
                advice="put a `logical-volume` task for it before this one",
            )
        disk = self._active(machine, group, logical)
        return LogicalVolume(
            machine=machine,
            identity=identity,
            path=self.path,
            node=disk.node,
            size=disk.size,
            sector=disk.limits.sector,
            name=self.name + stage,
            uuid=uuid,
            ours=True,
            content=disk.content,
            users=disk.users,
            in_use=disk.is_busy,
            read_only=disk.read_only,
            disks=disks_of(below),
            locks=locks_of(below),
            below=below,
            group=group,
            logical=logical,
            disk=disk,
        )

    def required(self) -> GroupAt:
        """The group. Raises ``Refused`` if no task of the play makes it."""
        if self.group is None:
            raise Refused(
                f"no `volume-group` task of the play makes the group of {self.path}",
                advice="put a `volume-group` task before this one: it makes the group, or finds it if an earlier run "
                "made it",
            )
        return self.group

    def _active(self, machine: Machine, group: Group, logical: Logical) -> DiskState:
        disk = machine[Disk(self.path)]
        if isinstance(disk, Unopened):
            raise disk.error(self.path)
        if isinstance(disk, Missing):
            raise Refused(
                f"{self.path} is not active",
                advice="put the `logical-volume` task of this volume before this one: that task activates the volume",
            )
        check_same(self.path, disk, group, logical)
        return disk


def check_same(path: str, disk: DiskState, group: Group, logical: Logical) -> None:
    """Raise ``Refused`` if the device at ``path`` is not the logical volume."""
    found = disk.mapped.uuid if disk.mapped else ""
    if isinstance(found, str) and logical.uuid and found != group.dm_uuid(logical):
        raise Refused(
            f"{path} is not the logical volume {group.name}/{logical.name}",
            advice="`dmsetup ls --tree` shows what it is; remove it, then run subfloor again",
        )


@dataclass(frozen=True, kw_only=True)
class LogicalVolume(Volume):
    """An active logical volume on a machine. ``below``: the volumes that its group lies on."""

    below: tuple[Volume, ...]
    group: Group
    logical: Logical
    disk: DiskState

    def mark(self, name: str) -> tuple[Command, ...]:
        """Commands that give the volume the tag for the stage that ``name`` ends in, and flush that."""
        return retag(self.group.name, self.logical.name, self.uuid, _stage(name), nodes(self.below))

    def holding(self, content: Content | None, name: str, *, known: bool = True) -> Machine:
        """The machine after the volume got this content and name."""
        signatures = (content.type,) if content else ()
        disk = replace(self.disk, content=content, signatures=signatures, table=None, volumes=(), filled=False)
        group = with_volume(self.group, retagged(self.logical, self.uuid, _stage(name)))
        return self.machine.with_(Disk(self.path), disk).with_(NamedGroup(group.name), group)

    def losses(self, about: str) -> tuple[Loss, ...]:
        """The losses of a step that destroys the content of the volume. Raises ``LookNeeded``."""
        lost = loss(self.machine, self.path, self.disk)
        return (replace(lost, what=f"{lost.what} ({about})", disks=self.disks),)

    def take_over(self) -> Step:
        """Always raises ``Refused``: a volume of this kind is always ours."""
        raise Refused(f"{self.path} was not made by this play", advice="choose another name for the volume")


def retag(group: str, name: str, uuid: UUID, stage: str, below: tuple[str, ...]) -> tuple[Command, ...]:
    """Commands that replace the tag of any other stage by that of ``stage``, in one commit, and flush that."""
    others = (each for each in (lvm.NEW, *STAGES, "") if each != stage)
    removed = (word for each in others for word in ("--deltag", lvm.tag(uuid, each)))
    change = ("lvchange", *SETTINGS, "--yes", *removed, "--addtag", lvm.tag(uuid, stage), f"{group}/{name}")
    return (Command(change, env=ENV), Command(("sync", *below)))


def retagged(logical: Logical, uuid: UUID, stage: str) -> Logical:
    """The volume with the tag of this stage, and without the tags of all other stages."""
    other = {lvm.tag(uuid, each) for each in (lvm.NEW, *STAGES, "")}
    return replace(logical, tags=(logical.tags - other) | {lvm.tag(uuid, stage)})


def with_volume(group: Group, logical: Logical) -> Group:
    """The group with this volume, which replaces any volume of the same name."""
    others = (each for each in group.logical if each.name != logical.name)
    return replace(group, logical=tuple(sorted((*others, logical), key=lambda each: each.name)))


def _stage(name: str) -> str:
    return name.removeprefix(final(name))


def marked_name(machine: Machine, disk: DiskState) -> str:
    """The name and mark of the logical volume that this device is; "" if no group on the machine has it."""
    for state in machine.values():
        for each in state.logical if isinstance(state, Group) else ():
            if disk.node == logical_volume(state.name, each.name):
                return each.name + lvm.stage_in(each.tags)
    return ""


def with_one_name(play: tuple[Task, ...]) -> tuple[Task, ...]:
    """The tasks of a play, whose parameters now name each logical volume of the play by its path below /dev/mapper.

    ``/dev/GROUP/NAME`` is a link that udev makes. A path of that form may lead to any device, so only the paths of
    volumes that the play makes are replaced.
    """
    made = ((str(getattr(task, "group", "")), str(getattr(task, "name", ""))) for task in play if task.key == _KEY)
    names = {f"/dev/{group}/{name}": logical_volume(group, name) for group, name in made}
    return tuple(_renamed(task, names) for task in play) if names else play


def _renamed(task: Task, names: Mapping[str, str]) -> Task:
    changes: dict[str, Any] = {}
    for each in fields(task):  # type: ignore[arg-type]
        value = getattr(task, each.name)
        if isinstance(value, str) and value in names:
            changes[each.name] = names[value]
        elif isinstance(value, tuple) and any(isinstance(word, str) and word in names for word in value):
            changes[each.name] = tuple(names.get(word, word) if isinstance(word, str) else word for word in value)
    return replace(task, **changes) if changes else task  # type: ignore[type-var]


def located(path: str, play: tuple[Task, ...], locate: Locate) -> LogicalVolumeAt | None:
    """The logical volume at this path, if a task of the play makes it; None for any other path."""
    for task in play:
        if task.key == _KEY:
            group, name = str(getattr(task, "group", "")), str(getattr(task, "name", ""))
            if path == logical_volume(group, name):
                return LogicalVolumeAt(path, name, group_of(group, play, locate))
    return None
