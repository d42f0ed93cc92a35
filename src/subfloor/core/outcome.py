"""The outcome of a run as values, from which reports are made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from subfloor.core.errors import ConsentNeeded, Refused, SubfloorError
from subfloor.core.machine import Difference, Machine
from subfloor.core.task import Step, Task


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
    NEEDS_CONSENT = "needs-consent"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


class Repair(StrEnum):
    """What it takes to bring one task to its declared state.

    ``DESTROYS``: apply does it, and destroys data, so it needs consent. ``PERSON``: apply refuses it. ``BLOCKED``:
    another task of the play must be resolved first. ``UNKNOWN``: the state cannot be seen yet. ``ERROR``: the task
    failed.
    """

    NONE = "none"
    IN_PLACE = "in-place"
    DESTROYS = "destroys"
    PERSON = "person"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"
    ERROR = "error"


class AppliedBefore(StrEnum):
    """Whether a play was applied to a machine before, as far as the UUIDs on its disks show it.

    ``PARTLY``: some of its UUIDs are missing, or a partition is unfinished. ``UNKNOWN``: the play writes no UUIDs.
    """

    NEVER = "never"
    PARTLY = "partly"
    FULLY = "fully"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Survey:
    """What a plan saw of a host: the machine as it is, and as it will be after all steps that are not refused.

    ``declared``: the partitions that the tasks of the play name, as pairs of the disk's path and the number.
    ``managed``: the paths of the disks that a task names as a whole.
    """

    found: Machine
    planned: Machine
    applied_before: AppliedBefore = AppliedBefore.UNKNOWN
    declared: frozenset[tuple[str, int]] = frozenset()
    managed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class UnmountedFilesystem:
    """A filesystem that is not mounted where the play mounts it, and whether a check looked into it.

    ``unseen``: why it was not looked into; empty if it was. ``note``: a warning about the content that was seen.
    """

    source: str
    path: str
    unseen: str = ""
    note: str = ""


@dataclass(frozen=True)
class StepRecord:
    """A step, taken or simulated, and the changes that it promises. Reports show both kinds in the same words."""

    step: Step
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class TaskReport:
    """One task's outcome; ``note`` says why it was skipped, ``warnings`` are the task's warnings.

    ``differences``: all that its steps change, from the state before the first to the state after the last.
    ``cause``: the name of the task that must be resolved before this one. ``repeats``: this task's error is the same
    as that of its cause. ``stops``: the names of the tasks that it blocks. ``declared``: the task itself.
    """

    name: str
    task: str
    outcome: Outcome
    steps: tuple[StepRecord, ...] = ()
    error: SubfloorError | None = None
    note: str = ""
    warnings: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    cause: str = ""
    repeats: bool = False
    stops: tuple[str, ...] = ()
    declared: Task | None = None

    @property
    def repair(self) -> Repair:
        """What it takes to bring the task to its declared state."""
        if self.cause:
            return Repair.BLOCKED
        if self.outcome is Outcome.REFUSED:
            return Repair.DESTROYS if isinstance(self.error, ConsentNeeded) else Repair.PERSON
        if self.outcome is Outcome.WOULD_CHANGE:
            return Repair.DESTROYS if self.destroys else Repair.IN_PLACE
        return _REPAIRS.get(self.outcome, Repair.NONE)

    @property
    def destroys(self) -> bool:
        """Whether one of its steps destroys data."""
        return any(taken.step.destroys for taken in self.steps)


_REPAIRS = {Outcome.FAILED: Repair.ERROR, Outcome.NOT_VISIBLE: Repair.UNKNOWN}


@dataclass(frozen=True)
class HostReport:
    """A play's outcome on one host; ``error`` is an error that concerns no single task.

    ``unreached``: the tasks that an interrupted run did not start. ``broke_off``: the step that was interrupted, so
    that its result may be incomplete. ``needed``: the words of consent (``--destroy WORD``) that a resumed run needs
    again. ``unused``: the words of consent that no step needed. ``survey``: what the plan saw; None if the host was
    not looked at. ``unmounted``: the filesystems that exist and are not mounted yet, if the run looked for them.
    """

    host: str
    tasks: tuple[TaskReport, ...] = ()
    error: SubfloorError | None = None
    unreached: tuple[str, ...] = ()
    broke_off: Step | None = None
    unreachable: bool = False
    needed: frozenset[str] = frozenset()
    unused: tuple[str, ...] = ()
    survey: Survey | None = None
    unmounted: tuple[UnmountedFilesystem, ...] = ()

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
            return HostOutcome.REFUSED if self._needs_a_person else HostOutcome.NEEDS_CONSENT
        if {Outcome.WOULD_CHANGE, Outcome.NOT_VISIBLE} & found:
            return HostOutcome.DRIFT
        return HostOutcome.APPLIED if Outcome.CHANGED in found else HostOutcome.IN_SYNC

    @property
    def _needs_a_person(self) -> bool:
        """Whether any refusal remains when all consent that was asked for is given."""
        refused = (report.error for report in self.tasks if report.outcome is Outcome.REFUSED)
        return any(not isinstance(error, ConsentNeeded) for error in refused)
