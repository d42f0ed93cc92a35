"""Ctrl-C, SIGTERM and SIGHUP: three ways to ask a run to end, and one thing that comes of them.

Each becomes a ``KeyboardInterrupt``, once: the run then ends its command, and says where it stands. To
be asked again while it does that changes nothing.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Within it, a request to end raises ``KeyboardInterrupt``, the first time."""
    asked = False

    def once(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:
            asked = True
            raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    # What the caller has had ignored (nohup) stays so. A handler, unlike being ignored, is not passed on to commands.
    ours = [number for number in _SIGNALS if before[number] is not signal.SIG_IGN]
    for number in ours:
        signal.signal(number, once)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
