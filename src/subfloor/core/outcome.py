"""The outcome of a run as values, from which reports are made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from subfloor.core.errors import Refused, SubfloorError
from subfloor.core.machine import Difference
from subfloor.core.task import Step


class Outcome(StrEnum):
    """The outcome of one task."""

    OK = "ok"
    CHANGED = "changed"
    WOULD_CHANGE = "would-change"
    SKIPPED = "skipped"
    REFUSED = "refused"
    FAILED = "failed"
    NOT_VISIBLE = "not-visible"


class HostOutcome(StrEnum):
    """The outcome of a play on one host."""

    IN_SYNC = "in-sync"
    DRIFT = "drift"
    APPLIED = "applied"
    FAILED = "failed"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class StepRecord:
    """A step that was taken or simulated, and the changes that it promises; both read the same."""

    step: Step
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class TaskReport:
    """One task's outcome; ``note`` says why it was skipped, ``warnings`` are the task's warnings."""

    name: str
    task: str
    outcome: Outcome
    steps: tuple[StepRecord, ...] = ()
    error: SubfloorError | None = None
    note: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostReport:
    """A play's outcome on one host; ``error`` is an error that concerns no single task.

    ``unreached``: the tasks that an interrupted run did not start. ``broke_off``: the step that was interrupted, so
    that its result may be incomplete. ``needed``: the words of consent (``--destroy WORD``) that a resumed run needs
    again. ``unused``: those that no step needed.
    """

    host: str
    tasks: tuple[TaskReport, ...] = ()
    error: SubfloorError | None = None
    unreached: tuple[str, ...] = ()
    broke_off: Step | None = None
    unreachable: bool = False
    needed: frozenset[str] = frozenset()
    unused: tuple[str, ...] = ()

    @property
    def outcome(self) -> HostOutcome:
        """The worst outcome of the host: of its tasks, or of an error that concerns no single task."""
        found = {report.outcome for report in self.tasks}
        if self.unreachable:
            return HostOutcome.UNREACHABLE
        if isinstance(self.error, Refused) and not self.tasks:
            return HostOutcome.REFUSED
        if Outcome.FAILED in found or self.error:
            return HostOutcome.FAILED
        if Outcome.REFUSED in found:
            return HostOutcome.REFUSED
        if {Outcome.WOULD_CHANGE, Outcome.NOT_VISIBLE} & found:
            return HostOutcome.DRIFT
        return HostOutcome.APPLIED if Outcome.CHANGED in found else HostOutcome.IN_SYNC
