"""A trial of mkfs on a sparse file, before anything is erased: would it succeed?"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from subfloor.core.machine import Output, Subject

# The file is in memory if there is a tmpfs. If no file can be made, the result is unknown: nothing is refused.
_TRY = """
f=$(mktemp -p /dev/shm subfloor.XXXXXXXX || mktemp) || exit 0
trap 'rm -f -- "$f"' EXIT; trap 'exit 0' HUP INT TERM
truncate -s {size} -- "$f" || exit 0
said=$({env} {argv} "$f" 2>&1 </dev/null) && exit 0
# A lack of room for the trial itself says nothing about the device.
case $said in *"No space left"*) exit 0 ;; esac
printf '%s\n' "$said" | sed "s|$f|the device|g"; exit 1
"""

_SHOWN = 2
"""The number of lines of the program's output that are reported."""

_REASON = re.compile(r"error|must|too |invalid|unknown|unrecognized|illegal|not (sufficient|enough)|minimum", re.I)
"""Matches lines that give a reason. Some programs print a banner before such a line, or a page of usage after it."""


@dataclass(frozen=True)
class Trial(Subject[str]):
    """Why a program would fail on a device of ``size`` bytes; "" if it would succeed, or if this is unknown.

    ``argv``: the command without the device, which comes last. ``env``: names and values that are added to the
    command's environment. The trial uses a sparse file, in memory if there is a tmpfs on /dev/shm, and removes the
    file.
    """

    argv: tuple[str, ...]
    size: int
    env: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"trial of `{shlex.join(self.argv)}` on {self.size} bytes"

    def probes(self) -> tuple[str, ...]:
        """One probe that runs the program on a sparse file; none if the size is unknown."""
        if not self.size:
            return ()
        env = " ".join(f"{name}={shlex.quote(value)}" for name, value in self.env)
        return (_TRY.format(size=self.size, env=env, argv=shlex.join(self.argv)),)

    def parse(self, *outputs: Output) -> str:
        """The lines that give the reason for a failure; "" on success, or if the result is unknown."""
        if not outputs or not outputs[0].status:
            return ""
        lines = [line.strip() for line in outputs[0].text.splitlines() if line.strip()]
        reasons = [line for line in lines if _REASON.search(line)] or lines
        return "; ".join(reasons[:_SHOWN]) or f"status {outputs[0].status}, without a message"
