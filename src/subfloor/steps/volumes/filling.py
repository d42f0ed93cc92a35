"""Which volumes the tasks of a play fill. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from subfloor.core.task import Task
from subfloor.storage.devices import Device, device

_FILLING = ("mkfs", "luks", "volume-group")

_ON_OTHERS = ("/dev/mapper/", "/dev/md/")
"""The beginnings of the paths of mapped devices and arrays, which lie on other devices."""


def named_by(task: Task) -> frozenset[Device]:
    """The devices that a task names by its parameter ``device`` or ``devices``."""
    return frozenset(_named(task))


def is_filled_by(task: Task, path: str) -> bool:
    """Whether a task makes the content of the device at this path. A `swap` task names a device only to activate it."""
    return task.key != "swap" and bool(named_by(task) & frozenset(_devices((path,))))


def filled_disks(play: Iterable[Task]) -> tuple[tuple[str, str], ...]:
    """Name and path of each disk that the play fills as a whole. A task without ``disk`` takes it from `wipefs`."""
    tasks = tuple(play)
    erased = {getattr(task, "device", ""): getattr(task, "disk", "") for task in tasks if task.key == "wipefs"}
    filling = ((task, each) for task in tasks if task.key in _FILLING for each in _named(task))
    names = (
        (str(getattr(task, "disk", "") or erased.get(each.disk, "disk")), each.disk)
        for task, each in filling
        if each.number is None and not each.disk.startswith(_ON_OTHERS)
    )
    return tuple(dict.fromkeys(names))


def _named(task: Task) -> Iterator[Device]:
    several = getattr(task, "devices", ())
    return _devices((getattr(task, "device", None), *(several if isinstance(several, tuple) else ())))


def _devices(named: Iterable[object]) -> Iterator[Device]:
    """The devices that these paths name. A tag or another value gives none."""
    for path in named:
        if isinstance(path, str) and path.startswith("/dev/"):
            with contextlib.suppress(ValueError):
                yield device(path)
