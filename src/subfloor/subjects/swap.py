"""Swap areas that the kernel uses, read from /proc/swaps (proc(5))."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from subfloor.disks.devices import device
from subfloor.errors import LookFailed
from subfloor.machine import Output, Subject

PROBE = "[ ! -e /proc/swaps ] || cat /proc/swaps"
"""A kernel without swap has no such file; one that cannot be read is another matter."""


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
        return (_node(self.device), PROBE)

    def parse(self, *outputs: Output) -> SwapState:
        node, swaps = outputs[0].text.removesuffix("\n"), outputs[1].text
        if outputs[1].status:
            raise LookFailed("/proc/swaps cannot be read", advice="see that /proc is mounted where this runs")
        lines = (line.split() for line in swaps.splitlines()[1:])
        found = next((fields for fields in lines if fields and fields[0] == node), None)
        return SwapState(True, _chosen(int(found[4]))) if found else SwapState()


def _chosen(priority: int) -> int | None:
    return priority if priority >= 0 else None


def _node(path: str) -> str:
    """A probe that prints the kernel's node. A partition's by its disk: udev's link to it may come late."""
    named = device(path)
    disk = f"n=$(readlink -f -- {shlex.quote(named.disk)})"
    if named.number is None:
        return f"{disk}; printf '%s\\n' \"$n\""
    return f"{disk}; case $n in *[0-9]) n=${{n}}p;; esac; printf '%s%s\\n' \"$n\" {named.number}"
