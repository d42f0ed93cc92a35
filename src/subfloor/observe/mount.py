"""Mount points: what is mounted there, and how mounting something changes every subject below that path."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from subfloor.core.machine import AnySubject, Machine, Output, Subject, at_least
from subfloor.observe import mountinfo
from subfloor.observe.path import NotYetVisible, PathState, below, is_below, real_path


@dataclass(frozen=True)
class Mounted:
    """A mount; ``root`` is the path inside the filesystem that is mounted, ``/`` except for binds and subvolumes.

    A promise names only the options that were requested; the kernel adds its own. ``halted``: the kernel made the
    filesystem read-only, as it does after an error. ``unsure``: names of options that a promise leaves out, because it
    is not known whether they will be in force.
    """

    FOLLOWS: ClassVar[frozenset[str]] = frozenset({"halted"})  # the option rw ends it, at every mount of the filesystem

    source: str
    type: str
    root: str = "/"
    options: frozenset[str] = at_least()
    halted: bool = False
    unsure: frozenset[str] = field(default=frozenset(), compare=False)

    def __str__(self) -> str:
        inside = f", {self.root} in it" if self.root != "/" else ""
        options = f", {','.join(sorted(self.options))}" if self.options else ""
        return f"{self.source} ({self.type}{inside}{options})"

    def is_(self, other: Mounted) -> bool:
        """Whether both mounts show the same part of the same filesystem; options do not count."""
        return (self.source, self.type, self.root) == (other.source, other.type, other.root)


AUTOMOUNT = "autofs"
"""The type of a mount that triggers the real one at the first access (systemd.automount(5), autofs(5))."""


@dataclass(frozen=True)
class MountState:
    """What is mounted at a path. Of several stacked mounts only the last one, ``top``, is visible.

    ``under``: the others, which ``top`` hides. ``real``: the path without symbolic links. ``below``: the paths of
    mounts below this path, which a new mount on this path would hide. ``buried``: mounts at this path that a later
    mount over a directory above hides. ``automount``: systemd (or another automounter) mounts something here at the
    first access; the automount point itself does not count as a mount.
    """

    WORDS: ClassVar[Mapping[str, str]] = {
        "top": "",
        "under": "mounts under it",
        "real": "real path",
        "buried": "hidden mounts",
    }

    top: Mounted | None = None
    under: tuple[Mounted, ...] = ()
    real: str = ""
    below: tuple[str, ...] = field(default=(), compare=False)
    buried: tuple[Mounted, ...] = ()
    automount: bool = False

    @property
    def stack(self) -> tuple[Mounted, ...]:
        """All mounts at the path, the visible one last."""
        return (*self.under, self.top) if self.top else ()


@dataclass(frozen=True)
class Mount(Subject[MountState]):
    """A path as a mount point."""

    path: str

    def __str__(self) -> str:
        return f"mount point {self.path}"

    def probes(self) -> tuple[str, ...]:
        """The probes: the list of mounts, and the real path."""
        return (mountinfo.PROBE, real_path(self.path))

    def parse(self, *outputs: Output) -> MountState:
        """The mounts at and below the path."""
        mounts, real = outputs
        where = real.text.removesuffix("\n")
        every = mountinfo.parse(mounts.stdout)
        crossed = mountinfo.way(every, where)
        below = tuple(m.path for m in every if is_below(m.path, where))
        buried = [m for m in every if m.path == where and m not in crossed]
        every_here = [m for m in crossed if m.path == where]
        here = [_mounted(m) for m in every_here if m.type != AUTOMOUNT]
        return MountState(
            here[-1] if here else None,
            tuple(here[:-1]),
            where,
            below,
            tuple(_mounted(m) for m in buried if m.type != AUTOMOUNT),
            automount=len(here) < len(every_here),
        )


def _mounted(mount: mountinfo.MountInfo) -> Mounted:
    return Mounted(mount.source, mount.type, mount.root, mount.options, mount.halted)


@dataclass(frozen=True)
class InUse:
    """Every mount of a device: its source, its path, and the options that it shows.

    Other programs mount and unmount at any time, so two values always compare as equal.
    """

    mounts: tuple[tuple[str, str, frozenset[str]], ...] = field(default=(), compare=False)

    def of(self, source: str) -> tuple[tuple[str, frozenset[str]], ...]:
        """The mounts of the device ``source``: path and options of each."""
        return tuple((path, options) for node, path, options in self.mounts if node == source)


@dataclass(frozen=True)
class DevicesMounted(Subject[InUse]):
    """Every device that is mounted. The kernel keeps some options once for all mounts of a filesystem."""

    def __str__(self) -> str:
        return "devices that are mounted"

    def probes(self) -> tuple[str, ...]:
        """The probes to run, as pieces of sh."""
        return (mountinfo.PROBE,)

    def parse(self, *outputs: Output) -> InUse:
        """The mounts whose source is a path."""
        (mounts,) = outputs
        found = (m for m in mountinfo.parse(mounts.stdout) if m.source.startswith("/"))
        return InUse(tuple((m.source, m.path, m.options) for m in found))


@dataclass(frozen=True)
class MountLocation:
    """The mount that a path lies on, and its mount point ``at``."""

    at: str
    source: str
    type: str
    root: str = "/"

    def __str__(self) -> str:
        return f"{self.source} ({self.type}) at {self.at}"

    def inside(self, path: str) -> str:
        """Where ``path``, which lies on this mount, is inside the filesystem."""
        return posixpath.normpath(posixpath.join(self.root, posixpath.relpath(path, self.at)))


@dataclass(frozen=True)
class UnderlyingMount(Subject[MountLocation]):
    """The mount that a path lies on; the path need not exist."""

    follows: ClassVar[bool] = True
    path: str

    def __str__(self) -> str:
        return f"filesystem under {self.path}"

    def probes(self) -> tuple[str, ...]:
        """The probes: the list of mounts, and the real path."""
        return (mountinfo.PROBE, real_path(self.path))

    def parse(self, *outputs: Output) -> MountLocation:
        """The mount that the path lies on."""
        mounts, real = outputs
        crossed = mountinfo.way(mountinfo.parse(mounts.stdout), real.text.removesuffix("\n"))
        # In a chroot whose root is not a mount point, the filesystem under it is unknown.
        last = crossed[-1] if crossed else None
        return MountLocation(last.path, last.source, last.type, last.root) if last else MountLocation("/", "", "")


def mounting(machine: Machine, at: str, mounted: Mounted, *, root: PathState, hidden: NotYetVisible | None) -> Machine:
    """The machine after ``mounted`` is mounted at the path ``at``: the mount hides what was at and below it.

    ``root``: the root directory of the mounted filesystem. ``hidden``: why the content of the filesystem cannot be seen
    before the mount is really made; None if the filesystem is known to be empty.
    """
    changes: dict[AnySubject, Any] = dict(below(machine, at, root, hidden))
    for subject in machine:
        if isinstance(subject, Mount) and is_below(at, subject.path):
            state = machine[subject]
            changes[subject] = replace(state, below=(*state.below, at))
        elif isinstance(subject, Mount) and is_below(subject.path, at) and hidden is None:
            changes[subject] = MountState(real=subject.path)
        elif isinstance(subject, UnderlyingMount) and (subject.path == at or is_below(subject.path, at)):
            changes[subject] = MountLocation(at, mounted.source, mounted.type, mounted.root)
        elif isinstance(subject, DevicesMounted):
            there = machine[subject].mounts
            changes[subject] = InUse((*there, (mounted.source, at, mounted.options)))
    state = machine[Mount(at)]
    after = replace(state, top=mounted, under=state.stack, real=state.real or at)
    return machine.updated({**changes, Mount(at): after})


def remounting(
    machine: Machine, at: str, options: frozenset[str], shared: frozenset[str], names: frozenset[str]
) -> Machine:
    """The machine after the mount at ``at`` got ``options``, and all other mounts of its filesystem got ``shared``.

    ``names``: the names of all options that the kernel keeps for a filesystem as a whole. If it becomes writable, it
    is so at all of its mounts.
    """
    top = machine[Mount(at)].top
    changes: dict[AnySubject, Any] = {}
    for subject in machine:
        state = machine[subject] if isinstance(subject, Mount) else None
        if state and state.top and top and (state.top.source, state.top.type) == (top.source, top.type):
            own = frozenset(each for each in state.top.options if each.partition("=")[0] not in names)
            shown = options if subject == Mount(at) else own | shared
            revived = subject != Mount(at) and state.top.halted and "rw" in options
            top_after = replace(state.top, options=shown - {"ro"} | {"rw"} if revived else shown)
            changes[subject] = replace(state, top=replace(top_after, halted=state.top.halted and "rw" not in options))
    return machine.updated(changes)
