"""The loop: ask every task for its next step, and take it, in mind or in the world, until none is left.

Checking and applying differ in one thing only, how a step is taken. There is no state file: the
disk is the journal, and a rerun asks the same questions of what is really there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from subfloor.core.consent import Consent
from subfloor.core.errors import NotVisible, PluginError, Refused, SubfloorError, Unverified
from subfloor.core.faults import asked
from subfloor.core.machine import AnySubject, LookNeeded, Machine, Subject, differences
from subfloor.core.outcome import Outcome, StepRecord, TaskReport
from subfloor.core.task import Claim, Step, Task

MOST_STEPS = 50
"""No task needs as many steps, or looks at as much for one; one that takes more will never end."""


class Entry(Protocol):
    """An entry of a play: a named task, or None where it is skipped."""

    @property
    def name(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def task(self) -> Task | None: ...
    @property
    def why_skipped(self) -> str: ...


Take = Callable[[Task, Step, Machine], tuple[Machine, bool]]
"""Takes a step: the machine afterwards, and whether it was taken. A machine that turns out to be
another than the step was meant for is returned as it is, for the task to decide anew."""


Look = Callable[[Iterable[AnySubject]], Machine]
"""Looks at subjects as they really are, now."""


def blind(subjects: Iterable[AnySubject]) -> Machine:
    """A look where there is nothing to look at: tasks must do with what was seen already."""
    listed = ", ".join(map(str, subjects))
    raise PluginError(f"{listed} was not looked at", advice="look at it before this task is asked")


@dataclass(frozen=True)
class Converged:
    """A task's report, and the machine that it left."""

    report: TaskReport
    machine: Machine


def subjects(entries: Sequence[Entry]) -> frozenset[AnySubject]:
    """Everything that the tasks of a play look at."""
    tasks = (entry.task for entry in entries if entry.task)
    return frozenset(
        subject
        for task in tasks
        for subject in asked(task, "failed to say what it looks at", task.subjects, _are_subjects)
    )


def converge(entry: Entry, machine: Machine, take: Take, done: Outcome, look: Look = blind) -> Converged:
    """Take one task's steps until it is satisfied or refuses. ``done``: its outcome if it took any."""
    steps: list[StepRecord] = []
    report = TaskReport(entry.name, entry.key, Outcome.SKIPPED, note=entry.why_skipped)
    if entry.task is None:
        return Converged(report, machine)
    try:
        report = replace(report, warnings=warnings(entry.task, machine))
        for _ in range(MOST_STEPS):
            step = decide(entry.task, machine, look)
            if step is None:
                return Converged(replace(report, outcome=done if steps else Outcome.OK, steps=tuple(steps)), machine)
            after, taken = take(entry.task, step, machine)
            steps += [StepRecord(step, differences(machine, step.after))] if taken else []
            machine = after
        raise PluginError(
            f"{entry.key} asks for ever more steps, the last to “{steps[-1].step.says if steps else 'nothing'}”",
            advice="this is a bug in the task: the result of a step must bring the task closer to being satisfied",
        )
    except SubfloorError as error:
        return Converged(replace(report, outcome=outcome_of(error), steps=tuple(steps), error=error), machine)


def decide(task: Task, machine: Machine, look: Look = blind) -> Step | None:
    """The task's next step, once it has seen all that it asks for; none of that is a part of what the step promises."""
    seen = machine
    for _ in range(MOST_STEPS):
        try:
            step = next_step(task, seen)
        except LookNeeded as needed:
            seen = seen.updated(look({needed.subject}))
        else:
            return replace(step, after=step.after.only(machine)) if step else None
    raise PluginError(f"{task.key} asks for ever more looks", advice="this is a fault of the task: report it")


def warnings(task: Task, machine: Machine) -> tuple[str, ...]:
    """What the task warns of, in its play and on this machine. Raises ``PluginError``, as ``next_step`` does."""
    what = "failed to say what it warns of"
    of_play = asked(task, what, task.warnings, _are_texts)
    return (*of_play, *asked(task, what, lambda: task.warnings_on(machine), _are_texts))


def next_step(task: Task, machine: Machine) -> Step | None:
    """The task's next step. Raises ``PluginError`` where the plugin breaks its side of the contract."""
    return asked(task, "failed to decide what to do", lambda: task.next_step(machine), _is_step)


def _is_step(answer: object) -> bool:
    return answer is None or (isinstance(answer, Step) and isinstance(answer.after, Machine))


def _are_texts(answer: object) -> bool:
    return isinstance(answer, tuple) and all(isinstance(each, str) for each in answer)


def _are_subjects(answer: object) -> bool:
    return isinstance(answer, frozenset) and all(isinstance(each, Subject) for each in answer)


def claims(task: Task, machine: Machine) -> tuple[Claim, ...]:
    """The UUIDs that are the task's own. Raises ``PluginError`` where the plugin breaks its side of the contract."""
    return asked(task, "failed to say which UUIDs are its own", lambda: task.claims(machine), _are_claims)


def _are_claims(answer: object) -> bool:
    return isinstance(answer, tuple) and all(isinstance(each, Claim) for each in answer)


def outcome_of(error: SubfloorError) -> Outcome:
    """What came of a task that an error ended."""
    if isinstance(error, NotVisible):
        return Outcome.NOT_VISIBLE
    return Outcome.REFUSED if isinstance(error, Refused) else Outcome.FAILED


def imagine(entries: Sequence[Entry], machine: Machine, consent: Consent, look: Look = blind) -> tuple[TaskReport, ...]:
    """What applying the play would come to, task by task, from this machine.

    It goes on after a refusal, so that one report tells everything: past a step that lacks consent as
    if it were given, past any other refusal from the machine as it is.
    """
    reports, machines = [], []
    for entry in entries:
        converged = converge(entry, machine, _imagined, Outcome.WOULD_CHANGE, look)
        machine = converged.machine
        reports.append(_with_consent(converged.report, consent))
        machines.append(machine)
    return _without_conflicts(entries, reports, machines, look)


def _without_conflicts(
    entries: Sequence[Entry], reports: Sequence[TaskReport], machines: Sequence[Machine], look: Look
) -> tuple[TaskReport, ...]:
    """The reports, with every task refused that undoes an earlier one: no run of such a play comes to an end.

    ``machines``: what each task left. Where anything else is refused, more than that cannot be foretold.
    """
    found = list(reports)
    if any(report.error and report.outcome is not Outcome.NOT_VISIBLE for report in reports):
        return tuple(found)
    for number, (entry, report) in enumerate(zip(entries, reports, strict=True)):
        if entry.task is None or report.outcome is Outcome.NOT_VISIBLE or not _wants(entry.task, machines[-1], look):
            continue
        for later in range(number + 1, len(machines)):
            if lacks := _wants(entry.task, machines[later], look):
                error = _conflict(report, reports[later], lacks)
                found[later] = replace(reports[later], outcome=Outcome.REFUSED, error=error)
                break
    return tuple(found)


def _wants(task: Task, machine: Machine, look: Look) -> str:
    """What a task lacks on a machine that is imagined; nothing where that cannot be said."""
    try:
        return _lacks(task, machine, look)
    except NotVisible:
        return ""


def _conflict(earlier: TaskReport, later: TaskReport, lacks: str) -> Refused:
    return Refused(
        f"“{later.name}” undoes “{earlier.name}”, which would then be wrong again: {lacks}",
        advice="two tasks of the play want different things of one place: keep one of them, or have both want the same",
    )


def _imagined(task: Task, step: Step, machine: Machine) -> tuple[Machine, bool]:
    return step.after, True


def _with_consent(report: TaskReport, consent: Consent) -> TaskReport:
    lacking = [loss for taken in report.steps for loss in consent.lacking(taken.step)]
    if not lacking or report.error:
        return report
    return replace(report, outcome=Outcome.REFUSED, error=consent.refusal(lacking))


def held_to_the_end(
    entries: Sequence[Entry], reports: Sequence[TaskReport], machine: Machine
) -> tuple[TaskReport, ...]:
    """The reports of a whole run, with every task failed that was satisfied and, on the machine as it is
    in the end, is so no longer."""
    return tuple(_held(entry, report, machine) for entry, report in zip(entries, reports, strict=True))


def _held(entry: Entry, report: TaskReport, machine: Machine) -> TaskReport:
    satisfied = report.outcome in (Outcome.OK, Outcome.CHANGED)
    lacks = _seen_to_lack(entry.task, machine) if entry.task and satisfied else ""
    return replace(report, outcome=Outcome.FAILED, error=_undone(report, lacks)) if lacks else report


def _seen_to_lack(task: Task, machine: Machine) -> str:
    """What a task lacks on a machine that was looked at, where nothing should be out of sight any more."""
    try:
        return _lacks(task, machine)
    except NotVisible as error:
        return error.what


def _lacks(task: Task, machine: Machine, look: Look = blind) -> str:
    """What a task wants of a machine, in words; nothing where it is satisfied. Raises ``NotVisible``."""
    try:
        step = decide(task, machine, look)
    except NotVisible:
        raise
    except SubfloorError as error:
        return error.what
    return f"it would now have to “{step.says}”" if step else ""


def _undone(report: TaskReport, lacks: str) -> Unverified:
    return Unverified(
        f"“{report.name}” was applied, but at the end of the run it no longer holds: {lacks}",
        advice="another program has undone it meanwhile, or one task of the play undoes another: see which; "
        "to mend it, run the same command again",
    )
