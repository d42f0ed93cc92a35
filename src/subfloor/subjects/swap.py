"""Swap areas that the kernel uses, read from /proc/swaps (proc(5))."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from subfloor.machine import Output, Subject


@dataclass(frozen=True)
class SwapState:
    """Whether the area is active, and with which priority; negative ones are the kernel's own choice."""

    active: bool = False
    priority: int | None = None


@dataclass(frozen=True)
class Swap(Subject[SwapState]):
    """A swap area, by the path of its device."""

    device: str

    def __str__(self) -> str:
        return f"swap area {self.device}"

    def probes(self) -> tuple[str, ...]:
        return (f"readlink -f -- {shlex.quote(self.device)}", "cat /proc/swaps")

    def parse(self, *outputs: Output) -> SwapState:
        node, swaps = outputs[0].text.removesuffix("\n"), outputs[1].text
        lines = (line.split() for line in swaps.splitlines()[1:])
        found = next((fields for fields in lines if fields and fields[0] == node), None)
        return SwapState(True, _chosen(int(found[4]))) if found else SwapState()


def _chosen(priority: int) -> int | None:
    return priority if priority >= 0 else None
