"""Ctrl-C, SIGTERM and SIGHUP: the signals that interrupt a run.

The first of them becomes a ``KeyboardInterrupt``: the run then ends its command and reports where it stands.
Further signals during that time are ignored.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """In this context the first of these signals raises ``KeyboardInterrupt``."""
    asked = False

    def once(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    # A signal that the caller ignores (nohup) stays ignored: commands inherit an ignored signal, but no handler.
    ours = [number for number in _SIGNALS if before[number] is not signal.SIG_IGN]
    for number in ours:
        signal.signal(number, once)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
