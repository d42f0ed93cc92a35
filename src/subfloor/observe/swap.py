"""Swap areas that the kernel uses, read from /proc/swaps (proc(5))."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output, Subject
from subfloor.observe.device_names import CANONICAL, node_probe
from subfloor.observe.mountinfo import unescaped

PROBE = rf"""
{CANONICAL}
[ -e /proc/swaps ] || exit 0
swaps=
while IFS= read -r line; do
    swaps="$swaps$line
"
done < /proc/swaps || exit
printf %s "$swaps"
while read -r path _; do
    case "$path" in *\\*) ;; /dev/*)
        canonical "$path"
        [ "$node" = "$path" ] || printf '@ %s %s\n' "$path" "$node"
    esac
done <<LIST
$swaps
LIST
"""
"""Prints the kernel's list of areas, then ``@ PATH NODE`` for each device that the list shows by another name than the
canonical one: the list shows the path that was opened. A kernel without swap has no such list, which is no failure; a
list that cannot be read is a failure."""


def areas(swaps: str) -> Iterator[tuple[str, int]]:
    """The path and the priority of each area in use, from the output of ``PROBE``.

    The kernel shows a device's path on the filesystem where its node was opened. If that filesystem is no longer
    mounted at /dev (it was a container's, or the initrd's), the path lacks ``/dev``.
    """
    lines = [fields for line in swaps.split("\n")[1:] if (fields := line.split())]
    nodes = {fields[1]: fields[2] for fields in lines if fields[0] == "@"}
    for fields in lines:
        if fields[0] != "@":
            path, kind, priority = unescaped(fields[0].encode("utf-8", "surrogateescape")), fields[1], int(fields[4])
            path = nodes.get(fields[0], path)
            yield (path if kind != "partition" or path.startswith("/dev/") else f"/dev{path}"), priority


@dataclass(frozen=True)
class SwapState:
    """Whether the area is active, and its priority; None if the kernel chose the priority (a negative one)."""

    active: bool = False
    priority: int | None = None


@dataclass(frozen=True)
class Swap(Subject[SwapState]):
    """A swap area, identified by the path of its device."""

    device: str

    def __str__(self) -> str:
        return f"swap area {self.device}"

    def probes(self) -> tuple[str, ...]:
        """The probes: the device's node, and the swap areas in use."""
        return (f"{node_probe(self.device)}\nprintf '%s\\n' \"$node\"", PROBE)

    def parse(self, *outputs: Output) -> SwapState:
        """Whether the area is active. Raises ``LookFailed`` if /proc/swaps cannot be read."""
        node, swaps = outputs[0].text.removesuffix("\n"), outputs[1].text
        if outputs[1].status:
            raise LookFailed("/proc/swaps cannot be read", advice="check that /proc is mounted on this host")
        priorities = [priority for path, priority in areas(swaps) if path == node]
        return SwapState(True, _chosen(priorities[0])) if priorities else SwapState()


def _chosen(priority: int) -> int | None:
    return priority if priority >= 0 else None
