"""Locks against a second run: pieces of sh that take a lock, release it, and list its holders.

A step locks the disks that it writes to, as udev and the tools do (https://systemd.io/BLOCK_DEVICE_LOCKING).
A step that writes to no disk (a directory, a mount, a file) locks the machine: two runs that look at the same
moment would both find a mount missing and mount it twice. The commands inherit the lock. So if a run is killed,
its tool keeps the lock, and the next run waits until the tool has ended.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from subfloor.core.errors import PluginError, Refused

WAIT = 20
"""Seconds that another program may hold a lock before the step is refused."""

GONE = 3
"""The exit status if the file to lock does not exist or cannot be read."""

# If /run is not writable (a user namespace), the directory itself can be locked.
_FIND_MACHINE = """
lock=${SUBFLOOR_LOCK:-/run/subfloor.lock}; (umask 077; : >> "$lock") 2>/dev/null || lock=/run
"""
"""Sets ``$lock``, the lock file of the machine. Runs with different ``SUBFLOOR_LOCK`` do not lock each other out."""

_DESCRIPTORS = "98765"
"""The descriptors for locks; POSIX sh can redirect single digits only (XCU 2.7)."""

# fdinfo shows the locks of just that open file (fs/proc/fd.c); /proc/locks shows the program that took the lock,
# which has already ended. The name of a shell says little, so its parent is named too.
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
    """A file to lock, with the shell's descriptor for it. ``machine``: whether it is the lock of the whole machine."""

    path: str
    descriptor: str
    machine: bool = False

    def __str__(self) -> str:
        return f"this machine ({self.path})" if self.machine else self.path

    def found(self, path: bytes) -> Lock:
        """This lock with the path that ``take`` printed: the path of the machine's lock is known only on the host."""
        return replace(self, path=path.decode("utf-8", "surrogateescape"))

    @property
    def take(self) -> str:
        """sh that takes the lock if it is free, and prints its path; status 1 if another program has it, ``GONE`` if
        there is no file."""
        # A failed redirection would end the shell, so the file is tested first.
        find = _FIND_MACHINE if self.machine else f"lock={shlex.quote(self.path)}"
        take = f'exec {self.descriptor}< "$lock" && flock --exclusive --nonblock {self.descriptor}'
        return f'{find}\nprintf %s "$lock"\nif [ -r "$lock" ]; then {take}; else (exit {GONE}); fi'

    @property
    def wait(self) -> str:
        """sh that waits for the lock and takes it; status 1 if another program still has it after ``WAIT``."""
        return f"flock --exclusive --wait {WAIT} {self.descriptor}"

    @property
    def holders(self) -> str:
        """sh that prints the processes that hold the lock, one per line."""
        return f"(lock={shlex.quote(self.path)}\n{_HOLDERS})"

    @property
    def take_or_wait(self) -> str:
        """sh that takes the lock like ``take``, and waits like ``wait`` if another program has it. If that program
        still has it afterwards, the sh prints the processes that hold the lock, on further lines."""
        waits = f"echo; {self.wait} || {{ ({_HOLDERS}); false; }}"
        return f"{self.take}\ncase $? in 0) ;; {GONE}) (exit {GONE}) ;; *) {waits} ;; esac"

    @property
    def release(self) -> str:
        """sh that releases the lock. The machine is unlocked even if a service that a step has started has inherited
        the lock. A disk stays locked while a tool that has inherited the lock still writes to the disk."""
        unlock = f"flock --unlock {self.descriptor}; " if self.machine else ""
        return f"{unlock}exec {self.descriptor}<&-"


def of_disks(nodes: Sequence[str]) -> tuple[Lock, ...]:
    """The locks of these disks, in the order in which every run takes them. Raises ``PluginError`` for too many."""
    disks = sorted(set(nodes))
    if len(disks) > len(_DESCRIPTORS):
        raise PluginError(
            f"a step writes to {len(disks)} disks at once, but only {len(_DESCRIPTORS)} can be locked",
            advice="this is a bug in the task: use one step for each disk",
        )
    return tuple(map(Lock, disks, _DESCRIPTORS))


def of_machine() -> Lock:
    """The lock of the machine; its path is known only on the host."""
    return Lock("", _DESCRIPTORS[0], machine=True)


def of_step(nodes: Sequence[str]) -> tuple[Lock, ...]:
    """The locks of a step that writes to these disks; the lock of the machine if there are no disks."""
    return of_disks(nodes) or (of_machine(),)


def release(held: Sequence[Lock]) -> str:
    """sh that releases all of these locks."""
    return "; ".join(lock.release for lock in held)


def gone(lock: Lock) -> Refused:
    """The error for a step whose disk no longer exists."""
    return Refused(
        f"{lock} can no longer be opened",
        advice="check that the disk is still attached (lsblk, and the kernel's log: dmesg), then run subfloor again",
    )


def refusal(lock: Lock, holders: Sequence[str]) -> Refused:
    """The error for a step whose lock another program holds."""
    by = f": {'; '.join(holders)}" if holders else ""
    return Refused(
        f"{lock} is locked by another program{by}",
        advice="another run, or a tool of an interrupted run, is still working: wait until it ends "
        f"(fuser {lock.path} shows it), then run subfloor again",
    )
