"""Copy content that a bind would hide into the store. The copies get their names there once all of them are flushed."""

from __future__ import annotations

import posixpath

from subfloor.core.errors import Refused
from subfloor.core.machine import Machine
from subfloor.core.task import Command, Step
from subfloor.observe.hidden import MOST_HIDDEN, Hiding, staging
from subfloor.observe.path import Absent, Path
from subfloor.steps import binds, paths
from subfloor.steps.binds import Bind

_LONG = 6 * 3600.0
"""The longest time that a copy may take, in seconds."""


def copy(machine: Machine, bind: Bind, hiding: Hiding, allowed: bool) -> Step:
    """The step that copies the entries that the store lacks, or, if it lacks none, removes an interrupted copy.

    Raises ``Refused`` if an entry differs, or if a copy is needed and not ``allowed``.
    """
    there = paths.there(machine, bind.source, bind.node_kind)
    _check(bind, hiding, allowed)
    made = isinstance(there, Absent) and bind.kind == "directory"
    after = paths.made(machine, bind.source, bind.node) if made else machine
    if bind.kind == "file" and hiding.missing:
        after = after.with_(Path(bind.source), machine[Path(bind.target)])
    staged = _staging(bind)
    what = f"Copy {_listed(hiding.missing)} from {bind.target} to {bind.source}"
    return Step(
        says=what if hiding.missing else f"Remove what an interrupted copy left in {staged}",
        commands=_copying(bind, made) if hiding.missing else (Command(("rm", "-rf", "--", staged)),),
        after=after.with_(bind.hidden, Hiding()),
    )


def _check(bind: Bind, hiding: Hiding, allowed: bool) -> None:
    if hiding.different:
        raise Refused(
            f"{_listed(hiding.different)} at {bind.target} and in {bind.source} differ",
            advice="decide which one is right, and move the other away; subfloor never overwrites either",
        )
    if hiding.missing and not allowed:
        raise Refused(
            f"a bind would hide content of {bind.target} that {bind.source} lacks: {_listed(hiding.missing)}",
            advice="move it there yourself, or give `existing: copy`",
        )


def _staging(bind: Bind) -> str:
    return staging(bind.source, bind.kind)


def _copying(bind: Bind, made: bool) -> tuple[Command, ...]:
    """Commands that copy all entries with one program, so that hard links stay links. ``made``: the source is new.

    cp(1) ignores an extended attribute that it cannot keep, unless `--preserve` names `xattr`.
    """
    staged = _staging(bind)
    new = posixpath.join(staged, "new")
    placed = Command(("mv", "-T", "--", new, bind.source))
    if bind.kind == "directory":
        placed = Command(("sh", "-euc", _PLACE, "place", new, bind.source, _PLACE_EACH))
    return (
        *(binds.make(bind) if made else binds.make_parent(bind.source)),
        Command(("rm", "-rf", "--", staged)),
        Command(("mkdir", "-m", "0700", "--", staged)),
        Command(("cp", "-a", "-x", "--preserve=xattr", "-T", "--", bind.target, new), timeout=_LONG),
        Command(("sync", "--file-system", "--", staged), timeout=_LONG),
        placed,
        Command(("sync", "--file-system", "--", posixpath.dirname(staged)), timeout=_LONG),
        Command(("rm", "-rf", "--", staged), timeout=_LONG),
    )


# Moves the entries that the source lacks from a complete copy into the source: PLACE COPY SOURCE PLACE_EACH. sort(1)
# reads all names before the first entry is moved, and puts directories before their content.
_PLACE = """
cd -- "$1"
find . -mindepth 1 -print0 | sort -z | xargs -0 -r sh -euc "$3" each "$2"
"""

# One mv(1) moves the entries of one directory. A missing entry was moved with the directory above it.
_PLACE_EACH = """
to=$1; shift; at=; first=1
there() { [ -e "$1" ] || [ -L "$1" ]; }
for each; do
    if [ "$first" ]; then set --; first=; fi
    if ! there "$each" || there "$to/$each"; then continue; fi
    if [ "$at" != "${each%/*}" ]; then
        if [ $# != 0 ]; then mv -n -t "$to/$at" -- "$@"; set --; fi
        at=${each%/*}
        there "$each" || continue
    fi
    set -- "$@" "$each"
done
if [ $# != 0 ]; then mv -n -t "$to/$at" -- "$@"; fi
"""


def _listed(entries: tuple[str, ...]) -> str:
    shown = [each if each.isprintable() else repr(each)[1:-1] for each in entries[:5]]
    at_least = "at least " if len(entries) >= MOST_HIDDEN else ""
    return ", ".join(shown) + (f" and {at_least}{len(entries) - 5} more" if len(entries) > 5 else "")
