"""Directories above persisted paths: their owner and mode, in the store and at the path itself.

An undeclared directory belongs to root, with mode 0755. There are two exceptions: home directories and what is in
them (nixos/modules/config/users-groups.nix: `homeMode` is 0700), and `/var/lib/private`, which systemd refuses
to use if others can enter it (exec-invoke.c, systemd.exec(5) on `DynamicUser`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from subfloor.core.contributions import Home
from subfloor.core.machine import Machine
from subfloor.core.task import Step
from subfloor.observe.path import DIRECTORY, ROOT, Absent, Node, NotYetVisible, Path, is_below
from subfloor.steps import paths

_PRIVATE = "/var/lib/private"
_USERS = "100"
"""The gid of the group `users`, which a normal user of NixOS has (nixos/modules/misc/ids.nix)."""


@dataclass(frozen=True)
class Parent:
    """A directory above a persisted path whose owner, group or mode is not the usual one."""

    path: str
    owner: str
    group: str
    mode: str

    @property
    def node(self) -> Node:
        """The desired state of its path."""
        return paths.node(DIRECTORY, self.owner, self.group, self.mode)


def declared(path: str, homes: Iterable[Home], owner: str, group: str) -> tuple[Parent, ...]:
    """The directories above a persisted path that need an unusual owner or mode, outermost first.

    All paths are those of the installed system. ``owner``, ``group``: those of the persisted path. A home directory
    without a declared owner gets them too.
    """
    home = _home(path, homes)
    found = (_parent(each, home, owner, group) for each in _above(path))
    return tuple(each for each in found if each)


def _above(path: str) -> Iterator[str]:
    parts = path.split("/")[1:-1]
    return ("/" + "/".join(parts[:count]) for count in range(1, len(parts) + 1))


def _home(path: str, homes: Iterable[Home]) -> Home | None:
    """The home directory that contains a path: a declared one, or else one at its usual place."""
    told = [each for each in (*homes, Home("/root", "root")) if is_below(path, each.path)]
    if told:
        return max(told, key=lambda each: len(each.path))
    parts = path.split("/")
    return Home("/".join(parts[:3])) if parts[1] == "home" and len(parts) > 3 else None


def _parent(path: str, home: Home | None, owner: str, group: str) -> Parent | None:
    if path == _PRIVATE:
        return Parent(path, "root", "root", "0700")
    if home and (path == home.path or is_below(path, home.path)):
        mode = "0700" if path == home.path else "0755"
        if home.owner in ROOT:
            return Parent(path, "root", "root", mode)
        return Parent(path, home.owner, _USERS, mode) if home.owner else Parent(path, owner, group, mode)
    return None


def next_step(machine: Machine, parents: Iterable[Parent]) -> Step | None:
    """A step for the first directory that is missing or wrong; None if there is none.

    Directories that are not visible yet are skipped.
    """
    found = (_step(machine, each) for each in parents if not isinstance(machine[Path(each.path)], NotYetVisible))
    return next((step for step in found if step), None)


def _step(machine: Machine, each: Parent) -> Step | None:
    there = paths.there(machine, each.path, DIRECTORY)
    if isinstance(there, Absent):
        return Step(
            says=f"Make {each.path} for {each.owner}:{each.group}, mode {each.node.mode}",
            commands=paths.mkdir(each.path, each.owner, each.group, each.node),
            after=paths.made(machine, each.path, each.node),
        )
    return paths.mend(machine, each.path, there, each.node) if _is_wrong(there, each) else None


def _is_wrong(there: Node, each: Parent) -> bool:
    """Whether the directory belongs to root because another tool made it, or is too open for systemd.

    Every other owner and mode may have been set on purpose, and stays.
    """
    if each.path.endswith(_PRIVATE):
        return bool(there.mode & ~each.node.mode) or not there.owner & ROOT
    return bool(there.owner & ROOT) and not each.node.owner & ROOT
