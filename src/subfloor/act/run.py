"""Run a job on its hosts: plan all hosts, ask once, then apply; several hosts side by side.

All hosts are looked at before anything is written. So a refusal on the last host leaves the first one unchanged,
and there is one question about the whole plan.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from subfloor.act.apply import Plan, preflight
from subfloor.act.events import Interrupted
from subfloor.act.host_run import Confirm, HostRun
from subfloor.act.look import look
from subfloor.act.parallel import Interrupt, in_parallel
from subfloor.act.rolling import roll_out
from subfloor.act.session import Session
from subfloor.act.survey import survey
from subfloor.act.watch import Watch, tell
from subfloor.act.work import Planned, Work
from subfloor.core.consent import Consent, Consents
from subfloor.core.errors import Refused, SubfloorError, Unreachable
from subfloor.core.outcome import HostOutcome, HostReport
from subfloor.core.rollout import Batch
from subfloor.observe.device_names import DeviceNames

Approve = Callable[[Sequence[HostReport], Consents], Consents | None]
"""Receives the plan before the first write; returns the consent to apply with, or None if the user declines."""

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


def check(works: Sequence[Work], consents: Consents, watch: Watch, forks: int = 1) -> tuple[HostReport, ...]:
    """The plan of each host, as a report. ``forks``: how many hosts are planned at the same time."""
    interrupt = Interrupt()
    with ExitStack() as open_shells:

        def checked(turn: tuple[Work, Watch]) -> HostReport:
            work, own = turn
            report = _plan(work, consents, own, open_shells, interrupt).report
            tell(report, own)
            return report

        return in_parallel(list(zip(works, _in_turn(works, watch), strict=True)), checked, forks, interrupt)


def _in_turn(works: Sequence[Work], watch: Watch) -> list[Watch]:
    """A watch for each host. Calling ``host`` on all of them first fixes the order in which the hosts are shown."""
    found = [watch.on(work.host.name) for work in works]
    for own, work in zip(found, works, strict=True):
        own.host(work.host.name)
    return found


@dataclass(frozen=True)
class Applied:
    """The result of an apply. ``begun``: whether work on the hosts began. ``declined``: the user declined the plan."""

    reports: tuple[HostReport, ...]
    begun: bool = False
    declined: bool = False


def carry_out(
    works: Sequence[Work],
    consents: Consents,
    watch: Watch,
    approve: Approve,
    confirm: Confirm,
    forks: int = 1,
    batches: Sequence[Batch] = (),
) -> Applied:
    """Plan all hosts, ask for approval, and apply; ``forks`` hosts at the same time.

    If any task on any host is refused or fails in its plan, nothing is applied. ``batches``: the batches, one after
    another; if there are none, all hosts are one batch.
    """
    interrupt = Interrupt()
    with ExitStack() as open_shells:

        def planned(work: Work) -> Planned:
            return _plan(work, consents, watch.on(work.host.name), open_shells, interrupt)

        plans = in_parallel(works, planned, forks, interrupt)
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
                tell(each.report, watch)
            return Applied(tuple(each.report for each in plans))
        return Applied(_acted(plans, batches, watch, confirm, forks, interrupt), begun=True)


def _granted(approve: Approve, reports: Sequence[HostReport], consents: Consents) -> Consents | None:
    try:
        return approve(reports, consents)
    except KeyboardInterrupt:
        return None


def _plan(work: Work, consents: Consents, watch: Watch, open_shells: ExitStack, interrupt: Interrupt) -> Planned:
    if interrupt.is_set():
        return Planned(work, _not_begun(work))
    try:
        watch.planning(work.host.name)
        shell = open_shells.enter_context(work.host.shell(interrupt))
        plan = preflight(work.entries, shell, consents.get(work.host.name, Consent()), watch.event, work.depth)
        _check_named(shell, plan.consent, plan)
        return _seen(work, shell, plan, plan.consent)
    except SubfloorError as error:
        return Planned(work, _without_tasks(work, error))
    except KeyboardInterrupt:
        interrupt.set()
        return Planned(work, _without_tasks(work, Interrupted("interrupted before anything was changed")))


def _planned_again(planned: Planned, consent: Consent, watch: Watch) -> Planned:
    if not planned.ready:
        return planned
    shell, _ = planned.ready
    watch.planning(planned.work.host.name)
    try:
        work = planned.work
        return _seen(work, shell, preflight(work.entries, shell, consent, watch.event, work.depth), consent)
    except SubfloorError as error:
        return Planned(planned.work, _without_tasks(planned.work, error))


def _check_named(shell: Session, consent: Consent, plan: Plan) -> None:
    """Raise ``Refused`` if consent names a device that the host does not have."""
    known = {name for name, _ in consent.nodes} | consent.needed_for(plan.losses)
    for name in sorted(consent.devices - known):
        present = look(shell, {DeviceNames()})[DeviceNames()]
        close = difflib.get_close_matches(name, [*(loss.device for loss in plan.losses), *present], n=1, cutoff=0.75)
        raise Refused(
            f"--destroy {consent.word(name)}: there is no such device",
            advice=f"did you mean {close[0]}?" if close else "name a device that exists; lsblk lists them",
        )


def _seen(work: Work, shell: Session, plan: Plan, consent: Consent) -> Planned:
    unused = sorted(consent.devices - consent.needed_for(plan.losses))
    words = tuple(map(consent.word, unused))
    found = survey(work.entries, plan)
    report = HostReport(work.host.name, plan.reports, unused=words, survey=found, unmounted=plan.unmounted)
    return Planned(work, report, shell, plan, consent)


def _without_tasks(work: Work, error: SubfloorError) -> HostReport:
    return HostReport(work.host.name, error=error, unreachable=isinstance(error, Unreachable))


def _not_begun(work: Work) -> HostReport:
    names = tuple(entry.name for entry in work.entries)
    return HostReport(work.host.name, error=Interrupted("interrupted before this host's turn"), unreached=names)


def _changes(reports: Sequence[HostReport]) -> bool:
    return any(each.steps for report in reports for each in report.tasks)


def _all_stand(plans: Sequence[Planned]) -> bool:
    """Whether every plan can be applied; a host that cannot be reached does not stop the others."""
    return all(planned.plan.stands if planned.plan else planned.report.unreachable for planned in plans)


def _acted(
    plans: Sequence[Planned],
    batches: Sequence[Batch],
    watch: Watch,
    confirm: Confirm,
    forks: int,
    interrupt: Interrupt,
) -> tuple[HostReport, ...]:
    turns = _in_turn([planned.work for planned in plans], watch)
    runs = {each.work.host.name: HostRun(each, own, confirm) for each, own in zip(plans, turns, strict=True)}
    everything = Batch(tuple(runs), max((number for each in plans for number in each.work.plays), default=0))
    roll_out(batches or [everything], runs, forks, interrupt)
    return tuple(run.report for run in runs.values())
