"""Processes that have a disk's partitions open, so the kernel cannot load a changed table.

This is read only after a failure, because the probe goes through the open files of every process. fuser(1) does the
same, but an installer may lack it. Files that are open in another kernel, such as a guest's, are not seen.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from subfloor.core.machine import Output, Subject
from subfloor.storage.devices import device


@dataclass(frozen=True)
class DeviceUser:
    """A process, and the partition that it has open."""

    pid: int
    program: str
    node: str

    def __str__(self) -> str:
        return f"{self.program} (process {self.pid}) has {self.node} open"


@dataclass(frozen=True)
class DeviceUsers(Subject[tuple[DeviceUser, ...]]):
    """The processes that have a partition of a disk open. ``disk``: the kernel's own path."""

    disk: str

    def __str__(self) -> str:
        return f"processes that have partitions of {self.disk} open"

    def probes(self) -> tuple[str, ...]:
        """The probes to run, as pieces of sh."""
        return (f"n={shlex.quote(self.disk)}\n{_OPEN}",)

    def parse(self, *outputs: Output) -> tuple[DeviceUser, ...]:
        """The processes, sorted by process id."""
        lines = [line.split(" ", 2) for line in outputs[0].text.split("\n") if line.count(" ") >= 2]
        found = {DeviceUser(int(pid), program, node) for pid, node, program in lines if self._is_partition(node)}
        return tuple(sorted(found, key=lambda opener: (opener.pid, opener.node)))

    def _is_partition(self, node: str) -> bool:
        try:
            named = device(node)
        except ValueError:
            return False
        return named.disk == self.disk and named.number is not None


# One ls for all processes. A process that has ended meanwhile has nothing open.
_OPEN = r"""
ls -l /proc/[0-9]*/fd 2>/dev/null | while read -r line; do
    case "$line" in
        /proc/*/fd:) pid=${line#/proc/}; pid=${pid%/fd:};;
        *" -> $n"*) { read -r program < "/proc/$pid/comm"; } 2>/dev/null && echo "$pid ${line##* -> } $program";;
    esac
done
exit 0
"""
