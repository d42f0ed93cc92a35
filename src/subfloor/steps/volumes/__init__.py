"""Volumes: places that can hold content, whatever they lie on. One file for each kind; all of it is pure."""

from __future__ import annotations

from collections.abc import Iterable

from subfloor.core.task import Task
from subfloor.steps.volumes import mapping, partition
from subfloor.steps.volumes.volume import Location, Volume

_KINDS = (mapping.located, partition.located)
"""How a path is recognised, kind by kind. The last one takes every path that is left."""


def locate(path: str, play: Iterable[Task] = ()) -> Location:
    """The volume that a path means, by its name, and by the tasks of the play that make it.

    Raises ``ValueError`` for a path that names no volume.
    """
    tasks = tuple(play)
    return next(found for kind in _KINDS if (found := kind(path, tasks, locate)) is not None)


__all__ = ["Location", "Volume", "locate"]
