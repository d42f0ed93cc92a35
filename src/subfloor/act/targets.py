"""What a task is about: the partitions that it names, the paths that it looks at, the paths that it makes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from subfloor.core.contributions import (
    ArrayDevice,
    Contribution,
    EncryptedDevice,
    FileSystem,
    LogicalVolume,
    Persisted,
    SwapDevice,
)
from subfloor.core.faults import asked
from subfloor.core.task import Task
from subfloor.observe.disk import Disk
from subfloor.storage.devices import device


def partitions(task: Task) -> frozenset[tuple[str, int]]:
    """The partitions that a task names, as pairs of the disk's path and the number.

    A task names one by the parameter ``device``, with ``number`` if the device is a whole disk; or in what it
    contributes to the configuration of the installed system.
    """
    return frozenset(_named(task))


def devices(task: Task) -> frozenset[str]:
    """The devices that a task works on: its parameters ``device`` and ``devices``, and those in its contributions."""
    contributed = (each.device for each in _contributions(task) if isinstance(each, FileSystem | SwapDevice))
    several = getattr(task, "devices", ())
    named = (getattr(task, "device", None), *(several if isinstance(several, tuple) else ()), *contributed)
    return frozenset(path for path in named if isinstance(path, str))


def opened(task: Task) -> frozenset[str]:
    """The devices that a task makes appear: open containers, logical volumes and arrays."""
    made = (each for each in _contributions(task) if isinstance(each, EncryptedDevice | LogicalVolume | ArrayDevice))
    return frozenset(each.path for each in made)


def _named(task: Task) -> Iterator[tuple[str, int]]:
    for path in devices(task):
        with contextlib.suppress(ValueError):  # a tag, a network share, "tmpfs"
            named = device(path)
            number = getattr(task, "number", None) if named.number is None else named.number
            if isinstance(number, int):
                yield named.disk, number


def whole_disks(task: Task) -> frozenset[str]:
    """The paths of the disks that a task looks at and names as a whole."""
    named = getattr(task, "device", None)
    return frozenset(each.path for each in task.subjects() if isinstance(each, Disk) and each.path == named)


def laid_out(task: Task) -> frozenset[str]:
    """The paths of the disks that a task lays out as a whole: it names the disk, and no partition of the disk."""
    return whole_disks(task) - {disk for disk, _ in partitions(task)}


def _contributions(task: Task) -> tuple[Contribution, ...]:
    what = "failed to list what the installed system needs"
    return asked(task, what, task.contributes, lambda answer: isinstance(answer, tuple))


def makes(task: Task) -> frozenset[str]:
    """The paths below which a task makes something visible: its mounts and its binds."""
    return frozenset(each.path for each in _contributions(task) if isinstance(each, FileSystem | Persisted))


def paths(task: Task) -> frozenset[str]:
    """The paths that a task looks at."""
    found = (getattr(subject, "path", None) for subject in task.subjects())
    return frozenset(path for path in found if isinstance(path, str) and not path.startswith("/dev/"))


def is_below(path: str, above: str) -> bool:
    """Whether a path lies below another one, or is the same."""
    return path == above or path.startswith(above.rstrip("/") + "/")
