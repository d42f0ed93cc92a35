"""The commands ``check`` and ``apply``: read the job, run it, ask, report, and return the exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from subfloor.act.apply import Depth
from subfloor.act.host_run import Confirm
from subfloor.act.run import REFUSED, Applied, Approve, carry_out, exit_status, worst
from subfloor.act.run import check as check_hosts
from subfloor.act.this_machine import this_machine
from subfloor.act.watch import CombinedWatch, Watch
from subfloor.cli.files import Ended, check_writable, logged, save
from subfloor.cli.problems import save_problem
from subfloor.cli.resume import REHEARSED, command_line
from subfloor.cli.signals import interruptible
from subfloor.core.consent import Consents, given
from subfloor.core.outcome import HostOutcome, HostReport
from subfloor.playbook.job import Job, Request, read_job
from subfloor.report.live import Live, Silent
from subfloor.report.run import Run
from subfloor.report.screen import Screen, outcome_of, standard, style_for

if TYPE_CHECKING:
    from subfloor.cli.asking import Terminal
    from subfloor.report.log import Log


@dataclass(frozen=True)
class RunOptions:
    """The options of a run and its report. ``argv`` are the arguments that were typed."""

    argv: tuple[str, ...]
    diff: bool = False
    verbose: bool = False
    json: bool = False
    reports: tuple[Path, ...] = ()
    log: Path | None = None
    destroy: tuple[str, ...] = ()
    yes: bool = False
    step: bool = False
    traceback: bool = False
    save_plan: Path | None = None
    plan: Path | None = None
    forks: int = 1
    shallow: bool = False

    def consents(self, job: Job) -> Consents:
        """The consent that was given, by host. Raises ``click.UsageError``."""
        try:
            return given(self.destroy, [work.host.name for work in job.works])
        except ValueError as error:
            raise click.UsageError(f"--destroy {error}. Nothing was touched") from error


class _RunOutput:
    """The output of a run: to the screen, to the log, and as documents."""

    def __init__(self, manner: RunOptions, log: Log | None) -> None:
        stream = standard()
        self._manner = manner
        self._log = log
        self.style = style_for(stream, diff=manner.diff, commands=manner.verbose)
        self.screen = Screen(stream)
        watch: Watch = Silent() if manner.json else Live(self.screen, self.style)
        self.watch: Watch = CombinedWatch(log, watch) if log else watch

    def finish(self, command: str, job: Job, reports: Sequence[HostReport], *, declined: bool = False) -> int:
        """Write the documents and tracebacks at the end of a run; returns the exit status that they show."""
        status = REFUSED if declined else exit_status(reports)
        if self._manner.json or self._manner.reports:
            outcome = "declined" if declined else str(worst(reports))
            self._documents(Run(command, status, outcome, job.play, tuple(reports)))
        if self._manner.traceback:
            _print_tracebacks(reports)
        return status

    def _documents(self, run: Run) -> None:
        from subfloor.report.formats import render
        from subfloor.report.json import dumps

        if self._manner.json:
            self.screen.write(dumps(run, ascii=not self.style.unicode))
        for path in self._manner.reports:
            save(path, render(run, path.suffix))

    def say(self, line: str) -> None:
        """Print a line about the whole run; not with JSON output."""
        if not self._manner.json:
            self.screen.print(self.style.lines(line, ""))

    def outcome(self, status: int) -> int:
        """The exit status. If the output or the log could not be written, it shows a failure."""
        return outcome_of(self.screen, status, self._log.complaint if self._log else "")


def check(request: Request, manner: RunOptions) -> int:
    """Report what apply would change; returns the exit status."""
    return to_its_end("check", manner, lambda log: _check(request, manner, log))


def _check(request: Request, manner: RunOptions, log: Log | None) -> Ended:
    job = read_job(request, disks_here, this_machine)
    with interruptible():
        telling = _RunOutput(manner, log)
        depth: Depth = "shallow" if manner.shallow else "deep"
        works = [replace(work, depth=depth) for work in job.works]
        reports = check_hosts(works, manner.consents(job), telling.watch, manner.forks)
        status = telling.finish("check", job, reports)
        if manner.save_plan:
            run = Run("check", status, str(worst(reports)), job.play, reports)
            _save_plan(manner.save_plan, run, deep=not manner.shallow)
    return Ended(telling.outcome(status))


def _save_plan(path: Path, run: Run, *, deep: bool) -> None:
    """Save the plan of a check. If the check failed, report that no plan was saved. Raises ``OSError``."""
    from subfloor.report import plan

    if run.outcome in (HostOutcome.FAILED, HostOutcome.UNREACHABLE):
        lines = (f"no plan was saved to {path}: the check failed", "  → resolve what it reports, then check again")
        Screen(sys.stderr).print(lines)
    else:
        save(path, plan.dumps(run, deep=deep))


def apply(request: Request, manner: RunOptions) -> int:
    """Apply the playbook after the user has agreed; returns the exit status."""
    return to_its_end("apply", manner, lambda log: _apply(request, manner, log))


def _apply(request: Request, manner: RunOptions, log: Log | None) -> Ended:
    job = read_job(request, disks_here, this_machine)
    terminal = terminal_of(manner)
    approve, confirm = _asking(terminal, manner)
    if manner.plan:
        from subfloor.cli.planning import approving, confirming, read_plan

        plan = read_plan(manner.plan)
        approve, confirm = approving(plan), confirming(plan, confirm)
        if plan.is_deep:  # the new plan is compared with this one, so it is made in the same way
            job = replace(job, works=tuple(replace(work, depth="deep") for work in job.works))
    return carried_out("apply", job, manner, log, approve, confirm)


def carried_out(
    command: str, job: Job, manner: RunOptions, log: Log | None, approve: Approve, confirm: Confirm
) -> Ended:
    """Carry out a job if ``approve`` agrees to its plan, and report it. ``command``: the command that was typed."""
    manner = replace(manner, argv=tuple(map(job.without_secrets, manner.argv)))
    with interruptible():
        telling = _RunOutput(manner, log)
        asked = _noted(approve, log)
        applied = carry_out(job.works, manner.consents(job), telling.watch, asked, confirm, manner.forks, job.batches)
        _conclude(applied, manner, telling)
        status = telling.finish(command, job, applied.reports, declined=applied.declined)
    return Ended(telling.outcome(status), _needed(applied))


def to_its_end(command: str, manner: RunOptions, run: Callable[[Log | None], Ended]) -> int:
    """Run a command with its log and its reports, which are written even if it fails; returns the exit status.

    Raises ``click.UsageError`` if a file cannot be written, before the command runs.
    """
    for path in manner.reports:
        check_writable(path, "--report")
    check_writable(manner.save_plan, "--save-plan")
    try:
        ended = logged(manner.log, command, manner.argv, run) if manner.log else run(None)
    except Exception as error:
        for path in manner.reports:
            save_problem(path, command, error)
        raise
    return ended.status


def _noted(approve: Approve, log: Log | None) -> Approve:
    """An ``approve`` that logs the consent before anything is applied."""

    def noted(reports: Sequence[HostReport], consents: Consents) -> Consents | None:
        granted = approve(reports, consents)
        if log and granted is not None:
            log.agreed(consent.word(name) for consent in granted.values() for name in consent.devices)
        return granted

    return noted


def _needed(applied: Applied) -> frozenset[str]:
    """The words of consent that a resumed run needs again."""
    return frozenset().union(*(report.needed for report in applied.reports))


def _conclude(applied: Applied, manner: RunOptions, telling: _RunOutput) -> None:
    """The last lines of an apply that did not succeed."""
    if applied.declined:
        telling.say("Declined: nothing was touched.")
    elif not applied.begun:
        telling.say("Nothing was touched.")
    elif not manner.json:
        from subfloor.report import text

        again = os.environ.get(REHEARSED) or command_line(manner.argv, _needed(applied))
        for report in applied.reports:
            if _broke_off(report):
                telling.screen.print(text.ending(report, again, telling.style))


def _broke_off(report: HostReport) -> bool:
    return not report.unreachable and bool(report.error or any(each.error for each in report.tasks))


def _asking(terminal: Terminal | None, manner: RunOptions) -> tuple[Approve, Confirm]:
    """The functions that ask about the plan and about each step."""
    if terminal is None:
        return _as_given, None
    approve = _as_given if manner.yes else terminal.approve
    return approve, terminal.confirm if manner.step else None


def _as_given(reports: Sequence[HostReport], consents: Consents) -> Consents:
    return consents


def terminal_of(manner: RunOptions) -> Terminal | None:
    """The terminal to ask on. None with JSON output, if standard input is no terminal, or if no output is one.

    Raises ``click.UsageError`` if there is none, and ``--step`` was given.
    """
    screens = [stream for stream in (sys.stdout, sys.stderr) if stream and stream.isatty()]
    if manner.json or not (sys.stdin and sys.stdin.isatty() and screens):
        if manner.step:
            raise click.UsageError("--step asks before each step, but there is no terminal to ask on")
        return None
    from subfloor.cli.asking import Terminal

    style = style_for(screens[0], diff=manner.diff, commands=manner.verbose)
    return Terminal(Screen(screens[0]), style, sys.stdin.readline, every_step=manner.step)


def disks_here() -> Sequence[str]:
    """The disks of this machine, in words."""
    from subfloor.act.host import Host
    from subfloor.act.look import look
    from subfloor.core.errors import SubfloorError
    from subfloor.observe.disk import Disk, Missing

    nowhere = Disk("/dev/disk/none")
    try:
        with Host().shell() as shell:
            seen = look(shell, {nowhere})[nowhere]
    except SubfloorError:
        return ()
    return seen.present if isinstance(seen, Missing) else ()


def _print_tracebacks(reports: Sequence[HostReport]) -> None:
    import traceback

    for report in reports:
        for error in (report.error, *(each.error for each in report.tasks)):
            if error:
                traceback.print_exception(error)
