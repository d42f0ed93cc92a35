"""Run a job on its hosts: plan all hosts, ask once, then apply; several hosts side by side.

All hosts are looked at before anything is written. So a refusal on the last host leaves the first one unchanged,
and there is one question about the whole plan.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Protocol

from subfloor.act.ahead import Ahead
from subfloor.act.apply import Executor, Plan, apply, preflight
from subfloor.act.events import Event, Interrupted, StepEnded, StepStarted
from subfloor.act.host import Host, Shell
from subfloor.act.look import look
from subfloor.act.side_by_side import Interrupt, side_by_side
from subfloor.act.survey import survey
from subfloor.core.consent import Consent, Consents
from subfloor.core.engine import Entry, held_to_the_end, subjects
from subfloor.core.errors import Fault, Refused, SubfloorError, Unreachable
from subfloor.core.machine import Machine
from subfloor.core.outcome import HostOutcome, HostReport, Outcome, TaskReport
from subfloor.core.task import Step
from subfloor.observe.device_names import DeviceNames


@dataclass(frozen=True)
class Work:
    """The entries of all plays that concern one host, in their order."""

    host: Host
    entries: tuple[Entry, ...]


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


Approve = Callable[[Sequence[HostReport], Consents], Consents | None]
"""Receives the plan before the first write; returns the consent to apply with, or None if the user declines."""

Confirm = Callable[[Step], bool] | None
"""Asks about each step; None: nothing is asked."""

_SEVERITY = {
    HostOutcome.FAILED: 1,
    HostOutcome.UNREACHABLE: 4,
    HostOutcome.REFUSED: 3,
    HostOutcome.NEEDS_CONSENT: 5,
    HostOutcome.DRIFT: 2,
    HostOutcome.APPLIED: 0,
    HostOutcome.IN_SYNC: 0,
}
"""The exit statuses, the worst first."""

REFUSED = _SEVERITY[HostOutcome.REFUSED]
"""The exit status of a run that needs a person, and of an apply that the user declined."""


def exit_status(reports: Sequence[HostReport]) -> int:
    """The exit status of the worst outcome of any host."""
    return _SEVERITY[worst(reports)]


def worst(reports: Sequence[HostReport]) -> HostOutcome:
    """The worst outcome of any host."""
    found = {report.outcome for report in reports}
    return next((outcome for outcome in _SEVERITY if outcome in found), HostOutcome.IN_SYNC)


@dataclass(frozen=True)
class _Planned:
    """A host's work, its plan, and the open shell on the host, if there is one."""

    work: Work
    report: HostReport
    shell: Shell | None = None
    plan: Plan | None = None
    consent: Consent = field(default_factory=Consent)

    @property
    def ready(self) -> tuple[Shell, Plan] | None:
        """What apply needs; None if the host cannot be reached or looked at."""
        return (self.shell, self.plan) if self.shell and self.plan else None


def check(works: Sequence[Work], consents: Consents, watch: Watch, forks: int = 1) -> tuple[HostReport, ...]:
    """What applying would do on each host; ``forks`` hosts are looked at at the same time."""
    interrupt = Interrupt()
    with ExitStack() as open_shells:

        def checked(turn: tuple[Work, Watch]) -> HostReport:
            work, own = turn
            report = _plan(work, consents, own, open_shells, interrupt).report
            _tell(report, own)
            return report

        return side_by_side(list(zip(works, _in_turn(works, watch), strict=True)), checked, forks, interrupt)


def _in_turn(works: Sequence[Work], watch: Watch) -> list[Watch]:
    """A watch for each host, which know the order of the hosts."""
    found = [watch.on(work.host.name) for work in works]
    for own, work in zip(found, works, strict=True):
        own.host(work.host.name)
    return found


@dataclass(frozen=True)
class Applied:
    """The result of an apply. ``begun``: it started to apply; ``declined``: the user declined the plan."""

    reports: tuple[HostReport, ...]
    begun: bool = False
    declined: bool = False


def carry_out(
    works: Sequence[Work], consents: Consents, watch: Watch, approve: Approve, confirm: Confirm, forks: int = 1
) -> Applied:
    """Apply the plays to the hosts, ``forks`` at the same time, unless anything in any of them is refused."""
    interrupt = Interrupt()
    with ExitStack() as open_shells:

        def planned(work: Work) -> _Planned:
            return _plan(work, consents, watch.on(work.host.name), open_shells, interrupt)

        plans = side_by_side(works, planned, forks, interrupt)
        reports = tuple(planned.report for planned in plans)
        if _changes(reports) and not interrupt.is_set():
            resolved = {planned.work.host.name: planned.consent for planned in plans}
            granted = _granted(approve, reports, resolved)
            if granted is None:
                return Applied(reports, declined=True)
            if granted != resolved:
                plans = tuple(_planned_again(planned, granted[planned.work.host.name], watch) for planned in plans)
        if not _all_stand(plans):
            for each in plans:
                _tell(each.report, watch)
            return Applied(tuple(each.report for each in plans))
        return Applied(_acted(plans, watch, confirm, forks, interrupt), begun=True)


def _granted(approve: Approve, reports: Sequence[HostReport], consents: Consents) -> Consents | None:
    try:
        return approve(reports, consents)
    except KeyboardInterrupt:
        return None


def _plan(work: Work, consents: Consents, watch: Watch, open_shells: ExitStack, interrupt: Interrupt) -> _Planned:
    if interrupt.is_set():
        return _Planned(work, _not_begun(work))
    try:
        watch.planning(work.host.name)
        shell = open_shells.enter_context(work.host.shell(interrupt))
        plan = preflight(work.entries, shell, consents.get(work.host.name, Consent()), watch.event)
        _check_named(shell, plan.consent, plan)
        return _seen(work, shell, plan, plan.consent)
    except SubfloorError as error:
        return _Planned(work, _without_tasks(work, error))
    except KeyboardInterrupt:
        interrupt.set()
        return _Planned(work, _without_tasks(work, Interrupted("interrupted before anything was changed")))


def _planned_again(planned: _Planned, consent: Consent, watch: Watch) -> _Planned:
    if not planned.ready:
        return planned
    shell, _ = planned.ready
    watch.planning(planned.work.host.name)
    try:
        return _seen(planned.work, shell, preflight(planned.work.entries, shell, consent, watch.event), consent)
    except SubfloorError as error:
        return _Planned(planned.work, _without_tasks(planned.work, error))


def _check_named(shell: Shell, consent: Consent, plan: Plan) -> None:
    """Raise ``Refused`` if consent names a device that the host does not have."""
    known = {name for name, _ in consent.nodes} | consent.needed_for(plan.losses)
    for name in sorted(consent.devices - known):
        present = look(shell, {DeviceNames()})[DeviceNames()]
        close = difflib.get_close_matches(name, [*(loss.device for loss in plan.losses), *present], n=1, cutoff=0.75)
        raise Refused(
            f"--destroy {consent.word(name)}: there is no such device",
            advice=f"did you mean {close[0]}?" if close else "name a device that exists; lsblk lists them",
        )


def _seen(work: Work, shell: Shell, plan: Plan, consent: Consent) -> _Planned:
    unused = sorted(consent.devices - consent.needed_for(plan.losses))
    words = tuple(map(consent.word, unused))
    report = HostReport(work.host.name, plan.reports, unused=words, survey=survey(work.entries, plan))
    return _Planned(work, report, shell, plan, consent)


def _without_tasks(work: Work, error: SubfloorError) -> HostReport:
    return HostReport(work.host.name, error=error, unreachable=isinstance(error, Unreachable))


def _not_begun(work: Work) -> HostReport:
    names = tuple(entry.name for entry in work.entries)
    return HostReport(work.host.name, error=Interrupted("interrupted before this host's turn"), unreached=names)


def _tell(report: HostReport, watch: Watch) -> None:
    watch.host(report.host)
    for each in report.tasks:
        watch.event(each)
    watch.ended(report)


def _changes(reports: Sequence[HostReport]) -> bool:
    return any(each.steps for report in reports for each in report.tasks)


def _all_stand(plans: Sequence[_Planned]) -> bool:
    """Whether every plan can be applied; a host that cannot be reached does not stop the others."""
    return all(planned.plan.stands if planned.plan else planned.report.unreachable for planned in plans)


def _acted(
    plans: Sequence[_Planned], watch: Watch, confirm: Confirm, forks: int, interrupt: Interrupt
) -> tuple[HostReport, ...]:
    def acted(turn: tuple[_Planned, Watch]) -> HostReport:
        planned, own = turn
        if interrupt.is_set() or not planned.ready:
            report = _not_begun(planned.work) if interrupt.is_set() else planned.report
            _tell(report, own)
            return report
        report = _Acted(planned, *planned.ready, own, confirm).run()
        if _was_interrupted(report):
            interrupt.set()
        return report

    turns = _in_turn([planned.work for planned in plans], watch)
    return side_by_side(list(zip(plans, turns, strict=True)), acted, forks, interrupt)


def _was_interrupted(report: HostReport) -> bool:
    return any(isinstance(error, Interrupted) for error in (report.error, *(each.error for each in report.tasks)))


class _Acted:
    """Applies the plan of one host, and keeps the reports so far, whatever ends the work."""

    def __init__(self, planned: _Planned, shell: Shell, plan: Plan, watch: Watch, confirm: Confirm) -> None:
        self._work, self._plan, self._watch = planned.work, plan, watch
        self._consent, self._unused, self._survey = planned.consent, planned.report.unused, planned.report.survey
        self._pending = list(plan.losses)
        ahead = Ahead(planned.work.entries, plan.reports, plan.further)
        self._executor = Executor(shell, self._consent.to(self._pending), self._listen, confirm, plan.machine, ahead)
        self._reports: list[TaskReport] = []
        self._doing: Step | None = None

    def run(self) -> HostReport:
        error: SubfloorError | None = None
        try:
            self._watch.host(self._work.host.name)
            for report in apply(self._work.entries, self._now(), self._executor):
                self._reports.append(report)
                self._listen(report)
            self._look_back()
        except SubfloorError as failure:
            error = failure
        except KeyboardInterrupt:
            error = Interrupted()
        except Exception as fault:
            error = Fault(fault)
        with contextlib.suppress(SubfloorError, KeyboardInterrupt):
            self._executor.shell.release()
        ended = self._report(error)
        try:
            self._watch.ended(ended)
        except KeyboardInterrupt:  # at the very end of this host: the next host must not start
            ended = replace(ended, error=Interrupted())
        return ended

    def _look_back(self) -> None:
        """If a task changed something, verify all tasks at the end: a later task may have undone an earlier one."""
        found = {report.outcome for report in self._reports}
        if Outcome.CHANGED not in found or any(report.error for report in self._reports):
            return
        machine = self._executor.look(subjects(self._work.entries))
        held = held_to_the_end(self._work.entries, self._reports, machine)
        undone = [report for report, before in zip(held, self._reports, strict=True) if report is not before]
        self._reports = list(held)
        for report in undone:
            self._listen(report)

    def _now(self) -> Machine:
        """The machine, looked at again if time has passed with questions or with the work on other hosts."""
        if any(report.steps for report in self._plan.reports):
            return self._executor.look_at_all(self._work.entries)
        return self._plan.machine

    def _listen(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            self._doing = event.step
        elif isinstance(event, StepEnded):
            self._doing = None
            lost = {(loss.device, loss.node) for loss in event.step.destroys}
            self._pending = [loss for loss in self._pending if (loss.device, loss.node) not in lost]
        self._watch.event(event)

    def _report(self, error: SubfloorError | None) -> HostReport:
        unreached = tuple(entry.name for entry in self._work.entries[len(self._reports) :])
        return HostReport(
            self._work.host.name,
            tuple(self._reports),
            error=error,
            unreached=unreached,
            broke_off=self._doing,
            needed=frozenset(map(self._consent.word, self._consent.needed_for(self._pending))),
            unused=self._unused,
            survey=self._survey,
        )
