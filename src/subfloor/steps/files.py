"""Writing files atomically: a crash leaves the old file or the new one."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence

from subfloor.core.secret import Secret
from subfloor.core.task import Command
from subfloor.observe.path import unfinished


def write_file(path: str, content: bytes, mode: str = "0644") -> tuple[Command, ...]:
    """Commands that write a file, and make the directories above it.

    The content goes to a temporary file in the same directory. Its name marks it as unfinished, and no user would
    choose it. The temporary file is flushed and then renamed. Finally the directory is flushed, which persists the
    name (fsync(2)).
    """
    return write_files({path: content}, mode)


def write_files(contents: Mapping[str, bytes], mode: str = "0644") -> tuple[Command, ...]:
    """Commands that write several files, by path, in this order, each as ``write_file`` does."""
    writes = (
        Command(("dd", f"of={unfinished(path)}", "conv=fsync", "status=none"), stdin=content)
        for path, content in contents.items()
    )
    return _replaced(contents, mode, *writes)


def keep_output(path: str, argv: Sequence[str], mode: str = "0644") -> tuple[Command, ...]:
    """Commands that write the output of a program to a file, as ``write_file`` does; they fail without output."""
    temporary = unfinished(path)
    return _replaced([path], mode, Command(("sh", "-euc", _KEEP, "sh", temporary, *argv)))


def write_secret(path: str, content: Secret) -> tuple[Command, ...]:
    """Commands that write a file as ``write_file`` does, but only root can read the file, at every moment.

    A missing directory is made so that only root can enter it. An existing directory stays as it is.
    """
    folder, temporary = posixpath.dirname(path), unfinished(path)
    return (
        Command(("mkdir", "-p", "-m", "0700", "--", folder)),
        Command(("install", "-m", "0600", "--", "/dev/null", temporary)),
        *write_file(path, content.reveal().encode("utf-8", "surrogateescape"), "0600")[1:],
    )


_KEEP = 'to=$1; shift; "$@" >"$to"; [ -s "$to" ]; sync -- "$to"'


def _replaced(paths: Iterable[str], mode: str, *writes: Command) -> tuple[Command, ...]:
    temporaries = {path: unfinished(path) for path in paths}
    folders = tuple(dict.fromkeys(map(posixpath.dirname, temporaries)))
    return (
        Command(("mkdir", "-p", "--", *folders)),
        *writes,
        Command(("chmod", mode, "--", *temporaries.values())),
        *(Command(("mv", "-f", "-T", "--", temporary, path)) for path, temporary in temporaries.items()),
        Command(("sync", "--", *folders)),
    )
