"""Code of the tasks that make directories and files: owners, modes, and obstacles at a path.

All of it is pure: it returns commands and values, and changes nothing.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from subfloor.core.errors import Refused
from subfloor.core.machine import AnySubject, Machine
from subfloor.core.task import Command, Step
from subfloor.observe.account import Account
from subfloor.observe.path import ROOT, Absent, Blocked, Node, Path, ThroughSymlink, directory, mode_of, seen


def blocked(path: str, state: Blocked) -> Refused:
    """The error if something above a path is not a directory."""
    return Refused(f"{path} cannot exist: {state.by} is not a directory", advice=f"move {state.by} out of the way")


def check_name(name: str) -> None:
    """Raise ``ValueError`` for text that chown(1) does not accept as one name or number."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\$?", name):
        raise ValueError(f"{name!r} is neither a user or group name nor a number")


def accounts(owner: str, group: str) -> frozenset[AnySubject]:
    """All subjects that ``check_accounts`` reads. Numbers need no account, and root always exists."""
    named = ((Account("user", owner), owner), (Account("group", group), group))
    return frozenset(account for account, name in named if not name.isdecimal() and name not in ROOT)


def check_accounts(machine: Machine, owner: str, group: str) -> None:
    """Raise ``Refused`` if the machine has no such user or group: chown(1) would fail in the middle of a step."""
    for account in sorted(accounts(owner, group), key=str):
        if not machine[account]:
            number = "uid" if account == Account("user", owner) else "gid"
            raise Refused(
                f"this machine has no {account}",
                advice=f"give the number ({number}) that the installed system gives it, or add the {account} first",
            )


def node(kind: str, owner: str, group: str, mode: str) -> Node:
    """The desired state of a path. Owner and group as declared: a name, or a number."""
    return Node(kind, mode_of(mode), _ids(owner), _ids(group))


def _ids(name: str) -> frozenset[str]:
    return ROOT if name in ROOT else frozenset({name})


def there(machine: Machine, path: str, kind: str) -> Node | Absent:
    """The current state of a path: absent, or a node of this kind.

    Raises ``Refused`` if a symbolic link leads elsewhere, or something else is in the way, and
    ``NotVisible`` if the path is not visible yet.
    """
    state: Absent | ThroughSymlink | Blocked | Node = seen(machine, Path(path))
    if isinstance(state, Blocked):
        raise blocked(path, state)
    if isinstance(state, ThroughSymlink):
        raise Refused(
            f"{path} leads through a symbolic link to {state.real}",
            advice="name the real path, or replace the link with a directory",
        )
    if isinstance(state, Node) and state.kind != kind:
        raise Refused(f"{path} is a {state.kind}, but must be a {kind}", advice="move it out of the way")
    return state


def matches(there: Node, wanted: Node) -> bool:
    """Whether a node has the desired owner, group and mode."""
    return there.mode == wanted.mode and wanted.owner <= there.owner and wanted.group <= there.group


def mend(machine: Machine, path: str, there: Node, wanted: Node, also: tuple[str, ...] = ()) -> Step | None:
    """A step that corrects the owner, group and mode of a path; None if it is in sync.

    ``also``: other paths of the same node. The owner comes first, since chown(2) clears setuid bits.
    """
    if matches(there, wanted):
        return None
    owned = wanted.owner <= there.owner and wanted.group <= there.group
    owner, group = (min(names, key=str.isdigit) for names in (wanted.owner, wanted.group))
    after = replace(wanted, owner=wanted.owner | _kept(there.owner, wanted.owner))
    after = replace(after, group=wanted.group | _kept(there.group, wanted.group))
    return Step(
        says=f"Give {path} to {owner}:{group}, mode {wanted.mode}"
        if not owned
        else f"Set the mode of {path} to {wanted.mode}",
        commands=(*(() if owned else chown(path, owner, group)), *chmod(path, f"{wanted.mode}")),
        after=machine.updated({Path(each): after for each in (path, *also) if Path(each) in machine}),
    )


def _kept(there: frozenset[str], wanted: frozenset[str]) -> frozenset[str]:
    """``there``, the name and number of the present owner, if the owner stays; otherwise empty."""
    return there if wanted <= there else frozenset()


def chown(path: str, owner: str, group: str) -> tuple[Command, ...]:
    """Commands that set owner and group of a path, names or numbers."""
    return (Command(("chown", f"{owner}:{group}", "--", path)),)


def chmod(path: str, mode: str) -> tuple[Command, ...]:
    """Commands that set the mode of a path, in octal."""
    return (Command(("chmod", mode, "--", path)),)


def mkdir(path: str, owner: str, group: str, wanted: Node, *, parents: bool = True) -> tuple[Command, ...]:
    """Commands that make a directory. The mode is set again after the owner: chown(2) clears setuid bits."""
    made = Command(("mkdir", *(("-p",) if parents else ()), "-m", f"{wanted.mode}", "--", path))
    if owner in ROOT and group in ROOT:
        return (made,)
    return (made, *chown(path, owner, group), *chmod(path, f"{wanted.mode}"))


def made(machine: Machine, path: str, wanted: Node) -> Machine:
    """The machine after a node and the directories above it were made."""
    above: dict[AnySubject, Any] = {
        Path(each): directory() for each in _above(path) if machine.get(Path(each)) == Absent()
    }
    return machine.updated({**above, Path(path): wanted})


def _above(path: str) -> Iterator[str]:
    while (path := posixpath.dirname(path)) != "/":
        yield path
