"""Volumes: block devices that can hold content. One file for each kind; all of it is pure."""

from __future__ import annotations

from collections.abc import Iterable

from subfloor.core.machine import AnySubject, Machine
from subfloor.core.task import Task
from subfloor.observe.disk import DiskState
from subfloor.steps.volumes import array, logical_volume, luks, partition, volume_group, whole_disk
from subfloor.steps.volumes.filling import filled_disks, is_filled_by
from subfloor.steps.volumes.logical_volume import with_one_name
from subfloor.steps.volumes.volume import Location, Volume, locks_of
from subfloor.steps.volumes.volume_group import GroupAt

_KINDS = (logical_volume.located, luks.located, array.located, whole_disk.located, partition.located)
"""One function per kind of volume; each recognises the paths of its kind. The last accepts every remaining path."""


def locate(path: str, play: Iterable[Task] = ()) -> Location:
    """The volume at a path, found by the name and by the tasks of the play that make it.

    Raises ``ValueError`` for a path that names no volume.
    """
    tasks = tuple(play)
    return next(found for kind in _KINDS if (found := kind(path, tasks, locate)) is not None)


def group_of(name: str, play: Iterable[Task]) -> GroupAt | None:
    """The volume group that a task of the play makes under this name; None if no task does."""
    return volume_group.group_of(name, tuple(play), locate)


def subjects_below(path: str, play: Iterable[Task]) -> frozenset[AnySubject]:
    """All subjects that show whether the content of a whole device is finished; none if the play does not make it."""
    tasks = tuple(play)
    kinds = (logical_volume.located, luks.located, array.located)
    made = next((found for kind in kinds if (found := kind(path, tasks, locate))), None)
    return made.subjects() if made else frozenset()


def marked_name(machine: Machine, disk: DiskState) -> str:
    """The text that may end in the mark of a whole device; "" if there is none.

    This is the name of a logical volume or the label of a container. For a disk or an array, it is only the stage.
    """
    return whole_disk.marked_name(disk) or logical_volume.marked_name(machine, disk) or luks.marked_name(machine, disk)


__all__ = [
    "GroupAt",
    "Location",
    "Volume",
    "filled_disks",
    "group_of",
    "is_filled_by",
    "locate",
    "locks_of",
    "marked_name",
    "subjects_below",
    "with_one_name",
]
