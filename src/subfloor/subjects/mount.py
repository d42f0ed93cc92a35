"""A mount point: what is mounted there, and what mounting something does to all that is below it."""

from __future__ import annotations

from dataclasses import dataclass, field

from subfloor.machine import Machine, Output, Subject, at_least
from subfloor.subjects import mountinfo
from subfloor.subjects.path import PathState, Unseen, below, is_below, real_path


@dataclass(frozen=True)
class Mounted:
    """A mount; ``root`` is the path inside the filesystem, ``/`` but for binds and subvolumes.

    A promise names only the options that were asked for; the kernel adds its own.
    """

    source: str
    type: str
    root: str = "/"
    options: frozenset[str] = at_least()


@dataclass(frozen=True)
class MountState:
    """What is mounted at a path, the last one on top; ``real`` is the path without symbolic links.

    ``below``: other mounts under the path, that a mount on it would bury.
    """

    stack: tuple[Mounted, ...] = ()
    real: str = ""
    below: tuple[str, ...] = field(default=(), compare=False)

    @property
    def top(self) -> Mounted | None:
        return self.stack[-1] if self.stack else None


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
        here = tuple(Mounted(m.source, m.type, m.root, m.options) for m in every if m.path == where)
        below = tuple(m.path for m in every if is_below(m.path, where))
        return MountState(here, where, below)


def mounting(machine: Machine, at: str, mounted: Mounted, *, root: PathState, hidden: Unseen | None) -> Machine:
    """The machine once something is mounted at a path: what was below is hidden by what it holds.

    ``root``: the root directory of what is mounted. ``hidden``: why what is below cannot be seen before
    it is really there; None for a filesystem that is known to be empty.
    """
    state = machine[Mount(at)]
    after = MountState((*state.stack, mounted), state.real or at, state.below)
    return machine.updated({**below(machine, at, root, hidden), Mount(at): after})
