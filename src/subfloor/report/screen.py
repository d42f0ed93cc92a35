"""Output to a terminal, a file, or a pipe whose reader may have exited.

An apply must not be interrupted because the user closes a pager. So after a failed write the rest of the output
is dropped; the exit status still shows the result.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from subfloor.report.style import Style


class Screen:
    """A stream that never fails. ``complaint`` is the reason of a failed write, empty if there is none."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.terminal = stream.isatty()
        self.complaint = ""
        self._gone = False
        self._passing = False

    def print(self, lines: Iterable[str]) -> None:
        """Write lines; they replace a temporary line."""
        self.write(self._erasing() + "".join(f"{line}\n" for line in lines))

    def passing(self, line: str) -> None:
        """Show a temporary line, until the next output; on a terminal only."""
        if self.terminal:
            self.write(self._erasing() + line)
            self._passing = True

    def clear(self) -> None:
        """Erase a temporary line."""
        self.write(self._erasing())

    def write(self, text: str) -> None:
        """Write text unchanged."""
        if self._gone or not text:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError) as error:
            self._give_up(error)

    def _erasing(self) -> str:
        was, self._passing = self._passing, False
        return "\r\033[K" if was else ""

    def _give_up(self, error: OSError | ValueError) -> None:
        self._gone = True
        if getattr(error, "errno", None) not in (errno.EPIPE, errno.EIO):
            self.complaint = str(error)
        # The rest of the buffer must not fail again when Python exits.
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.stream.fileno())
            os.close(null)


def style_for(stream: TextIO, *, diff: bool = False, commands: bool = False) -> Style:
    """The style for a stream. ``NO_COLOR`` and ``FORCE_COLOR`` are used if they are not empty."""
    terminal = stream.isatty()
    colour = bool(os.environ.get("FORCE_COLOR")) or (terminal and os.environ.get("TERM") != "dumb")
    return Style(
        width=_width() if terminal else None,
        colour=colour and not os.environ.get("NO_COLOR"),
        unicode=(stream.encoding or "ascii").lower().replace("-", "") in ("utf8", "utf_8"),
        diff=diff,
        commands=commands,
    )


def _width() -> int:
    import shutil

    return max(shutil.get_terminal_size().columns, 40)


def standard() -> TextIO:
    """Standard output, or /dev/null if the caller has closed it."""
    return sys.stdout or Path(os.devnull).open("w", encoding="utf-8")


def outcome_of(screen: Screen, status: int, unlogged: str = "") -> int:
    """The exit status: 0 becomes 1 if the report or the log could not be written; a closed pipe is not an error.

    ``unlogged``: why the log could not be written, empty if it was.
    """
    complaints = {"report": screen.complaint, "log": unlogged}
    for what, complaint in complaints.items():
        if complaint:
            Screen(sys.stderr).print([f"subfloor: the {what} could not be written: {complaint}"])
    return status or (1 if any(complaints.values()) else 0)
