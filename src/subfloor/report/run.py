"""A whole run as one value, from which every document is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

from subfloor.core.errors import SubfloorError
from subfloor.core.outcome import HostReport
from subfloor.playbook.positions import PlaybookError


@dataclass(frozen=True)
class Problem:
    """An error that ended a run before it had any host: its kind, what is wrong, and what to do next."""

    kind: str
    what: str
    advice: str

    @classmethod
    def of(cls, error: BaseException) -> Problem:
        """The problem that an error describes. Errors of the command line (click) get a general advice."""
        if isinstance(error, PlaybookError):
            every = [f"{each.where}: {each.what}" for each in error.all]
            return cls(type(error).__name__, "\n".join(every), "\n".join(dict.fromkeys(e.advice for e in error.all)))
        if isinstance(error, SubfloorError):
            return cls(type(error).__name__, error.what, error.advice)
        told = getattr(error, "format_message", lambda: str(error))()
        return cls(type(error).__name__, told or type(error).__name__, "correct the command line; --help explains it")


@dataclass(frozen=True)
class Run:
    """A run of ``command`` that ended at ``at`` with this exit status. ``problem``: the error, if it has no hosts.

    ``outcome``: the worst outcome of any host, ``declined``, or ``usage-error``.
    """

    command: str
    status: int
    outcome: str
    play: str = ""
    hosts: tuple[HostReport, ...] = ()
    problem: Problem | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    version: str = field(default_factory=lambda: version("subfloor"))

    @property
    def time(self) -> str:
        """When the run ended, in UTC (RFC 3339), to the second."""
        return self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
