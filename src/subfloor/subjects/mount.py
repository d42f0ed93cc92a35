"""A mount point: what is mounted there, and what mounting something does to all that is below it."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field, replace
from typing import Any

from subfloor.machine import AnySubject, Machine, Output, Subject, at_least
from subfloor.subjects import mountinfo
from subfloor.subjects.path import PathState, Unseen, below, is_below, real_path


@dataclass(frozen=True)
class Mounted:
    """A mount; ``root`` is the path inside the filesystem, ``/`` but for binds and subvolumes.

    A promise names only the options that were asked for; the kernel adds its own. ``halted``: the kernel
    has made the filesystem read-only, as it does after an error.
    """

    source: str
    type: str
    root: str = "/"
    options: frozenset[str] = at_least()
    halted: bool = False

    def __str__(self) -> str:
        inside = f", {self.root} in it" if self.root != "/" else ""
        options = f", {','.join(sorted(self.options))}" if self.options else ""
        return f"{self.source} ({self.type}{inside}{options})"

    def is_(self, other: Mounted) -> bool:
        """Whether it is the same part of the same filesystem, whatever the options."""
        return (self.source, self.type, self.root) == (other.source, other.type, other.root)


@dataclass(frozen=True)
class MountState:
    """What is mounted at a path: of several stacked there the last one, ``top``, is what is there.

    ``real`` is the path without symbolic links. ``below``: other mounts under the path, that a mount on
    it would bury. ``buried``: what was mounted here before something was mounted over a directory above.
    """

    top: Mounted | None = None
    under: tuple[Mounted, ...] = ()
    real: str = ""
    below: tuple[str, ...] = field(default=(), compare=False)
    buried: tuple[Mounted, ...] = ()

    @property
    def stack(self) -> tuple[Mounted, ...]:
        return (*self.under, self.top) if self.top else ()


@dataclass(frozen=True)
class Mount(Subject[MountState]):
    """A path as a mount point."""

    path: str

    def __str__(self) -> str:
        return f"mount point {self.path}"

    def probes(self) -> tuple[str, ...]:
        return (mountinfo.PROBE, real_path(self.path))

    def parse(self, *outputs: Output) -> MountState:
        mounts, real = outputs
        where = real.text.removesuffix("\n")
        every = mountinfo.parse(mounts.stdout)
        crossed = mountinfo.way(every, where)
        below = tuple(m.path for m in every if is_below(m.path, where))
        buried = [m for m in every if m.path == where and m not in crossed]
        here = [_mounted(m) for m in crossed if m.path == where]
        return MountState(here[-1] if here else None, tuple(here[:-1]), where, below, tuple(map(_mounted, buried)))


def _mounted(mount: mountinfo.MountInfo) -> Mounted:
    return Mounted(mount.source, mount.type, mount.root, mount.options, mount.halted)


@dataclass(frozen=True)
class Cover:
    """The mount that a path lies on, and where that is mounted."""

    at: str
    source: str
    type: str
    root: str = "/"

    def __str__(self) -> str:
        return f"{self.source} ({self.type}) at {self.at}"

    def inside(self, path: str) -> str:
        """A path on this mount as the filesystem itself has it."""
        return posixpath.normpath(posixpath.join(self.root, posixpath.relpath(path, self.at)))


@dataclass(frozen=True)
class Covering(Subject[Cover]):
    """Which mount a path lies on; the path need not exist."""

    path: str

    def __str__(self) -> str:
        return f"filesystem under {self.path}"

    def probes(self) -> tuple[str, ...]:
        return (mountinfo.PROBE, real_path(self.path))

    def parse(self, *outputs: Output) -> Cover:
        mounts, real = outputs
        crossed = mountinfo.way(mountinfo.parse(mounts.stdout), real.text.removesuffix("\n"))
        # In a chroot that is no mount point itself, nothing is known of the filesystem under it.
        last = crossed[-1] if crossed else None
        return Cover(last.path, last.source, last.type, last.root) if last else Cover("/", "", "")


def mounting(machine: Machine, at: str, mounted: Mounted, *, root: PathState, hidden: Unseen | None) -> Machine:
    """The machine once something is mounted at a path: what was below is hidden by what it holds.

    ``root``: the root directory of what is mounted. ``hidden``: why what is below cannot be seen before
    it is really there; None for a filesystem that is known to be empty.
    """
    changes: dict[AnySubject, Any] = dict(below(machine, at, root, hidden))
    for subject in machine:
        if isinstance(subject, Mount) and is_below(at, subject.path):
            state = machine[subject]
            changes[subject] = replace(state, below=(*state.below, at))
        elif isinstance(subject, Mount) and is_below(subject.path, at) and hidden is None:
            changes[subject] = MountState(real=subject.path)
        elif isinstance(subject, Covering) and (subject.path == at or is_below(subject.path, at)):
            changes[subject] = Cover(at, mounted.source, mounted.type, mounted.root)
    state = machine[Mount(at)]
    after = replace(state, top=mounted, under=state.stack, real=state.real or at)
    return machine.updated({**changes, Mount(at): after})
