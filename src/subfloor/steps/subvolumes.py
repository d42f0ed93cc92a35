"""Btrfs subvolumes: where one can be, and the commands that create one with its properties. All of it is pure."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from subfloor.core.errors import Refused
from subfloor.core.machine import AnySubject, Machine, Unknown
from subfloor.core.task import Command, Step, Task
from subfloor.observe.mount import Mount, UnderlyingMount
from subfloor.observe.path import DIRECTORY, Absent, Path, directory, is_below, seen
from subfloor.observe.subvolume import Subvolume, SubvolumeState
from subfloor.observe.tool import Tool
from subfloor.steps import mount_options, paths
from subfloor.storage import sizes

_AGAIN = "then run subfloor again"
_TOOLS = {"btrfs": "btrfs-progs", "chattr": "e2fsprogs", "lsattr": "e2fsprogs"}


@dataclass(frozen=True)
class Wanted:
    """The declared properties of a subvolume; None for a property that stays as it is."""

    nodatacow: bool | None = None
    compression: str | None = None
    read_only: bool = False

    def applied(self, state: SubvolumeState) -> SubvolumeState:
        """The subvolume once it has these properties."""
        return replace(
            state,
            read_only=self.read_only,
            nodatacow=state.nodatacow if self.nodatacow is None else self.nodatacow,
            compression=self.compression or state.compression,
        )

    def commands(self, path: str) -> tuple[Command, ...]:
        """Commands that give an empty subvolume these properties, read-only as the last one, and flush that."""
        return (
            *(() if self.nodatacow is None else nocow(path, self.nodatacow)),
            *(compressed(path, self.compression) if self.compression else ()),
            *((btrfs("property", "set", path, "ro", "true"),) if self.read_only else ()),
            btrfs("filesystem", "sync", path),
        )

    def is_met(self, state: SubvolumeState) -> bool:
        """Whether NoCOW and compression are as declared."""
        return self.nodatacow in (None, state.nodatacow) and self.compression in (None, state.compression)


@dataclass(frozen=True)
class Place:
    """A place on a btrfs: the source that the play mounts, and the path from its top level, without a slash."""

    source: str
    path: str


def in_play(play: Iterable[Task], path: str) -> Place | None:
    """Where a path lies, by the `mount` tasks of the play; None if they mount no btrfs there."""
    at = [task for task in play if task.key == "mount" and is_below(path, getattr(task, "path", path))]
    task = max(at, key=lambda each: len(getattr(each, "path", "")), default=None)
    if task is None or getattr(task, "type", "") != "btrfs":
        return None
    root = mount_options.subvolume(getattr(task, "options", ()))
    inside = posixpath.join(root, posixpath.relpath(path, getattr(task, "path", "/")))
    return Place(str(getattr(task, "source", "")), inside[1:])


def declared_in(play: tuple[Task, ...], place: Place) -> list[str]:
    """The paths of the subvolumes that the play declares below ``place``."""
    paths_ = (str(getattr(task, "path", "")) for task in play if task.key == "btrfs-subvolume")
    found = ((path, in_play(play, path)) for path in paths_)
    return [path for path, at in found if at and at.source == place.source and at.path.startswith(f"{place.path}/")]


def subjects(path: str) -> frozenset[AnySubject]:
    """All subjects that the steps for a subvolume read."""
    looks: tuple[AnySubject, ...] = (Path(path), Mount(path), Subvolume(path), UnderlyingMount(path))
    return frozenset({*looks, *map(Tool, _TOOLS)})


def found(machine: Machine, path: str) -> SubvolumeState | None:
    """The subvolume at a path; None if nothing is there.

    Raises ``Refused`` if something else is there, or if no subvolume can be there; ``NotVisible`` if the filesystem
    is not mounted yet.
    """
    there = paths.there(machine, path, DIRECTORY)
    state: SubvolumeState | Absent = seen(machine, Subvolume(path))
    _check_place(machine, path)
    if isinstance(state, SubvolumeState):
        return state
    if isinstance(there, Absent):
        return None
    quoted = shlex.quote(path)
    raise Refused(
        f"{path} is a plain directory, but must be a subvolume",
        advice=f"`rmdir {quoted}` if it is empty; else rename it, run subfloor again, and move back what is in it",
    )


def _check_place(machine: Machine, path: str) -> None:
    top, under = machine[Mount(path)].top, machine[UnderlyingMount(path)]
    if top:
        raise Refused(
            f"{top} is mounted at {path} and hides the content of that directory",
            advice="name the subvolume by its path below the mount of the btrfs's top level (option `subvol=/`)",
        )
    if under.type != "btrfs":
        raise Refused(
            f"{path} lies on {under}, which is not a btrfs",
            advice="put a `mount` task for the btrfs before this one, and name a path below its mount point",
        )
    if missing := [program for program in _TOOLS if not machine[Tool(program)]]:
        raise Refused(f"there is no program {missing[0]}", advice=f"install {_TOOLS[missing[0]]}; {_AGAIN}")


def create(machine: Machine, path: str, wanted: Wanted, says: str) -> Step:
    """A step that creates a subvolume, and the directories above it. Each command is atomic."""
    around: dict[AnySubject, Any] = {
        subject: replace(state, empty=False) for subject, state in _states(machine) if is_below(path, subject.path)
    }
    # It inherits the compression of the subvolume around it.
    quotas = any(state.quotas for _, state in _on(machine, machine[UnderlyingMount(path)].source))
    new = wanted.applied(SubvolumeState(compression=Unknown(), quotas=quotas))
    after: dict[AnySubject, Any] = {**around, Subvolume(path): new}
    above = Command(("mkdir", "-p", "--", posixpath.dirname(path)))
    return Step(
        says,
        (above, btrfs("subvolume", "create", path), *wanted.commands(path)),
        paths.made(machine, path, directory()).updated(after),
    )


def set_default(machine: Machine, path: str) -> Step:
    """A step that makes a subvolume the default of its filesystem; the former default loses that property."""
    source = machine[UnderlyingMount(path)].source
    changes: dict[AnySubject, Any] = {
        subject: replace(state, default=subject == Subvolume(path)) for subject, state in _on(machine, source)
    }
    says = f"Make {path} the default subvolume of {source}"
    return Step(says, (btrfs("subvolume", "set-default", path),), machine.updated(changes))


def limit(machine: Machine, path: str, state: SubvolumeState, most: str) -> Step:
    """A step that limits the size of a subvolume; the quotas that this needs are those of its whole filesystem."""
    size = sizes.parse(most)
    commands = (btrfs("qgroup", "limit", f"{size}", path),)
    counted: dict[AnySubject, Any] = {
        subject: replace(each, quotas=True) for subject, each in _on(machine, machine[UnderlyingMount(path)].source)
    }
    limited: dict[AnySubject, Any] = {Subvolume(path): replace(state, quotas=True, limit=sizes.show(size))}
    after = machine.updated({**counted, **limited})
    if state.quotas:
        return Step(f"Limit {path} to {most}", commands, after)
    return Step(f"Limit {path} to {most}, and enable quotas", (btrfs("quota", "enable", path), *commands), after)


def _on(machine: Machine, source: str) -> Iterator[tuple[Subvolume, SubvolumeState]]:
    """The subvolumes of one filesystem."""
    return ((each, state) for each, state in _states(machine) if machine[UnderlyingMount(each.path)].source == source)


def _states(machine: Machine) -> Iterator[tuple[Subvolume, SubvolumeState]]:
    for subject, state in machine.items():
        if isinstance(subject, Subvolume) and isinstance(state, SubvolumeState):
            yield subject, state


def nocow(path: str, on: bool) -> tuple[Command, ...]:
    """Commands that set or clear NoCOW for new files in a directory. ``on``: set it, so that copy-on-write is off."""
    return (Command(("chattr", "+C" if on else "-C", "--", path)),)


def compressed(path: str, how: str) -> tuple[Command, ...]:
    """Commands that set the compression of new files in a directory."""
    return (btrfs("property", "set", "-t", "inode", path, "compression", how),)


def btrfs(*words: str) -> Command:
    """A call of btrfs(8). Paths are absolute, so none is taken for an option."""
    return Command(("btrfs", *words))
