"""Paths: what is there, and the content of files.

A path can lie on a filesystem that exists but is not mounted yet. Then it is ``NotYetVisible``: neither
present nor absent.
"""

from __future__ import annotations

import posixpath
import re
import shlex
import stat
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID, uuid5

from subfloor.core.errors import LookFailed, NotVisible
from subfloor.core.machine import AnySubject, Machine, Output, Subject, Unknown, at_least

T = TypeVar("T")


@dataclass(frozen=True)
class Absent:
    """There is nothing at the path."""

    def __str__(self) -> str:
        return "absent"


@dataclass(frozen=True)
class NotYetVisible(Unknown):
    """The state cannot be seen until ``source`` is mounted at ``until``."""

    until: str
    source: str

    def __str__(self) -> str:
        return f"not visible until {self.source} is mounted at {self.until}"


@dataclass(frozen=True)
class ThroughSymlink:
    """The path leads through a symbolic link to another place, ``real``."""

    real: str

    def __str__(self) -> str:
        return f"reached through a symbolic link; its real path is {self.real}"


@dataclass(frozen=True)
class Blocked:
    """Nothing can be at the path, because ``by``, above it, is not a directory."""

    by: str

    def __str__(self) -> str:
        return f"blocked by {self.by}, which is not a directory"


class Mode(int):
    """Permission bits, shown in octal."""

    def __str__(self) -> str:
        return f"{int(self):04o}"


@dataclass(frozen=True)
class Node:
    """Something at a path. ``mode``: the permission bits. ``owner``, ``group``: sets of a name and a number."""

    kind: str
    mode: int = 0o755
    owner: frozenset[str] = at_least()
    group: frozenset[str] = at_least()

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", Mode(self.mode))

    def __str__(self) -> str:
        return f"a {self.kind} of mode {self.mode}"


PathState = Absent | NotYetVisible | ThroughSymlink | Blocked | Node

DIRECTORY, FILE, LINK = "directory", "file", "symbolic link"
ROOT = frozenset({"root", "0"})


def directory(mode: int = 0o755, owner: frozenset[str] = ROOT, group: frozenset[str] = ROOT) -> Node:
    """A directory, owned by root by default."""
    return Node(DIRECTORY, mode, owner, group)


class Located(Subject[T]):
    """A subject in the file tree: a mount at or above its path changes its value."""

    path: str

    @property
    def places(self) -> tuple[str, ...]:
        """Every path that the value depends on."""
        return (self.path,)

    @abstractmethod
    def in_empty(self) -> T:
        """The value if the filesystem that the path lies on is known to be empty."""

    def when_mounted(self, root: PathState, hidden: NotYetVisible | None) -> T | PathState | NotYetVisible:
        """The value after a filesystem is mounted at the subject's path; ``root`` is the filesystem's root directory.

        ``hidden``: why the filesystem's content cannot be seen yet; None if it is known to be empty.
        """
        return hidden or self.in_empty()


@dataclass(frozen=True)
class Path(Located[PathState]):
    """What is at a path."""

    path: str

    def __str__(self) -> str:
        return self.path

    def probes(self) -> tuple[str, ...]:
        """The probes: the real parent directory, and stat(1) of the path."""
        path = shlex.quote(self.path)
        # The names of owners may contain spaces if they come from a directory service.
        look = f"p={path}\n{_IS_THERE} && stat -c '%f %u %g|%U|%G' -- \"$p\" || {{ {_NOTHING} }}"
        return (real_path(posixpath.dirname(self.path)), look)

    def parse(self, *outputs: Output) -> PathState:
        """What is at the path. Raises ``LookFailed`` if that cannot be seen."""
        parent, found = outputs
        real = parent.text.removesuffix("\n")
        if real != posixpath.dirname(self.path):
            return ThroughSymlink(posixpath.join(real, posixpath.basename(self.path)))
        if found.status:
            raise LookFailed(f"{self.path} cannot be inspected", advice=UNSEEN_ADVICE)
        if found.text.startswith("under "):
            return Blocked(found.text.removeprefix("under ").removesuffix("\n"))
        return _node(found.text) if found.text else Absent()

    def in_empty(self) -> PathState:
        """``Absent``: an empty filesystem has nothing at the path."""
        return Absent()

    def when_mounted(self, root: PathState, hidden: NotYetVisible | None) -> PathState:
        """The root directory of the filesystem, which is visible at the path."""
        return root


UNSEEN_ADVICE = "run this as root, check that coreutils and findutils are installed, and check the filesystem"

_IS_THERE = '{ [ -e "$p" ] || [ -L "$p" ]; }'

# If there is nothing at a path: prints the nearest existing path above, if that is not a directory. To see nothing is
# no proof of absence: a directory that may not be searched, or a missing `stat`, is a failure.
_NOTHING = r"""
command -v stat >/dev/null && [ ! -e "$p" ] && [ ! -L "$p" ] || exit 1
while [ ! -e "$p" ] && [ ! -L "$p" ]; do p=${p%/*}; p=${p:-/}; done
if [ ! -d "$p" ]; then printf 'under %s\n' "$p"; else [ -x "$p" ]; fi
"""

_KINDS = {stat.S_IFDIR: DIRECTORY, stat.S_IFREG: FILE, stat.S_IFLNK: LINK}


def _node(text: str) -> Node:
    numbers, user, group = text.removesuffix("\n").split("|")
    raw, uid, gid = numbers.split()
    mode = int(raw, 16)
    kind = _KINDS.get(stat.S_IFMT(mode), "special file")
    return Node(kind, stat.S_IMODE(mode), frozenset({uid, user}), frozenset({gid, group}))


@dataclass(frozen=True)
class Text:
    """The content of a file. After ``LONGEST`` bytes it is cut, and then equals no declared content."""

    content: bytes

    def __str__(self) -> str:
        return f"{len(self.content)} bytes"


TextState = Text | Absent | NotYetVisible

LONGEST = 1 << 20
"""How many bytes of a file are read at most."""


@dataclass(frozen=True)
class TextFile(Located[TextState]):
    """The content of a regular file; anything else counts as absent."""

    path: str

    def __str__(self) -> str:
        return f"content of {self.path}"

    def probes(self) -> tuple[str, ...]:
        """One probe: the first ``LONGEST`` bytes of the file."""
        path = shlex.quote(self.path)
        return (f"[ -f {path} ] || exit 3; head -c {LONGEST} -- {path}",)

    def parse(self, *outputs: Output) -> TextState:
        """The text, or ``Absent``. Raises ``LookFailed`` if the file cannot be read."""
        (read,) = outputs
        if read.status not in (0, 3):
            raise LookFailed(
                f"{self.path} cannot be read",
                advice="check that root may read it, and check its filesystem",
            )
        return Absent() if read.status == 3 else Text(read.stdout)

    def in_empty(self) -> TextState:
        """``Absent``: an empty filesystem has no file."""
        return Absent()


def check_clean(path: str) -> None:
    """Raise ``ValueError`` if a path is not absolute, or not in its shortest spelling."""
    if not path.startswith("/") or path.startswith("//") or posixpath.normpath(path) != path or "\0" in path:
        raise ValueError(f"{path!r} is not a normalised absolute path, such as /mnt/nix")


_TEMPORARY = UUID("6a3d4f0e-6b0a-5c3e-9d39-0d1f5a3b7c52")
"""The namespace for the names of unfinished files (RFC 9562, version 5)."""


def unfinished(path: str) -> str:
    """The path under which a file is written first: in the same directory, with a name that nothing else uses.

    The name is derived from the last part of ``path``, so a rerun finds what an interrupted run left. A user may have a
    file ``NAME.unfinished``; this name contains 122 bits of a hash, so no user picks it by chance.
    """
    folder, name = posixpath.split(path)
    return posixpath.join(folder, f".subfloor-{uuid5(_TEMPORARY, name)}.unfinished")


MODE_PATTERN = "^[0-7]{3,4}$"
"""The pattern for a mode in a JSON Schema."""


def mode_of(text: str) -> int:
    """Permission bits from octal digits. Raises ``ValueError`` for anything else."""
    if not re.fullmatch(r"[0-7]{3,4}", text):
        raise ValueError(f"{text!r} is not a mode; write three or four octal digits in quotes, such as '0755'")
    return int(text, 8)


def real_path(path: str) -> str:
    """A probe that prints ``path`` with symbolic links resolved in the part that exists.

    Most paths contain no link. For these the probe starts no program, which saves time.
    """
    return f"""p={shlex.quote(path)}; rest=
while [ ! -e "$p" ] && [ ! -L "$p" ] && [ "$p" != / ]; do rest=/${{p##*/}}$rest; p=${{p%/*}}; p=${{p:-/}}; done
real=$p; while [ "$p" ] && [ ! -L "$p" ]; do p=${{p%/*}}; done
[ -z "$p" ] || {{ p=$real; real=$(readlink -f -- "$p") || real=$p; }}
real=${{real%/}}$rest; printf '%s\\n' "${{real:-/}}" """


def is_below(path: str, root: str) -> bool:
    """Whether ``path`` is under ``root``, and not ``root`` itself."""
    return path != root and posixpath.commonpath((path, root)) == root


def seen(machine: Machine, subject: AnySubject) -> Any:
    """The value of a subject. Raises ``NotVisible`` if something must be mounted before it can be seen."""
    state = machine[subject]
    if isinstance(state, NotYetVisible):
        raise NotVisible(f"{subject} is {state}", advice="apply mounts it first; or mount it and check again")
    return state


def below(machine: Machine, at: str, root: PathState, hidden: NotYetVisible | None) -> Mapping[AnySubject, Any]:
    """The new values of all subjects at and below ``at`` after a filesystem is mounted there.

    ``root``: the filesystem's root directory. ``hidden``: why its content cannot be seen yet; None if it is known to be
    empty.
    """
    changes: dict[AnySubject, Any] = {}
    for subject in machine:
        if isinstance(subject, Located) and subject.path == at:
            changes[subject] = subject.when_mounted(root, hidden)
        elif isinstance(subject, Located) and any(place == at or is_below(place, at) for place in subject.places):
            changes[subject] = hidden or subject.in_empty()
    return changes
