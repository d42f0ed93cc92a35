"""Apply the plan of one host, play after play, and keep the reports so far, whatever ends the work."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from subfloor.act.apply import Executor, Plan, apply
from subfloor.act.events import Event, Interrupted, StepEnded, StepPutOff, StepStarted
from subfloor.act.prefetch import Prefetch
from subfloor.act.session import Session
from subfloor.act.watch import Watch, tell
from subfloor.act.work import Planned
from subfloor.core.engine import held_to_the_end, subjects
from subfloor.core.errors import Fault, SubfloorError
from subfloor.core.machine import Machine
from subfloor.core.outcome import HostReport, Outcome, TaskReport
from subfloor.core.task import Step

Confirm = Callable[[Step], bool] | None
"""Asks the user whether to take a step. None: all steps are taken without a question."""


class HostRun:
    """One host's part of a run. ``ended``: the report of the host; None until its work has ended."""

    def __init__(self, planned: Planned, watch: Watch, confirm: Confirm) -> None:
        self._planned, self._work, self._watch = planned, planned.work, watch
        self._executor = self._executing(*planned.ready, confirm) if planned.ready else None
        self._pending = list(planned.plan.losses) if planned.plan else []
        self._applied: Iterator[TaskReport] | None = None
        self._reports: list[TaskReport] = []
        self._doing: Step | None = None
        self.ended: HostReport | None = None

    def _executing(self, shell: Session, plan: Plan, confirm: Confirm) -> Executor:
        ahead = Prefetch(self._work.entries, plan.reports, plan.further)
        consent = self._planned.consent.to(plan.losses)
        return Executor(shell, consent, self._listen, confirm, plan.machine, ahead)

    @property
    def report(self) -> HostReport:
        """The report of the work that has ended; before that, the report of the plan."""
        return self.ended or self._planned.report

    def advance(self, play: int, check: Callable[[], None]) -> None:
        """Apply the tasks up to the end of this play. ``check`` is called before each task, and may raise ``Stopped``.

        The work ends after the host's last task, at an error, or at once if the host could not be looked at.
        """
        error: SubfloorError | None = None
        try:
            if self._executor and self._planned.plan:
                self._watch.host(self._work.host.name)
                self._apply(self._executor, self._planned.plan, self._work.up_to(play), check)
        except SubfloorError as failure:
            error = failure
        except KeyboardInterrupt:
            error = Interrupted()
        except Exception as fault:
            error = Fault(fault)
        if error or self._is_over:
            self.end(error)
        else:
            self._release()

    def end(self, error: SubfloorError | None) -> None:
        """End the work, because of an error or after its last task."""
        self._release()
        if not self._executor:
            self.ended = self._planned.report
            tell(self.ended, self._watch)
            return
        self.ended = self._report(error)
        try:
            self._watch.ended(self.ended)
        except KeyboardInterrupt:  # at the very end of this host: the next host must not start
            self.ended = replace(self.ended, error=Interrupted())

    def _release(self) -> None:
        """Release the locks, because no step follows on this host for a while."""
        if self._executor:
            with contextlib.suppress(SubfloorError, KeyboardInterrupt):
                self._executor.shell.release()

    @property
    def _is_over(self) -> bool:
        failed = any(report.error for report in self._reports)
        return failed or not self._executor or len(self._reports) == len(self._work.entries)

    def _apply(self, executor: Executor, plan: Plan, end: int, check: Callable[[], None]) -> None:
        """Apply the tasks with numbers below ``end``. After the host's last task, verify all of its tasks."""
        if self._applied is None:
            self._applied = apply(self._work.entries, self._now(executor, plan), executor)
        while len(self._reports) < end and not self._is_over:
            check()
            report = next(self._applied)
            self._reports.append(report)
            self._listen(report)
        if self._is_over:
            self._look_back(executor)

    def _look_back(self, executor: Executor) -> None:
        """If a task changed something, verify all tasks at the end: a later task may have undone an earlier one."""
        found = {report.outcome for report in self._reports}
        if Outcome.CHANGED not in found or any(report.error for report in self._reports):
            return
        machine = executor.look(subjects(self._work.entries))
        held = held_to_the_end(self._work.entries, self._reports, machine)
        undone = [report for report, before in zip(held, self._reports, strict=True) if report is not before]
        self._reports = list(held)
        for report in undone:
            self._listen(report)

    def _now(self, executor: Executor, plan: Plan) -> Machine:
        """The machine to start from: a new look if the plan has steps, since time may have passed since the plan."""
        if any(report.steps for report in plan.reports):
            return executor.look_at_all(self._work.entries)
        return plan.machine

    def _listen(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            self._doing = event.step
        elif isinstance(event, StepPutOff):
            self._doing = None
        elif isinstance(event, StepEnded):
            self._doing = None
            lost = {(loss.device, loss.node) for loss in event.step.destroys}
            self._pending = [loss for loss in self._pending if (loss.device, loss.node) not in lost]
        self._watch.event(event)

    def _report(self, error: SubfloorError | None) -> HostReport:
        consent = self._planned.consent
        unreached = tuple(entry.name for entry in self._work.entries[len(self._reports) :])
        return HostReport(
            self._work.host.name,
            tuple(self._reports),
            error=error,
            unreached=unreached,
            broke_off=self._doing,
            needed=frozenset(map(consent.word, consent.needed_for(self._pending))),
            unused=self._planned.report.unused,
            survey=self._planned.report.survey,
        )
