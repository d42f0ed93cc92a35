"""A run as text while it goes: a line for each task as it comes through, and a passing one for what runs."""

from __future__ import annotations

from subfloor.act.apply import CommandRunning, Event, LockAwaited, StepStarted
from subfloor.core.outcome import HostReport, TaskReport
from subfloor.report import text
from subfloor.report.screen import Screen
from subfloor.report.style import Style


class Live:
    """Writes what happens to a screen."""

    def __init__(self, screen: Screen, style: Style) -> None:
        self._screen, self._style = screen, style
        self._says = ""
        self._hosts = 0

    def planning(self, name: str) -> None:
        """A plan takes no time that anybody would notice."""

    def host(self, name: str) -> None:
        """A host's tasks follow."""
        gap = [""] if self._hosts else []
        self._hosts += 1
        self._screen.print([*gap, self._style.paint(name, "bold")])

    def event(self, event: Event) -> None:
        """Something happened on the host."""
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
        """That was all of the host."""
        self._screen.clear()
        self._screen.print(text.recap(report, self._style))


class Silent:
    """Says nothing: the report comes at the end, in one piece."""

    def planning(self, name: str) -> None:
        """Nothing is said of it."""

    def host(self, name: str) -> None:
        """Nothing is said of it."""

    def event(self, event: Event) -> None:
        """Nothing is said of it."""

    def ended(self, report: HostReport) -> None:
        """Nothing is said of it."""
