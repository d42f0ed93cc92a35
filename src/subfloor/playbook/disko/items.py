"""What a part of a disko configuration becomes: tasks, members of layers, comments, and what no task can describe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import IntEnum
from typing import Any

from subfloor.playbook.disko.tree import Node
from subfloor.playbook.positions import Position


class Stage(IntEnum):
    """In which part of the playbook a task stands."""

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
    """A task. ``at``: the options that it was made from.

    ``makes`` and ``needs``: what it makes and what it lies on, by their paths. ``options``: where each parameter was
    read, as a name in ``at``. ``essential``: without these parameters the task would make something else.
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
        """Where a parameter was read."""
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
        """The one at this node."""
        return cls(node.place, node.where, why, advice)

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


@dataclass(frozen=True)
class Member:
    """A volume that belongs to an array (``mdadm``) or to a volume group (``lvm_vg``).

    ``needs``: what must be made for it; nothing for a whole disk.
    """

    layer: str
    name: str
    path: str
    at: Node
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Passphrase:
    """A passphrase that is given when it is needed. ``file``: where disko reads it; empty if it asks."""

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
        """A mount point on the machine that runs subfloor."""
        return ("" if self.root == "/" else self.root) + ("" if mountpoint == "/" else mountpoint) or "/"


@dataclass(frozen=True)
class Volume:
    """A place that has content. ``names``: other paths of the same, as disko writes them. ``title``: for people.

    ``disk``: the name of the disk in the play, if it is a whole disk.
    """

    path: str
    title: str
    names: frozenset[str]
    disk: str | None = None
    is_disk: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        """What must be made for it; nothing for a whole disk."""
        return () if self.is_disk else (self.path,)

    @property
    def named(self) -> Mapping[str, str]:
        """The parameter that names a whole disk in the play."""
        return {"disk": self.disk} if self.disk else {}


_HOOKS = tuple(f"{when}{what}Hook" for when in ("pre", "post") for what in ("Create", "Mount", "Unmount"))

_WHY = {
    "uuid": ("subfloor derives UUIDs from the play", "leave it out; what names the old UUID must be changed"),
    "hybrid": ("no task writes an MBR beside a GPT", "leave it out"),
    "enrollFido2": ("no task enrols a token", "enrol it with systemd-cryptenroll"),
    "enrollRecovery": ("no task makes a recovery key", "make it with systemd-cryptenroll"),
}


def rest(node: Node, known: Iterable[str], names: Iterable[str] = ()) -> Iterator[Missing]:
    """The options that are not ``known``, and that no task describes; ``names``: paths that say nothing new."""
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
