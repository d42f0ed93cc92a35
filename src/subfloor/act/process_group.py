"""End the whole process group of a shell, on any host: first SIGTERM, then SIGKILL.

A shell ends at once on SIGTERM. A tool may ignore it and continue to write to a disk that the next run works on.
So subfloor waits until the whole group has ended, not only the shell.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable

from subfloor.core.errors import Unreachable

GRACE = 5.0
"""Seconds from SIGTERM to SIGKILL, and from SIGKILL until the wait is given up."""

_CONNECTING = 20.0
_AT_ONCE = 2.0

# A zombie has ended, but stays in its group if process 1 does not collect it.
# The fields after the name in /proc/PID/stat: the state, the parent, the group (proc_pid_stat(5)).
_SCRIPT = """
alive() {
    kill -s 0 -- "-$group" 2>/dev/null || return 1
    for f in /proc/[0-9]*/stat; do
        line=; read -r line 2>/dev/null < "$f" || [ "$line" ] || continue
        set -- ${line##*) }
        [ "$3" != "$group" ] || [ "$1" = Z ] || return 0
    done
    return 1
}
for signal in TERM KILL; do
    kill -s $signal -- "-$group"
    waited=0
    while alive; do
        [ $waited -lt $tenths ] || continue 2
        sleep 0.1
        waited=$((waited + 1))
    done
    exit 0
done
exit 1
"""


Start = Callable[[], "subprocess.Popen[bytes]"]
"""Starts another shell on the host of the group. Raises ``OSError``, ``Unreachable``."""


def end_group(start: Start, group: int) -> None:
    """End a process group on a host. A process that waits in the kernel survives even SIGKILL, and is left."""
    if group <= 1:  # kill(2) gives these another meaning: many processes
        return
    # In braces, so that a shell that receives only a part of it does nothing.
    script = f"{{ exec 2>/dev/null\ngroup={group} tenths={GRACE * 10:.0f}\n{_SCRIPT}\n}}\n"
    with contextlib.suppress(OSError, Unreachable):
        process = start()
        try:
            process.communicate(script.encode(), timeout=2 * GRACE + _CONNECTING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def abandon_group(start: Start, group: int) -> None:
    """Kill a process group that only reads, without waiting for its end: a read from a device that no longer
    answers cannot be ended."""
    if group <= 1:
        return
    with contextlib.suppress(OSError, Unreachable, subprocess.TimeoutExpired):
        start().communicate(f"{{ kill -s KILL -- -{group}\n}}\n".encode(), timeout=_AT_ONCE)


def force_group(group: int) -> None:
    """End a process group of this machine at once."""
    with contextlib.suppress(OSError):
        os.killpg(group, signal.SIGKILL)
