"""The files that a run writes: its log and its report.

A file that cannot be written is reported before any disk is looked at or changed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import click

from subfloor.cli.resume import command_line
from subfloor.cli.statuses import status_of
from subfloor.report.log import Log


@dataclass(frozen=True)
class Ended:
    """The end of a run: the exit status, and the words of consent that a resumed run needs again."""

    status: int
    needed: frozenset[str] = frozenset()


def logged(path: Path, command: str, argv: tuple[str, ...], run: Callable[[Log], Ended]) -> Ended:
    """Run with a log that is appended to the file at ``path``. Raises ``click.UsageError`` if it is not writable."""
    descriptor = _opened(path, "--log")
    try:
        log = Log(descriptor)
        log.began(command, command_line(argv), version("subfloor"))
        try:
            ended = run(log)
        except BaseException as error:
            log.finished(status_of(error), command_line(argv), error)
            raise
        log.finished(ended.status, command_line(argv, ended.needed))
        return ended
    finally:
        os.close(descriptor)


def check_writable(path: Path | None, option: str) -> None:
    """Raise ``click.UsageError`` unless the file can be written, and replaced; its content is not changed."""
    if path is None or path.is_fifo():  # opening a FIFO would wait for its reader
        return
    os.close(_opened(path, option))
    with _as_usage_error(path, option):
        descriptor, beside = _beside(path.resolve())
        os.close(descriptor)
        beside.unlink()


def save(path: Path, text: str) -> None:
    """Replace the file at ``path`` with one that contains ``text``. If it is a FIFO, write the text to it.

    Raises ``OSError``, also for a device or a socket. A reader of the file sees the complete old text or the complete
    new one, even after a power cut.
    """
    if path.is_fifo():
        with os.fdopen(_descriptor(path), "w", encoding="utf-8") as fifo:
            fifo.write(text)
        return
    if path.exists():
        _check_kind(path.stat(), path)
    _replace(path.resolve(), text)


def _replace(path: Path, text: str) -> None:
    descriptor, beside = _beside(path)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _beside(path: Path) -> tuple[int, Path]:
    """A new file in the directory of ``path``, open for writing. Collectors of metrics ignore such a name."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".unfinished")
    return descriptor, Path(name)


def _opened(path: Path, option: str) -> int:
    with _as_usage_error(path, option):
        return _descriptor(path)


@contextlib.contextmanager
def _as_usage_error(path: Path, option: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise click.UsageError(
            f"{option}: {path} cannot be written: {error.strerror}. Nothing was touched; name another file"
        ) from error


def _descriptor(path: Path) -> int:
    """A descriptor that appends to a regular file or a FIFO, never to a device. Raises ``OSError``."""
    with contextlib.suppress(FileNotFoundError):
        _check_kind(path.stat(), path)  # so that a device is not even opened
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _check_kind(os.fstat(descriptor), path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check_kind(status: os.stat_result, path: Path) -> None:
    kinds = ((stat.S_ISBLK, "a block device"), (stat.S_ISCHR, "a character device"), (stat.S_ISSOCK, "a socket"))
    for is_kind, words in kinds:
        if is_kind(status.st_mode):
            raise OSError(errno.EINVAL, f"it is {words}; name a regular file or a FIFO", str(path))
