"""The mount points of a play as a tree: what is mounted there, and what will be. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from subfloor.core.machine import Machine
from subfloor.core.outcome import Survey
from subfloor.observe.mount import Mount, Mounted, MountState

_NOTHING = "nothing"


@dataclass(frozen=True)
class Branch:
    """A mount point. ``depth``: how many mount points it lies below. ``name``: its path from the nearest of these."""

    path: str
    depth: int
    name: str
    found: str
    declared: str

    @property
    def differs(self) -> bool:
        """Whether the mount that was found is not the one that the play declares."""
        return self.found != self.declared


def branches(survey: Survey | None) -> tuple[Branch, ...]:
    """The mount points where something is mounted or will be. Each follows the mount point that it lies below."""
    return tuple(_branches(survey)) if survey else ()


def _branches(survey: Survey) -> Iterator[Branch]:
    paths = {each.path for each in survey.planned if isinstance(each, Mount)}
    tops = {path: (_top(survey.found, path), _top(survey.planned, path)) for path in paths}
    above: list[str] = []
    for path in sorted((path for path in paths if any(tops[path])), key=lambda path: path.split("/")):
        while above and not f"{path}/".startswith(f"{above[-1].rstrip('/')}/"):
            above.pop()
        found, planned = tops[path]
        name = posixpath.relpath(path, above[-1]) if above else path
        yield Branch(path, len(above), name, _words(found), _words(planned))
        above.append(path)


def _top(machine: Machine, path: str) -> Mounted | None:
    state = machine.get(Mount(path))
    return state.top if isinstance(state, MountState) else None


def _words(mount: Mounted | None) -> str:
    """A mount in words, without its options: the report of its task shows differences in these."""
    if mount is None:
        return _NOTHING
    inside = f", {mount.root} in it" if mount.root != "/" else ""
    return f"{mount.source} ({mount.type}{inside})"
