"""The space that a filesystem uses: a tmpfs cannot be made smaller than its used space."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from subfloor.core.machine import Output
from subfloor.observe import mountinfo
from subfloor.observe.path import Located, NotYetVisible


@dataclass(frozen=True)
class Used:
    """Bytes in use. They change all the time, so two values always compare as equal."""

    size: int = field(default=0, compare=False)


UsedState = Used | NotYetVisible


@dataclass(frozen=True)
class Usage(Located[UsedState]):
    """The space used on the filesystem at a path. If this is unknown, the kernel decides whether a new size fits."""

    path: str

    def __str__(self) -> str:
        return f"space used at {self.path}"

    def probes(self) -> tuple[str, ...]:
        """One probe: statfs(2) by stat(1), but not at an automount point."""
        given = f"p={shlex.quote(self.path)}; mounted={shlex.quote(mountinfo.escaped(self.path))}"
        return (f"{given}\n{_USAGE}",)

    def parse(self, *outputs: Output) -> UsedState:
        """The bytes in use; 0 if they are unknown."""
        (found,) = outputs
        if found.status:
            return Used()
        block, blocks, free = map(int, found.text.split())
        return Used(block * (blocks - free))

    def in_empty(self) -> UsedState:
        """0 bytes in use: the filesystem is empty."""
        return Used()


# At an automount point statfs(2) would trigger the real mount, but a look must change nothing.
_USAGE = """
while read -r _ _ _ _ at rest; do
    [ "$at" != "$mounted" ] || last=$rest
done < /proc/self/mountinfo
case ${last-} in *" - autofs "*) exit 1 ;; esac
stat -f -c '%S %b %f' -- "$p"
"""
