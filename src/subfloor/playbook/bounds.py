"""Bounds of time and memory for what a playbook has evaluated, whatever operator or filter it uses."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

SECONDS = 5.0
"""Time of the processor that one value may take, with all the variables that it uses."""

MEMORY = 256 << 20
"""Bytes by which it may make the process grow."""


class Overdue(BaseException):
    """It takes too long. Not an ``Exception``, so that no filter takes it for one of its own."""


_bounded = False


@contextlib.contextmanager
def bounds() -> Iterator[None]:
    """Within it, too much time raises ``Overdue``, and too much memory ``MemoryError``. Inner ones add nothing.

    Signals come to the main thread alone; in another one there are no bounds.
    """
    global _bounded
    if _bounded or threading.current_thread() is not threading.main_thread():
        yield
        return
    _bounded = True
    before = signal.signal(signal.SIGPROF, _overdue)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    try:
        _limit_memory(soft, hard)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        yield
    finally:
        _bounded = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, before)


def _limit_memory(soft: int, hard: int) -> None:
    with contextlib.suppress(OSError, ValueError):  # where /proc is missing, or a lower limit is set
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
        most = int(pages) * os.sysconf("SC_PAGE_SIZE") + MEMORY
        if soft == resource.RLIM_INFINITY or most < soft:
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _overdue(number: int, frame: FrameType | None) -> None:
    if _bounded:
        raise Overdue
