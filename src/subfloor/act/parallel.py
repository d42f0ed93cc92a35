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
"""Seconds after which the main thread wakes. The kernel may give a signal to any thread; if it gives it to another,
nothing wakes this one, which has to act on it."""


def in_parallel(items: Sequence[T], do: Callable[[T], R], forks: int, interrupt: Interrupt) -> tuple[R, ...]:
    """What ``do`` returns for each item, in their order; at most ``forks`` of them at the same time.

    After an interrupt it waits until those that began have ended; ``do`` is still called for the others.
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
