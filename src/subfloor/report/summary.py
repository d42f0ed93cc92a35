"""What every report says first: the outcome in words, and the hosts and tasks in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from subfloor.core.outcome import AppliedBefore, HostOutcome, HostReport, Outcome, Repair, TaskReport
from subfloor.report.run import Run
from subfloor.report.text import APPLIED_BEFORE, counts, word

REPAIRS = {
    Repair.NONE: "",
    Repair.IN_PLACE: "apply repairs it in place",
    Repair.DESTROYS: "apply repairs it by destroying data, with consent",
    Repair.PERSON: "needs a person",
    Repair.BLOCKED: "blocked by another task",
    Repair.UNKNOWN: "cannot be seen yet",
    Repair.ERROR: "failed",
}
"""What it takes to repair a task, in words."""


def headline(run: Run) -> str:
    """The outcome of a run in a line."""
    try:
        return f"{run.command}: {word(HostOutcome(run.outcome))}"
    except ValueError:
        return f"{run.command}: {run.outcome.replace('-', ' ')}"


def facts(run: Run) -> Iterator[tuple[str, str]]:
    """What a reader must know of a run, as pairs of a name and a value."""
    yield from (("play", run.play),) if run.play else ()
    yield from (("time", run.time), ("exit status", str(run.status)), ("subfloor", run.version))


def host_line(host: HostReport) -> str:
    """The tasks of a host in numbers."""
    return counts(Counter(each.outcome for each in host.tasks))


def applied_before_of(host: HostReport) -> str:
    """Whether the play was applied to the host before, in words; "" if that is not known."""
    return APPLIED_BEFORE.get(host.survey.applied_before if host.survey else AppliedBefore.UNKNOWN, "")


def is_open(task: TaskReport) -> bool:
    """Whether a reader should look at a task: all but those that are satisfied or skipped."""
    return task.outcome not in (Outcome.OK, Outcome.SKIPPED) or bool(task.warnings)
