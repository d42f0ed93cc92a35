"""The live output of a run: a line for each finished task, and a progress line for the current step.

Hosts that are worked on side by side are shown one after another: the output of a later host waits for its turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Self

from subfloor.act.events import CommandRunning, Event, LockAwaited, StepStarted
from subfloor.core.outcome import HostReport, TaskReport
from subfloor.report import text
from subfloor.report.screen import Screen
from subfloor.report.style import Style


class Live:
    """Writes the events of a run to a screen."""

    def __init__(self, screen: Screen, style: Style) -> None:
        self._screen, self._style = screen, style
        self._says = ""
        self._hosts = 0
        self._turns: deque[_Turn] = deque()
        self._lock = Lock()

    def on(self, name: str) -> _Turn:
        """The watch for one of several hosts that are worked on side by side, in threads."""
        return _Turn(self, self._turns, self._lock)

    def planning(self, name: str) -> None:
        """Writes nothing: a plan takes too little time to be noticed."""

    def host(self, name: str) -> None:
        """The tasks of the host of this name follow."""
        gap = [""] if self._hosts else []
        self._hosts += 1
        self._screen.print([*gap, self._style.paint(name, "bold")])

    def event(self, event: Event) -> None:
        """Something happened on the current host."""
        if isinstance(event, TaskReport):
            self._screen.print(text.task(event, self._style))
        elif isinstance(event, LockAwaited):
            self._screen.print(text.waiting(event.what, event.holders, self._style))
        elif isinstance(event, StepStarted):
            self._says = event.step.says
            self._screen.passing(text.progress(self._says, 0, self._style))
        elif isinstance(event, CommandRunning):
            self._screen.passing(text.progress(self._says, event.seconds, self._style, event.says))

    def ended(self, report: HostReport) -> None:
        """The current host is finished: write its recap."""
        self._screen.clear()
        self._screen.print(text.recap(report, self._style))


class _Turn:
    """The live output of one host. ``host`` puts it into a queue; its turn comes when the hosts before have ended."""

    def __init__(self, live: Live, turns: deque[_Turn], lock: Lock) -> None:
        self._live, self._turns, self._lock = live, turns, lock
        self._waiting: list[Callable[[], None]] = []
        self._queued = self._over = False

    def on(self, name: str) -> _Turn:
        """Returns itself, since it is the watch of one host."""
        return self

    def planning(self, name: str) -> None:
        """Writes nothing."""

    def host(self, name: str) -> None:
        """The tasks of the host of this name follow."""
        with self._lock:
            if not self._queued:
                self._queued = True
                self._turns.append(self)
                self._show(lambda: self._live.host(name))

    def event(self, event: Event) -> None:
        """Something happened on the host."""
        with self._lock:
            if self._queued and (self._turns[0] is self or not isinstance(event, CommandRunning)):
                self._show(lambda: self._live.event(event))

    def ended(self, report: HostReport) -> None:
        """The host is finished."""
        with self._lock:
            self._over = True
            self._show(lambda: self._live.ended(report))

    def _show(self, act: Callable[[], None]) -> None:
        """Show the output of this host, and that of later hosts whose turn has come."""
        self._waiting.append(act)
        while self._turns:
            first = self._turns[0]
            while first._waiting:
                first._waiting.pop(0)()
            if not first._over:
                return
            self._turns.popleft()


class Silent:
    """Writes nothing: the whole report is written at the end."""

    def on(self, name: str) -> Self:
        """Returns itself: it writes nothing for any host."""
        return self

    def planning(self, name: str) -> None:
        """Ignored."""

    def host(self, name: str) -> None:
        """Ignored."""

    def event(self, event: Event) -> None:
        """Ignored."""

    def ended(self, report: HostReport) -> None:
        """Ignored."""
