"""Who has a disk's partitions open, so that the kernel cannot be told that they have changed.

Looked at only once something has failed: it goes through every process's open files, as fuser(1) does, but
needs no program that an installer may lack. What is open in another machine's kernel (a guest's, say) it
does not see.
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
    """The processes that have a partition of a disk open; the disk by the kernel's own path."""

    disk: str

    def __str__(self) -> str:
        return f"who has partitions of {self.disk} open"

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


# One ls for all processes. What is open in a process that has ended meanwhile is open no longer.
_OPEN = r"""
ls -l /proc/[0-9]*/fd 2>/dev/null | while read -r line; do
    case "$line" in
        /proc/*/fd:) pid=${line#/proc/}; pid=${pid%/fd:};;
        *" -> $n"*) { read -r program < "/proc/$pid/comm"; } 2>/dev/null && echo "$pid ${line##* -> } $program";;
    esac
done
exit 0
"""
