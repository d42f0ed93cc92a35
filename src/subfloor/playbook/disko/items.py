"""Items, which a disko configuration is turned into: tasks, members of layers, comments, and parts without a task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import IntEnum
from typing import Any

from subfloor.playbook.disko.tree import Node
from subfloor.playbook.positions import Position


class Stage(IntEnum):
    """The part of the playbook that contains a task."""

    LAYOUT = 0
    SUBVOLUMES = 1
    MOUNTS = 2
    BINDS = 3
    SWAP = 4


class Expression(str):
    """A text that the playbook evaluates. Any other text stays as it is."""

    __slots__ = ()


@dataclass(frozen=True)
class Wanted:
    """A task. ``at``: the node that it was made from.

    ``makes``: the path or name of what it makes. ``needs``: the paths or names of what other tasks must make before.
    ``options``: for each parameter, the name of the option in ``at`` that gave its value. ``essential``: without these
    parameters the task would make something else.
    """

    key: str
    parameters: Mapping[str, Any]
    at: Node
    stage: Stage = Stage.LAYOUT
    makes: str = ""
    needs: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    essential: frozenset[str] = frozenset()

    def place_of(self, parameter: str) -> Node:
        """The node that gave a parameter its value."""
        return self.at.at(self.options[parameter]) if parameter in self.options else self.at


@dataclass(frozen=True)
class Missing:
    """A part of the configuration that no task describes: its place, why, and what to do."""

    place: str
    where: Position
    why: str
    advice: str

    @classmethod
    def at(cls, node: Node, why: str, advice: str) -> Missing:
        """The missing part at this node."""
        return cls(node.place, node.where, why, advice)

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


@dataclass(frozen=True)
class Member:
    """A volume that belongs to an array (``mdadm``) or to a volume group (``lvm_vg``).

    ``needs``: the paths that other tasks must make before; none for a whole disk.
    """

    layer: str
    name: str
    path: str
    at: Node
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Passphrase:
    """A passphrase that is given when it is needed. ``file``: where disko reads it; empty if disko asks for it."""

    variable: str
    file: str


@dataclass(frozen=True)
class Remark:
    """A comment."""

    text: str


Item = Wanted | Missing | Member | Passphrase | Remark


@dataclass(frozen=True)
class Context:
    """``root``: where the system is mounted. ``several``: there are several disks, so each needs a name.

    ``early``: mount points that the configuration declares as needed for boot.
    """

    root: str
    several: bool
    early: frozenset[str]

    def below_root(self, mountpoint: str) -> str:
        """The path of a mount point of the system, on the machine that runs subfloor."""
        return ("" if self.root == "/" else self.root) + ("" if mountpoint == "/" else mountpoint) or "/"


@dataclass(frozen=True)
class Volume:
    """A place that has content. ``names``: all paths that disko may write for it. ``title``: its name for people.

    ``disk``: the name of the disk in the play, if the volume is a whole disk and needs a name.
    """

    path: str
    title: str
    names: frozenset[str]
    disk: str | None = None
    is_disk: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        """The path of the volume, which another task must make before; empty for a whole disk."""
        return () if self.is_disk else (self.path,)

    @property
    def named(self) -> Mapping[str, str]:
        """The parameter that names a whole disk in the play; empty if there is no name."""
        return {"disk": self.disk} if self.disk else {}


_HOOKS = tuple(f"{when}{what}Hook" for when in ("pre", "post") for what in ("Create", "Mount", "Unmount"))

_WHY = {
    "uuid": ("subfloor derives UUIDs from the play", "leave it out, and change everything that refers to the old UUID"),
    "hybrid": ("no task writes an MBR beside a GPT", "leave it out"),
    "enrollFido2": ("no task enrols a token", "enrol it with systemd-cryptenroll"),
    "enrollRecovery": ("no task makes a recovery key", "make it with systemd-cryptenroll"),
}


def rest(node: Node, known: Iterable[str], names: Iterable[str] = ()) -> Iterator[Missing]:
    """The options that no task describes, since they are not ``known``.

    ``names``: paths of the node itself. An option ``device`` with one of them is left out.
    """
    ignored = {*known, "type", "name", "_parent"}
    for name, option in node.options.items():
        if name in _HOOKS:
            if option.value:
                yield Missing.at(option, "no task runs a hook", "write a `command` task, with `creates` or `unless`")
        elif name == "device" and isinstance(option.value, str) and option.value in names:
            continue
        elif name not in ignored and not _is_nothing(option):
            near = get_close_matches(name, ignored, n=1, cutoff=0.8)
            advice = f"did you mean `{near[0]}`?" if near else "set it by hand, or leave it out"
            yield Missing.at(option, *_WHY.get(name, ("no task has this option", advice)))


def _is_nothing(option: Node) -> bool:
    return option.value is None or option.value is False or option.value in ("", (), {})


def listed(texts: Iterable[str]) -> str:
    """Texts in a sentence."""
    return ", ".join(texts)
