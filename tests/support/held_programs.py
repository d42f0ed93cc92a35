"""Programs that hold where a test wants it, in a directory that comes first in PATH, and the list of what ran.

A program is known by its whole command line. It holds once, before its work or after it, until the test lets it go.
"""

from __future__ import annotations

import shlex
import shutil
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

When = Literal["before", "after"]

WITHIN = 120.0
"""Seconds in which something must happen, also on a busy machine."""

_HELD = """#!/bin/sh
at=%(at)s real=%(real)s line="%(name)s $*"
printf '%%s\\n' "$line" >> "$at/ran"
hold() {
    : > "$at/reached"
    n=0; while [ ! -e "$at/go" ] && [ $n -lt 3000 ]; do sleep 0.1; n=$((n + 1)); done
}
if [ -e "$at/line" ] && [ "$line" = "$(cat "$at/line")" ] && mkdir "$at/once" 2>/dev/null; then
    if [ -e "$at/after" ]; then
        "$real" "$@"
        status=$?
        hold
        exit $status
    fi
    hold
fi
exec "$real" "$@"
"""


@dataclass(frozen=True)
class Held:
    """The programs of a directory."""

    at: Path

    @property
    def path(self) -> str:
        """The PATH in which they come first."""
        return f"{self.at}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    def make(self, names: Iterable[str]) -> None:
        """Make programs of these names."""
        (self.at / "bin").mkdir(exist_ok=True)
        for name in names:
            real = shutil.which(name)
            assert real, f"{name} is not installed"
            text = _HELD % {"at": shlex.quote(str(self.at)), "real": shlex.quote(real), "name": name}
            (self.at / "bin" / name).write_text(text)
            (self.at / "bin" / name).chmod(0o755)

    def hold(self, argv: Sequence[str], when: When) -> None:
        """Have the program that is started with these words hold, once."""
        (self.at / "line").write_text(" ".join(argv))
        if when == "after":
            (self.at / "after").touch()

    def release(self) -> None:
        """Let it go."""
        (self.at / "go").touch()

    def reached(self, ended: threading.Event) -> bool:
        """Wait until it holds; false if the run ended before that."""
        deadline = time.monotonic() + WITHIN
        while not (self.at / "reached").exists():
            if ended.is_set():
                return False
            assert time.monotonic() < deadline, "nothing holds"
            time.sleep(0.05)
        return True

    @property
    def ran(self) -> list[str]:
        """The command lines so far."""
        file = self.at / "ran"
        return file.read_text().splitlines() if file.exists() else []
