"""The engine: ask each task for its next step and take it, simulated or real, until none is left.

Check and apply differ only in how they take a step. There is no state file: a rerun looks at the disk again and
decides from its current state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from subfloor.core.consent import Consent
from subfloor.core.errors import NotVisible, PluginError, Refused, SubfloorError, Unverified
from subfloor.core.faults import asked
from subfloor.core.machine import AnySubject, Difference, LookNeeded, Machine, Subject, differences
from subfloor.core.outcome import Outcome, StepRecord, TaskReport
from subfloor.core.task import Claim, Step, Task

MOST_STEPS = 50
"""The most steps of a task. A task that needs more would never end."""

MOST_LOOKS = 500
"""The most extra looks for one step: a few for each partition of a disk, which has 128 at most."""


class Entry(Protocol):
    """An entry of a play: its name and its task; the task is None if the entry is skipped."""

    @property
    def name(self) -> str:
        """The name of the entry in the playbook."""

    @property
    def key(self) -> str:
        """The key of the task, such as ``mkfs``."""

    @property
    def task(self) -> Task | None:
        """The task, or None if the entry is skipped."""

    @property
    def why_skipped(self) -> str:
        """Why the entry is skipped; empty if it is not."""


Take = Callable[[Task, Step, Machine], tuple[Machine, bool]]
"""Takes a step: returns the machine afterwards, and True. If the machine has changed since the step was decided, the
step is not taken: returns the machine as it is now, and False. Then the task decides again."""


Look = Callable[[Iterable[AnySubject]], Machine]
"""Looks at the current state of subjects."""


Reveal = Callable[[Machine, Machine], Machine]
"""Looks into filesystems that a simulated step mounts. Gets the machines before and after the step, and returns the
values that can be seen."""


def unrevealed(before: Machine, after: Machine) -> Machine:
    """Reveals nothing: what lies on a filesystem that is not mounted is not visible yet."""
    return Machine()


def blind(subjects: Iterable[AnySubject]) -> Machine:
    """A look that is not possible: raises ``PluginError``, since tasks must use what was already seen."""
    listed = ", ".join(map(str, subjects))
    raise PluginError(f"{listed} was not read", advice="this is a bug in the task: list it in `subjects`")


@dataclass(frozen=True)
class Converged:
    """A task's report, the machine after the task, and the extra subjects that the task asked for."""

    report: TaskReport
    machine: Machine
    further: frozenset[AnySubject] = frozenset()


def subjects(entries: Sequence[Entry]) -> frozenset[AnySubject]:
    """Everything that the tasks of a play look at. Raises ``PluginError``."""
    tasks = (entry.task for entry in entries if entry.task)
    return frozenset(
        subject
        for task in tasks
        for subject in asked(task, "failed to list what it looks at", task.subjects, _are_subjects)
    )


def converge(entry: Entry, machine: Machine, take: Take, done: Outcome, look: Look = blind) -> Converged:
    """Take a task's steps until the task is satisfied, refused or failed. ``done``: its outcome after any step."""
    steps: list[StepRecord] = []
    report = TaskReport(entry.name, entry.key, Outcome.SKIPPED, note=entry.why_skipped, declared=entry.task)
    if entry.task is None:
        return Converged(report, machine)
    before, further = machine, set[AnySubject]()

    def noting(subjects: Iterable[AnySubject]) -> Machine:
        wanted = frozenset(subjects)
        further.update(wanted)
        return look(wanted)

    try:
        report = replace(report, warnings=warnings(entry.task, machine))
        for _ in range(MOST_STEPS):
            step = decide(entry.task, machine, noting)
            if step is None:
                report = replace(report, outcome=done if steps else Outcome.OK)
                break
            after, taken = take(entry.task, step, machine)
            steps += [StepRecord(step, differences(machine, step.after))] if taken else []
            machine = after
        else:
            raise _endless(entry, steps)
    except SubfloorError as error:
        report = replace(report, outcome=outcome_of(error), error=error)
    return Converged(_with_steps(report, steps, before, machine), machine, frozenset(further))


def _endless(entry: Entry, steps: Sequence[StepRecord]) -> PluginError:
    return PluginError(
        f"{entry.key} asks for more and more steps without an end; the last one: "
        f"“{steps[-1].step.says if steps else 'nothing'}”",
        advice="this is a bug in the task: the result of a step must bring the task closer to being satisfied",
    )


def _with_steps(report: TaskReport, steps: Sequence[StepRecord], before: Machine, after: Machine) -> TaskReport:
    """The report with its steps, and with the differences that they make together."""
    if not steps:
        return report
    return replace(report, steps=tuple(steps), differences=differences(before, after))


def decide(task: Task, machine: Machine, look: Look = blind) -> Step | None:
    """The task's next step, after all extra looks that it asks for; None if it is satisfied.

    The extra subjects are not part of the step's promise.
    """
    seen = machine
    for _ in range(MOST_LOOKS):
        try:
            step = next_step(task, seen)
        except LookNeeded as needed:
            seen = seen.updated(look({needed.subject}))
        else:
            return replace(step, after=step.after.only(machine)) if step else None
    raise PluginError(
        f"{task.key} asks for more and more subjects without an end", advice="this is a bug in the task: report it"
    )


def warnings(task: Task, machine: Machine) -> tuple[str, ...]:
    """The task's warnings about its play and about this machine. Raises ``PluginError``, as ``next_step`` does."""
    what = "failed to list its warnings"
    of_play = asked(task, what, task.warnings, _are_texts)
    return (*of_play, *asked(task, what, lambda: task.warnings_on(machine), _are_texts))


def next_step(task: Task, machine: Machine) -> Step | None:
    """The task's next step; None if it is satisfied. Raises ``PluginError`` if the plugin breaks the contract."""
    return asked(task, "failed to decide on its next step", lambda: task.next_step(machine), _is_step)


def _is_step(answer: object) -> bool:
    return answer is None or (isinstance(answer, Step) and isinstance(answer.after, Machine))


def _are_texts(answer: object) -> bool:
    return isinstance(answer, tuple) and all(isinstance(each, str) for each in answer)


def _are_subjects(answer: object) -> bool:
    return isinstance(answer, frozenset) and all(isinstance(each, Subject) for each in answer)


def claims(task: Task, machine: Machine) -> tuple[Claim, ...]:
    """The UUIDs that the task claims. Raises ``PluginError`` if the plugin breaks the contract."""
    return asked(task, "failed to list its UUIDs", lambda: task.claims(machine), _are_claims)


def _are_claims(answer: object) -> bool:
    return isinstance(answer, tuple) and all(isinstance(each, Claim) for each in answer)


def outcome_of(error: SubfloorError) -> Outcome:
    """The outcome of a task that ended with an error."""
    if isinstance(error, NotVisible):
        return Outcome.NOT_VISIBLE
    return Outcome.REFUSED if isinstance(error, Refused) else Outcome.FAILED


@dataclass(frozen=True)
class Imagined:
    """A simulated play: the reports of its tasks, the machine after the last task, and the extra subjects of each."""

    reports: tuple[TaskReport, ...]
    machine: Machine
    further: tuple[frozenset[AnySubject], ...] = ()


def imagine(entries: Sequence[Entry], machine: Machine, consent: Consent, look: Look = blind) -> tuple[TaskReport, ...]:
    """The reports of ``foresee``."""
    return foresee(entries, machine, consent, look).reports


def foresee(
    entries: Sequence[Entry], machine: Machine, consent: Consent, look: Look = blind, reveal: Reveal = unrevealed
) -> Imagined:
    """What applying the play would do, starting from this machine.

    It continues after a refusal, so that the reports are complete. If only consent is lacking, it continues as if
    consent were given; after any other refusal, it continues from the machine as it is then.
    """
    reports, machines, further, found = [], [], [], machine
    for entry in entries:
        imagined = _Imagined(reveal)
        converged = converge(entry, machine, imagined.take, Outcome.WOULD_CHANGE, look)
        further.append(converged.further)
        changed = converged.machine.only(converged.machine.changed_since(machine))
        report = _except(converged.report, imagined.revealed, machine, converged.machine)
        found, machine = found.updated(imagined.revealed), converged.machine
        reports.append(_with_consent(replace(report, differences=_as_found(report, found, changed)), consent))
        machines.append(machine)
    return Imagined(_without_conflicts(entries, reports, machines, look), machine, tuple(further))


class _Imagined:
    """Takes steps by believing their promises. ``revealed``: what was seen on the filesystems that the steps mount."""

    def __init__(self, reveal: Reveal) -> None:
        self._reveal, self.revealed = reveal, Machine()

    def take(self, task: Task, step: Step, machine: Machine) -> tuple[Machine, bool]:
        seen = self._reveal(machine, step.after)
        self.revealed = self.revealed.updated(seen)
        return step.after.updated(seen), True


def _except(report: TaskReport, revealed: Machine, before: Machine, after: Machine) -> TaskReport:
    """The report without the differences that only exist because a mount of the task made existing state visible."""
    if not revealed or not report.steps:
        return report
    return replace(report, differences=differences(before.updated(revealed), after))


def _as_found(report: TaskReport, found: Machine, changed: Machine) -> tuple[Difference, ...]:
    """The differences of a report; ``before`` is None if that value was not found, but made by an earlier task."""
    if not report.differences:
        return ()
    real = differences(found, changed)
    return tuple(each if each in real else replace(each, before=None) for each in report.differences)


def _without_conflicts(
    entries: Sequence[Entry], reports: Sequence[TaskReport], machines: Sequence[Machine], look: Look
) -> tuple[TaskReport, ...]:
    """The reports. A task that undoes an earlier one is refused, since every run would change something.

    ``machines``: the machine after each task. If anything else is refused or fails, conflicts cannot be predicted.
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
    """What a task lacks on a simulated machine; empty if it is satisfied, or if that cannot be seen."""
    try:
        return _lacks(task, machine, look)
    except NotVisible:
        return ""


def _conflict(earlier: TaskReport, later: TaskReport, lacks: str) -> Refused:
    return Refused(
        f"“{later.name}” undoes “{earlier.name}”, which would then be out of sync again: {lacks}",
        advice="two tasks of the play declare different states for one thing: remove one of them, or make them agree",
    )


def _with_consent(report: TaskReport, consent: Consent) -> TaskReport:
    lacking = [loss for taken in report.steps for loss in consent.lacking(taken.step)]
    if not lacking or report.error:
        return report
    return replace(report, outcome=Outcome.REFUSED, error=consent.refusal(lacking))


def held_to_the_end(
    entries: Sequence[Entry], reports: Sequence[TaskReport], machine: Machine
) -> tuple[TaskReport, ...]:
    """The reports of a whole run. A task that was satisfied, but is not on the final machine, becomes failed."""
    return tuple(_held(entry, report, machine) for entry, report in zip(entries, reports, strict=True))


def _held(entry: Entry, report: TaskReport, machine: Machine) -> TaskReport:
    satisfied = report.outcome in (Outcome.OK, Outcome.CHANGED)
    lacks = _seen_to_lack(entry.task, machine) if entry.task and satisfied else ""
    return replace(report, outcome=Outcome.FAILED, error=_undone(report, lacks)) if lacks else report


def _seen_to_lack(task: Task, machine: Machine) -> str:
    """What a task lacks on the final machine, where everything must be visible; empty if it is satisfied."""
    try:
        return _lacks(task, machine)
    except NotVisible as error:
        return error.what


def _lacks(task: Task, machine: Machine, look: Look = blind) -> str:
    """What a task still wants to do on a machine, in words; empty if it is satisfied. Raises ``NotVisible``."""
    try:
        step = decide(task, machine, look)
    except NotVisible:
        raise
    except SubfloorError as error:
        return error.what
    return f"the next step would be “{step.says}”" if step else ""


def _undone(report: TaskReport, lacks: str) -> Unverified:
    return Unverified(
        f"“{report.name}” was applied, but at the end of the run it no longer holds: {lacks}",
        advice="another program has undone it, or one task of the play undoes another: find out which; "
        "then run the same command again",
    )
