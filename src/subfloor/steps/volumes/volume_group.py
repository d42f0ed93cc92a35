"""A volume group of LVM: which one a name means in a play, and whether the play made it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from subfloor.core.errors import Refused
from subfloor.core.identity import Identity
from subfloor.core.machine import AnySubject, Machine
from subfloor.core.task import Task
from subfloor.observe.disk import Content, Disk, DiskState
from subfloor.observe.volume_group import Group, NamedGroup
from subfloor.steps.volumes.volume import Locate, Location, Volume
from subfloor.storage import lvm
from subfloor.storage.devices import device

ENV = {"LVM_SUPPRESS_FD_WARNINGS": "1"}
"""LVM warns of every file descriptor that it did not open itself, such as that of a lock."""

SETTINGS = ("--config", "devices { use_devicesfile=0 }")
"""Without LVM's devices file, which lists the disks of a host (lvmdevices(8)): the play names the disks to use."""


@dataclass(frozen=True)
class GroupAt:
    """The volume group ``name`` that a task of the play makes on the volumes ``devices``."""

    name: str
    devices: tuple[Location, ...]

    @property
    def subject(self) -> NamedGroup:
        """The subject for the group itself."""
        return NamedGroup(self.name)

    def subjects(self) -> frozenset[AnySubject]:
        """All subjects that ``on`` and ``below`` read."""
        return frozenset({self.subject}).union(*(each.subjects() for each in self.devices))

    def below(self, machine: Machine, identity: Identity) -> tuple[Volume, ...]:
        """The volumes that the group lies on. Raises ``Refused`` and ``NotVisible``."""
        return tuple(each.on(machine, identity) for each in self.devices)

    def on(self, machine: Machine, identity: Identity) -> Group | None:
        """The group on a machine; None if no group has this name.

        Raises ``Refused`` if this play did not make the group, if it is incomplete, or if several groups have the name.
        """
        found = machine[self.subject]
        if found is None or is_gone(machine, found):
            return None
        if found.namesakes:
            raise Refused(
                f"{found.namesakes + 1} volume groups have the name {self.name!r}, and LVM works on none of them",
                advice="rename all but one: `vgs -o +vg_uuid`, then `vgrename UUID NEW-NAME`",
            )
        if lvm.tag(identity.volume_group(self.name)) not in found.tags:
            raise Refused(
                f"the volume group {self.name!r} ({_where(found)}) was not made by this play, and stays as it is",
                advice=f"rename it (`vgrename {self.name} NEW-NAME`), detach its disks, or choose another `name`; to "
                "erase it, put `wipefs` tasks for its disks first, and consent",
            )
        if found.is_partial:
            raise Refused(
                f"the volume group {self.name!r} is not complete: a physical volume is missing",
                advice=f"attach its disk; or give up what was on it: `vgreduce --removemissing {self.name}`",
            )
        return found


def is_gone(machine: Machine, group: Group) -> bool:
    """Whether this run, or its plan, has erased all physical volumes of a group."""
    held = {each.uuid for each in _contents(machine)}
    looked_at = {state.node for state in _disks(machine)}
    return bool(group.physical) and all(
        each.uuid not in held and each.node.startswith("/dev/") and device(each.node).disk in looked_at
        for each in group.physical
    )


def _disks(machine: Machine) -> Iterator[DiskState]:
    for subject, state in machine.items():
        if isinstance(subject, Disk) and isinstance(state, DiskState):
            yield state


def _contents(machine: Machine) -> Iterator[Content]:
    for state in _disks(machine):
        seen = (state.content, *(each.content for each in state.volumes))
        yield from (each for each in seen if isinstance(each, Content))


def _where(group: Group) -> str:
    return ", ".join(each.node or "a missing device" for each in group.physical)


def nodes(below: tuple[Volume, ...]) -> tuple[str, ...]:
    """The nodes of the physical volumes of a group."""
    return tuple(each.node for each in below)


def group_of(name: str, play: tuple[Task, ...], locate: Locate) -> GroupAt | None:
    """The group that a task of the play makes under this name; None if no task does."""
    for task in play:
        if task.key == "volume-group" and getattr(task, "name", None) == name:
            devices = (str(path) for path in getattr(task, "devices", ()))
            return GroupAt(name, tuple(locate(path, play) for path in devices))
    return None
