"""Programs that steps need: whether they are installed, known before the first write."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from subfloor.core.machine import Output, Subject


@dataclass(frozen=True)
class Tool(Subject[bool]):
    """Whether a program is on the PATH."""

    program: str

    def __str__(self) -> str:
        return f"program {self.program}"

    def probes(self) -> tuple[str, ...]:
        """One probe: ``command -v``."""
        return (f"command -v -- {shlex.quote(self.program)} >/dev/null",)

    def parse(self, *outputs: Output) -> bool:
        """Whether the program is on the PATH."""
        return outputs[0].status == 0


@dataclass(frozen=True)
class Privilege(Subject[bool]):
    """Whether commands run as root."""

    def __str__(self) -> str:
        return "privilege"

    def probes(self) -> tuple[str, ...]:
        """One probe: ``id -u``."""
        return ("id -u",)

    def parse(self, *outputs: Output) -> bool:
        """Whether the user id is 0."""
        return outputs[0].text.strip() == "0"
