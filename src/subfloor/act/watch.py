"""The events of a run, as the screen and the log receive them."""

from __future__ import annotations

from typing import Protocol

from subfloor.act.events import Event
from subfloor.core.outcome import HostReport


class Watch(Protocol):
    """Receives what happens in a run."""

    def on(self, name: str) -> Watch:
        """The watch for one of several hosts that are worked on side by side, in threads."""

    def planning(self, name: str) -> None:
        """The host of this name is looked at for the plan."""

    def host(self, name: str) -> None:
        """The tasks of the host of this name follow."""

    def event(self, event: Event) -> None:
        """Something happened on the current host."""

    def ended(self, report: HostReport) -> None:
        """The current host is finished."""


class CombinedWatch:
    """Passes everything on to two watches, to the first one first."""

    def __init__(self, first: Watch, second: Watch) -> None:
        self._all = (first, second)

    def on(self, name: str) -> CombinedWatch:
        """The watch for one of several hosts that are worked on side by side, in threads."""
        first, second = (each.on(name) for each in self._all)
        return CombinedWatch(first, second)

    def planning(self, name: str) -> None:
        """The host of this name is looked at for the plan."""
        for each in self._all:
            each.planning(name)

    def host(self, name: str) -> None:
        """The tasks of the host of this name follow."""
        for each in self._all:
            each.host(name)

    def event(self, event: Event) -> None:
        """Something happened on the current host."""
        for each in self._all:
            each.event(event)

    def ended(self, report: HostReport) -> None:
        """The current host is finished."""
        for each in self._all:
            each.ended(report)


def tell(report: HostReport, watch: Watch) -> None:
    """Pass all reports of a host to the watch at once."""
    watch.host(report.host)
    for each in report.tasks:
        watch.event(each)
    watch.ended(report)
