"""Limits of time and memory for the evaluation of a playbook's expressions, with any operator or filter."""

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
"""Seconds of processor time that one value may take, including all variables that it uses."""

MEMORY = 256 << 20
"""Bytes by which the evaluation may make the process grow."""


_AGAIN = 0.5
"""Seconds of processor time after which ``Overdue`` is raised again. The first one may be lost: Python only prints an
exception in a finalizer, and continues."""


class Overdue(BaseException):
    """The evaluation takes too long. Not an ``Exception``, so that no filter catches it."""


_bounded = False


@contextlib.contextmanager
def bounds() -> Iterator[None]:
    """In this context, too much time raises ``Overdue``, and too much memory ``MemoryError``. A context inside another
    one changes nothing.

    Only the main thread receives signals; in other threads there are no limits.
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
        signal.setitimer(signal.ITIMER_PROF, SECONDS, _AGAIN)
        yield
    finally:
        _bounded = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, before)


def _limit_memory(soft: int, hard: int) -> None:
    with contextlib.suppress(OSError, ValueError):  # /proc is missing, or a lower limit is set
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
        most = int(pages) * os.sysconf("SC_PAGE_SIZE") + MEMORY
        if soft == resource.RLIM_INFINITY or most < soft:
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _overdue(number: int, frame: FrameType | None) -> None:
    if _bounded:
        raise Overdue
