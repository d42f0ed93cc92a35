"""Work on several hosts side by side, each in a thread of its own, with one interrupt for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

Interrupt = Event
"""Set when the run is interrupted. Only the main thread gets a signal; every shell looks at this once a second."""

_WAKES = 1.0
"""Seconds after which the main thread wakes. It must act on signals, but the kernel may deliver a signal to another
thread, and then nothing else wakes the main thread."""


def in_parallel(items: Sequence[T], do: Callable[[T], R], forks: int, interrupt: Interrupt) -> tuple[R, ...]:
    """The results of ``do`` for each item, in the order of the items. At most ``forks`` calls run at the same time.

    After an interrupt, ``do`` is still called for the items that are left. This returns when all calls have ended.
    """
    if forks == 1 or len(items) == 1:
        return tuple(map(do, items))
    begun: list[Future[R]] = []
    with ThreadPoolExecutor(max_workers=forks) as pool:
        try:
            begun += [pool.submit(do, item) for item in items]
            while wait(begun, timeout=_WAKES).not_done:
                pass
        except KeyboardInterrupt:
            interrupt.set()
            begun += [pool.submit(do, item) for item in items[len(begun) :]]
            wait(begun)
    return tuple(each.result() for each in begun)
