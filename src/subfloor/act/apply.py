"""Apply a play: lock, look again, run the commands of each step, and verify the result."""

from __future__ import annotations

import contextlib
import shlex
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from subfloor.act.causes import with_causes
from subfloor.act.device_guard import check_as_shown, check_same_disks, disk_of, remembering
from subfloor.act.duplicate_names import refuse_duplicate_names
from subfloor.act.duplicate_uuids import claimed, refuse_duplicate_uuids
from subfloor.act.host import Result, Shell
from subfloor.act.look import look
from subfloor.core.consent import Consent
from subfloor.core.engine import Entry, Look, converge, foresee, outcome_of, subjects
from subfloor.core.errors import CommandFailed, Refused, SubfloorError, Unverified
from subfloor.core.machine import AnySubject, Machine, broken_promises
from subfloor.core.outcome import Outcome, TaskReport
from subfloor.core.task import Command, Loss, Step, Task
from subfloor.observe.block_uuids import BlockUuids
from subfloor.observe.open_partitions import DeviceUser, DeviceUsers
from subfloor.observe.tool import Privilege, Tool

_ANOTHER_TRY = 0.5
"""Seconds in which a failed command is repeated if no program is seen to have its devices open."""

_PATIENCE = 10.0
"""Seconds until verification must succeed: the kernel and udev need some time."""


@dataclass(frozen=True)
class Looked:
    """A number of subjects was looked at in one script; ``seconds`` is how long that took."""

    subjects: int
    seconds: float


@dataclass(frozen=True)
class TaskStarted:
    """A task starts: it will be asked for its steps."""

    name: str


@dataclass(frozen=True)
class LockAwaited:
    """The next step waits for a lock that another program holds."""

    what: str
    holders: tuple[str, ...]


@dataclass(frozen=True)
class StepStarted:
    """A step's commands are about to run."""

    step: Step


@dataclass(frozen=True)
class StepEnded:
    """A step was taken and verified."""

    step: Step


@dataclass(frozen=True)
class CommandRunning:
    """A command has run for ``seconds``, 0 when it starts; ``says``: the last line that it printed."""

    command: Command
    seconds: float
    says: str = ""


@dataclass(frozen=True)
class CommandEnded:
    """A command has ended."""

    command: Command
    result: Result


Event = Looked | TaskStarted | LockAwaited | StepStarted | StepEnded | CommandRunning | CommandEnded | TaskReport
Listen = Callable[[Event], None]


class Interrupted(SubfloorError):
    """The run was interrupted by Ctrl-C, SIGTERM or SIGHUP."""

    def __init__(self, what: str = "interrupted") -> None:
        super().__init__(what, advice="no data is lost: run the same command again to resume")


class Declined(SubfloorError):
    """The user was asked about a step and declined it."""


@dataclass(frozen=True)
class Plan:
    """What applying a play would do, task by task, on the machine that was seen.

    ``planned``: the machine after all steps that are not refused for another reason than missing consent.
    """

    machine: Machine
    reports: tuple[TaskReport, ...]
    planned: Machine = field(default_factory=Machine)

    @property
    def stands(self) -> bool:
        """Whether no task in it is refused or fails."""
        return not any(report.outcome in (Outcome.REFUSED, Outcome.FAILED) for report in self.reports)

    @property
    def losses(self) -> tuple[Loss, ...]:
        """The losses of all its steps."""
        return tuple(loss for report in self.reports for taken in report.steps for loss in taken.step.destroys)


def _ignore(event: Event) -> None:
    """Ignores the event."""


def _looked(shell: Shell, wanted: Iterable[AnySubject], listen: Listen) -> Machine:
    subjects = frozenset(wanted)
    start = time.monotonic()
    machine = look(shell, subjects)
    if subjects:
        listen(Looked(len(subjects), time.monotonic() - start))
    return machine


def preflight(entries: Sequence[Entry], shell: Shell, consent: Consent, listen: Listen = _ignore) -> Plan:
    """Look once and simulate the whole play; missing programs and missing rights are found here too."""
    machine = _looked(shell, subjects(entries), listen)
    imagined = foresee(entries, machine, consent, _remembering(shell, listen))
    reports = refuse_duplicate_names(entries, machine, imagined.reports)
    own = claimed(entries, machine, reports)
    carriers = BlockUuids()
    seen = _looked(shell, _wanted(reports) | ({carriers} if any(own) else set()), listen)
    reports = refuse_duplicate_uuids(own, seen.get(carriers, ()), reports)
    reports = with_causes(entries, tuple(_with_demands(report, seen) for report in reports))
    return Plan(machine, reports, imagined.machine)


def _wanted(reports: Iterable[TaskReport]) -> set[AnySubject]:
    """What the commands of these reports need; it is looked at before the first command runs."""
    commands = [command for report in reports for command in _commands(report)]
    demands = {demand for command in commands for demand in command.demands}
    return {Privilege(), *demands, *(Tool(command.argv[0]) for command in commands)} if commands else set()


def _remembering(shell: Shell, listen: Listen) -> Look:
    """Looks at what a task asks for, each subject once: nothing changes while a plan is made."""
    seen = Machine()

    def look(subjects: Iterable[AnySubject]) -> Machine:
        nonlocal seen
        wanted = frozenset(subjects)
        seen = seen.updated(_looked(shell, wanted - seen.keys(), listen))
        return seen.only(wanted)

    return look


def _commands(report: TaskReport) -> Iterator[Command]:
    return (command for taken in report.steps for command in taken.step.commands)


def _with_demands(report: TaskReport, seen: Machine) -> TaskReport:
    """The report, refused if a program, a right or anything else that its commands need is missing."""
    if report.error or not report.steps:
        return report
    error = _lacking(tuple(_commands(report)), seen)
    return replace(report, outcome=Outcome.REFUSED, error=error) if error else report


def _lacking(commands: tuple[Command, ...], seen: Machine) -> Refused | None:
    if not seen[Privilege()]:
        return Refused("its commands need root", advice="run this as root")
    if missing := sorted({command.argv[0] for command in commands if not seen[Tool(command.argv[0])]}):
        return Refused(
            f"{', '.join(missing)} is not installed",
            advice="install the package that has it (on Debian `apt install PACKAGE`, on NixOS "
            "`nix-shell -p PACKAGE`), then run this again",
        )
    for command in commands:
        for why in filter(None, (seen[demand] for demand in command.demands)):
            return Refused(
                f"`{shlex.join(command.argv)}` would fail: {why}",
                advice="change what the task declares (its size, its options), then run this again",
            )
    return None


def apply(
    entries: Sequence[Entry],
    machine: Machine,
    executor: Executor,
) -> Iterator[TaskReport]:
    """Apply the play, task by task, from what was seen; it ends at the first task that does not succeed."""
    for entry in entries:
        executor.listen(TaskStarted(entry.name))
        try:
            machine = executor.up_to_date(entry.task, machine)
            converged = converge(entry, machine, executor.take, Outcome.CHANGED, executor.look_further)
        except SubfloorError as error:
            yield TaskReport(entry.name, entry.key, outcome_of(error), error=error)
            return
        except KeyboardInterrupt:
            yield TaskReport(entry.name, entry.key, Outcome.FAILED, error=Interrupted())
            return
        machine, report = converged.machine, converged.report
        if isinstance(report.error, Declined):
            report = replace(report, outcome=Outcome.SKIPPED, error=None, note="declined")
        yield report
        if report.error:
            return


class Executor:
    """Takes steps on a host. Remembers which subjects were seen since the last command ran.
    Everything seen before is out of date, since no promise describes everything that a command does."""

    def __init__(
        self,
        shell: Shell,
        consent: Consent,
        listen: Listen = _ignore,
        confirm: Callable[[Step], bool] = lambda step: True,
        planned: Machine | None = None,
    ) -> None:
        """``planned``: the machine that was seen when the plan was made and shown."""
        self.shell, self.consent, self.listen, self.confirm = shell, consent, listen, confirm
        self._planned = Machine() if planned is None else planned
        self._changed: frozenset[AnySubject] = frozenset()
        self._fresh: frozenset[AnySubject] | None = None  # None: no command has run yet, everything is up to date
        self._further = Machine()  # the extra subjects that the task asked for to decide on its next step

    def look(self, subjects: Iterable[AnySubject]) -> Machine:
        """The current state of the subjects. Raises as ``act.look.look``."""
        return _looked(self.shell, subjects, self.listen)

    def look_further(self, subjects: Iterable[AnySubject]) -> Machine:
        """The current state of the extra subjects that a task needs to decide on its next step."""
        seen = self.look(subjects)
        self._further = self._further.updated(seen)
        return seen

    def up_to_date(self, task: Task | None, machine: Machine) -> Machine:
        """The machine, after a new look at those subjects of the task that a command may have changed.

        Raises ``Refused`` if one of its disks is not the disk that was planned for.
        """
        self._further = Machine()
        if task is None:
            return machine
        if self._fresh is not None:
            stale = task.subjects() - self._fresh
            self._fresh |= stale
            machine = machine.updated(remembering(machine, self.look(stale)))
        check_same_disks(self._planned, machine.only(task.subjects()))
        return machine

    def take(self, task: Task, step: Step, machine: Machine) -> tuple[Machine, bool]:
        """Take the step, unless the machine has changed since the step was decided.

        Raises ``Refused`` (no consent; not what was shown; locked by another program), ``CommandFailed``,
        ``Unverified``, ``Declined``, ``Interrupted``.
        """
        if lacking := self.consent.lacking(step):
            raise self.consent.refusal(lacking)
        for loss in step.destroys:
            if disk_of(loss) not in self._changed:
                check_as_shown(loss, self._planned, machine)
        if not self.confirm(step):
            raise Declined(f"“{step.says}” was declined", advice="run the same command again to be asked again")
        try:
            with self.shell.locked(step.locks, self._wait):
                return self._taken(task, step, machine)
        except KeyboardInterrupt as error:
            raise Interrupted() from error

    def _wait(self, what: str, holders: Sequence[str]) -> None:
        self.listen(LockAwaited(what, tuple(holders)))

    def _taken(self, task: Task, step: Step, machine: Machine) -> tuple[Machine, bool]:
        further, self._further = self._further, Machine()
        seen = self.look(task.subjects() | further.keys())
        now = machine.updated(remembering(machine, seen.only(task.subjects())))
        check_same_disks(self._planned, now.only(task.subjects()))
        if now != machine or seen.only(further) != further:
            return now, False
        self._fresh = frozenset()
        self._changed |= _changed(machine, step.after)
        self.listen(StepStarted(step))
        for command in step.commands:
            self._run(command)
        seen = self._verified(task, step, machine)
        self._fresh = frozenset(seen)
        self.listen(StepEnded(step))
        return machine.updated(remembering(step.after, seen)), True

    def _run(self, command: Command) -> None:
        start = time.monotonic()
        for pause in _pauses():
            waited = time.monotonic() - start
            result = self._ran(command)
            if command.went_well(result.status):
                return
            openers = self._openers(command)
            # What had it open may have closed it since the command failed. So the time counts to the command's start.
            if waited >= (command.patience if openers else min(command.patience, _ANOTHER_TRY)):
                raise _failure(command, result, openers)
            time.sleep(pause)

    def _openers(self, command: Command) -> tuple[DeviceUser, ...]:
        """The programs that have open what the command needs, as far as that can be seen."""
        subject = DeviceUsers(command.needs)
        return look(self.shell, {subject})[subject] if command.needs else ()

    def _ran(self, command: Command) -> Result:
        self.listen(CommandRunning(command, 0.0))
        try:
            result = self.shell.run(
                command.argv,
                stdin=command.stdin,
                timeout=command.timeout,
                env=command.env,
                tick=lambda seconds, says: self.listen(CommandRunning(command, seconds, says)),
            )
        except KeyboardInterrupt as error:
            raise Interrupted(f"interrupted; `{shlex.join(command.argv)}` was stopped") from error
        self.listen(CommandEnded(command, result))
        return result

    def _verified(self, task: Task, step: Step, before: Machine) -> Machine:
        concerned = task.subjects() | _changed(before, step.after)
        deadline = time.monotonic() + max(_PATIENCE, step.patience)
        for pause in _pauses():
            seen = self.look(concerned)
            broken = broken_promises(step.after.only(concerned), seen)
            if not broken:
                break
            if time.monotonic() > deadline:
                listed = "; ".join(each.unmet for each in broken)
                raise Unverified(
                    f"“{step.says}” was applied, but verification failed: {listed}",
                    advice="run the same command again; if it fails again, report it with these lines",
                )
            time.sleep(pause)
        return seen


def _pauses() -> Iterator[float]:
    """Seconds between two tries: each pause is twice as long as the one before, up to 1 s."""
    pause = 0.02
    while True:
        yield pause
        pause = min(2 * pause, 1.0)


def _changed(before: Machine, after: Machine) -> frozenset[AnySubject]:
    return frozenset(subject for subject in after if before.get(subject) != after[subject])


def _failure(command: Command, result: Result, openers: Sequence[DeviceUser]) -> CommandFailed:
    said = _excerpt((result.stderr or result.stdout).decode("utf-8", "replace").strip().splitlines())
    return CommandFailed(
        f"`{shlex.join(command.argv)}` {_how_it_ended(result.status)}"
        + (":\n    " + "\n    ".join(said) if said else ", and printed nothing")
        + "".join(f"\n    {opener}" for opener in openers),
        advice=f"{command.advice or 'fix what it reports'}, then run the same command again to resume",
    )


def _excerpt(lines: list[str]) -> list[str]:
    """The beginning and the end of a program's output, since some print the reason first and explain it later."""
    return lines if len(lines) <= 2 * _SHOWN else [*lines[:_SHOWN], "…", *lines[-_SHOWN:]]


_SHOWN = 6


def _how_it_ended(status: int) -> str:
    """For a program ended by a signal, the shell's status is 128 and the signal's number (POSIX.1, XCU 2.8.2)."""
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(status - 128).name} (status {status})"
    return f"ended with status {status}"
