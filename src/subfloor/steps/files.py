"""Writing files so that a crash leaves the old one or the new one, and nothing between."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from subfloor.core.secret import Secret
from subfloor.core.task import Command
from subfloor.observe.path import unfinished


def write_file(path: str, content: bytes, mode: str = "0644") -> tuple[Command, ...]:
    """Commands that put a file at a path, and make the directories above it.

    Its content goes to a name beside it that says that it is unfinished and that no user has given, is flushed,
    and gets the right name at the end; then the directory is flushed, which is what keeps the name (fsync(2)).
    """
    temporary = unfinished(path)
    return _replaced(path, mode, Command(("dd", f"of={temporary}", "conv=fsync", "status=none"), stdin=content))


def keep_output(path: str, argv: Sequence[str], mode: str = "0644") -> tuple[Command, ...]:
    """Commands that put what a program prints at a path, as ``write_file`` does; if it prints nothing, none."""
    temporary = unfinished(path)
    return _replaced(path, mode, Command(("sh", "-euc", _KEEP, "sh", temporary, *argv)))


def write_secret(path: str, content: Secret) -> tuple[Command, ...]:
    """Commands that do as ``write_file`` does, and nobody but root can read the file at any time, or its place.

    A directory that is made for it is root's alone; one that is there stays as it is.
    """
    folder, temporary = posixpath.dirname(path), unfinished(path)
    return (
        Command(("mkdir", "-p", "-m", "0700", "--", folder)),
        Command(("install", "-m", "0600", "--", "/dev/null", temporary)),
        *write_file(path, content.reveal().encode("utf-8", "surrogateescape"), "0600")[1:],
    )


_KEEP = 'to=$1; shift; "$@" >"$to"; [ -s "$to" ]; sync -- "$to"'


def _replaced(path: str, mode: str, write: Command) -> tuple[Command, ...]:
    folder, temporary = posixpath.dirname(path), unfinished(path)
    return (
        Command(("mkdir", "-p", "--", folder)),
        write,
        Command(("chmod", mode, "--", temporary)),
        Command(("mv", "-f", "-T", "--", temporary, path)),
        Command(("sync", "--", folder)),
    )
