"""Locks that keep two runs apart: pieces of sh that take one, let it go, and say who holds it.

A step locks the disks that it writes to, as udev and the tools do (https://systemd.io/BLOCK_DEVICE_LOCKING).
One that writes to none (a directory, a mount, a file) locks the machine, since two runs that looked at
the same moment would both find a mount missing, and mount it twice. The commands inherit the lock, so a
tool whose run was killed keeps the next run waiting until it has ended.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from subfloor.core.errors import PluginError, Refused

WAIT = 20
"""Seconds that somebody else may hold a lock until the step is refused."""

GONE = 3
"""The exit status of what would lock a file that is not there, or cannot be read."""

# Where /run is not ours to write to (a user namespace), the directory itself can be locked.
FIND_MACHINE = """
lock=${SUBFLOOR_LOCK:-/run/subfloor.lock}; (umask 077; : >> "$lock") 2>/dev/null || lock=/run; printf %s "$lock"
"""
"""Prints the file that stands for the machine. Runs with another ``SUBFLOOR_LOCK`` do not see each other."""

_DESCRIPTORS = "98765"
"""POSIX lets sh redirect single digits only (XCU 2.7)."""

# fdinfo tells the locks of just that open file (fs/proc/fd.c); /proc/locks has the program that took
# it, and that has ended. A shell says little, so its parent is named too.
_HOLDERS = """
named() { read -r name < "/proc/$1/comm" && printf '%s (PID %s)' "$name" "$1"; }
find /proc/[0-9]*/fd -lname "$lock" 2>/dev/null | while IFS=/ read -r _ _ pid _ fd; do
    [ "$pid" != $$ ] && grep -q FLOCK "/proc/$pid/fdinfo/$fd" 2>/dev/null || continue
    read -r line < "/proc/$pid/stat" || continue
    set -- ${line##*) }
    { named "$pid" && printf ', started by ' && named "$2"; echo; } 2>/dev/null
done
"""


@dataclass(frozen=True)
class Lock:
    """A file that is locked, through this descriptor of the shell; ``machine``: it stands for the machine."""

    path: str
    descriptor: str
    machine: bool = False

    def __str__(self) -> str:
        return f"this machine ({self.path})" if self.machine else self.path

    @property
    def take(self) -> str:
        """Takes it if nobody has it; the status is 1 where somebody does, ``GONE`` where there is no such file."""
        # A redirection that fails would end the shell, so it is looked for first.
        path = shlex.quote(self.path)
        take = f"exec {self.descriptor}< {path} && flock --exclusive --nonblock {self.descriptor}"
        return f"if [ -r {path} ]; then {take}; else (exit {GONE}); fi"

    @property
    def wait(self) -> str:
        """Takes it once nobody else has it; the status is 1 where somebody has it for too long."""
        return f"flock --exclusive --wait {WAIT} {self.descriptor}"

    @property
    def holders(self) -> str:
        """Prints who holds it, a line for each process."""
        return f"(lock={shlex.quote(self.path)}\n{_HOLDERS})"

    @property
    def release(self) -> str:
        """Lets it go. A service that a step has started must not keep the machine locked; a tool that is
        still writing to a disk must keep that."""
        unlock = f"flock --unlock {self.descriptor}; " if self.machine else ""
        return f"{unlock}exec {self.descriptor}<&-"


def of_disks(nodes: Sequence[str]) -> tuple[Lock, ...]:
    """The locks of these disks, in the order in which everybody takes them. Raises ``PluginError`` for too many."""
    disks = sorted(set(nodes))
    if len(disks) > len(_DESCRIPTORS):
        raise PluginError(
            f"a step writes to {len(disks)} disks at once, and {len(_DESCRIPTORS)} can be locked",
            advice="this is a fault of the task: make a step of each disk's part",
        )
    return tuple(map(Lock, disks, _DESCRIPTORS))


def of_machine(path: str) -> Lock:
    """The lock of the machine; ``path`` is what ``FIND_MACHINE`` printed."""
    return Lock(path, _DESCRIPTORS[0], machine=True)


def gone(lock: Lock) -> Refused:
    """Why a step is refused whose disk is not to be found any more."""
    return Refused(
        f"{lock} cannot be opened any more",
        advice="see that the disk is still there (lsblk, and the kernel's log: dmesg), then run this again",
    )


def refusal(lock: Lock, holders: Sequence[str]) -> Refused:
    """Why a step is refused whose lock somebody has."""
    by = f": {'; '.join(holders)}" if holders else ""
    return Refused(
        f"{lock} is locked by another program{by}",
        advice="another run, or a tool that an interrupted run left, is still at work: let it end "
        f"(fuser {lock.path} shows which it is), then run this again",
    )
