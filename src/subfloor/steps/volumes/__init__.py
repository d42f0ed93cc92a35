"""Volumes: block devices that can hold content. One file for each kind; all of it is pure."""

from __future__ import annotations

from collections.abc import Iterable

from subfloor.core.machine import Machine
from subfloor.core.task import Task
from subfloor.observe.disk import DiskState
from subfloor.steps.volumes import mapping, partition
from subfloor.steps.volumes.volume import Location, Volume

_KINDS = (mapping.located, partition.located)
"""One function per kind that recognises its paths. The last one accepts every remaining path."""


def locate(path: str, play: Iterable[Task] = ()) -> Location:
    """The volume at a path, found by the name and by the tasks of the play that make it.

    Raises ``ValueError`` for a path that names no volume.
    """
    tasks = tuple(play)
    return next(found for kind in _KINDS if (found := kind(path, tasks, locate)) is not None)


def is_mapped(path: str) -> bool:
    """Whether a path is the node of a device that lies on others."""
    return path.startswith("/dev/mapper/")


def marked_name(machine: Machine, disk: DiskState) -> str:
    """The name, with its mark, that the layer below keeps for a whole device; "" where none does."""
    return mapping.marked_name(machine, disk)


__all__ = ["Location", "Volume", "is_mapped", "locate", "marked_name"]
