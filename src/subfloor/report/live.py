"""The live output of a run: a line for each finished task, and a progress line for the current step."""

from __future__ import annotations

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


class Silent:
    """Writes nothing: the whole report is written at the end."""

    def planning(self, name: str) -> None:
        """Ignored."""

    def host(self, name: str) -> None:
        """Ignored."""

    def event(self, event: Event) -> None:
        """Ignored."""

    def ended(self, report: HostReport) -> None:
        """Ignored."""
