"""Writing files so that a crash leaves the old one or the new one, and nothing between."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from subfloor.task import Command


def write_file(path: str, content: bytes, mode: str = "0644") -> tuple[Command, ...]:
    """Commands that put a file at a path, and make the directories above it.

    Its content goes to a name beside it that says that it is unfinished, is flushed, and gets the right
    name at the end; then the directory is flushed, which is what keeps the name (fsync(2)).
    """
    unfinished = f"{path}.unfinished"
    return _replaced(path, mode, Command(("dd", f"of={unfinished}", "conv=fsync", "status=none"), stdin=content))


def keep_output(path: str, argv: Sequence[str], mode: str = "0644") -> tuple[Command, ...]:
    """Commands that put what a program prints at a path, as ``write_file`` does; if it prints nothing, none."""
    unfinished = f"{path}.unfinished"
    return _replaced(path, mode, Command(("sh", "-euc", _KEEP, "sh", unfinished, *argv)))


_KEEP = 'to=$1; shift; "$@" >"$to"; [ -s "$to" ]; sync -- "$to"'


def _replaced(path: str, mode: str, write: Command) -> tuple[Command, ...]:
    folder, unfinished = posixpath.dirname(path), f"{path}.unfinished"
    return (
        Command(("mkdir", "-p", "--", folder)),
        write,
        Command(("chmod", mode, "--", unfinished)),
        Command(("mv", "-f", "-T", "--", unfinished, path)),
        Command(("sync", "--", folder)),
    )
