"""The work on one host, and its plan."""

from __future__ import annotations

from dataclasses import dataclass, field

from subfloor.act.apply import Depth, Plan
from subfloor.act.session import Reach, Session
from subfloor.core.consent import Consent
from subfloor.core.engine import Entry
from subfloor.core.outcome import HostReport


@dataclass(frozen=True)
class Work:
    """The entries of all plays that concern one host, in order. ``plays``: for each entry, the number of its play.

    If ``plays`` is empty, all entries belong to one play. ``depth``: what the plan reads. An apply looks again before
    each step, and decides from that look.
    """

    host: Reach
    entries: tuple[Entry, ...]
    plays: tuple[int, ...] = ()
    depth: Depth = "mounted"

    def up_to(self, play: int) -> int:
        """How many entries belong to the plays up to this one."""
        return sum(number <= play for number in self.plays) if self.plays else len(self.entries)


@dataclass(frozen=True)
class Planned:
    """A host's work, its plan, and the open session on the host, if there is one."""

    work: Work
    report: HostReport
    shell: Session | None = None
    plan: Plan | None = None
    consent: Consent = field(default_factory=Consent)

    @property
    def ready(self) -> tuple[Session, Plan] | None:
        """What apply needs; None if the host cannot be reached or looked at."""
        return (self.shell, self.plan) if self.shell and self.plan else None
