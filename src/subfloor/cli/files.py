"""The files that a run writes besides what it says: its log, and its report.

That they cannot be written is told before anything is looked at, let alone touched.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import click

from subfloor.cli.again import command_line
from subfloor.cli.statuses import status_of
from subfloor.report.log import Log
from subfloor.task import Loss


@dataclass(frozen=True)
class Ended:
    """How a run ended: the exit status, and what was agreed to lose and is not known to be lost."""

    status: int
    pending: tuple[Loss, ...] = ()


def logged(path: Path, command: str, argv: tuple[str, ...], run: Callable[[Log], Ended]) -> Ended:
    """Run with a log, appended to the file at ``path``. Raises ``click.UsageError`` where that cannot be written."""
    descriptor = _opened(path, "--log")
    try:
        log = Log(descriptor)
        log.began(command, command_line(argv), version("subfloor"))
        try:
            ended = run(log)
        except BaseException as error:
            log.finished(status_of(error), command_line(argv), error)
            raise
        log.finished(ended.status, command_line(argv, ended.pending))
        return ended
    finally:
        os.close(descriptor)


def check_writable(path: Path | None, option: str) -> None:
    """Raise ``click.UsageError`` unless a file can be written there; it is not changed."""
    if path is not None and (path.is_file() or not path.exists()):
        os.close(_opened(path, option))


def _opened(path: Path, option: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise click.UsageError(
            f"{option}: {path} cannot be written: {error.strerror}. Nothing was touched; name another file"
        ) from error
