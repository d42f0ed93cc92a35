"""Apply a play: lock, look again, run the commands of each step, and verify the result."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from subfloor.act.causes import with_causes
from subfloor.act.commands import Commands, pauses
from subfloor.act.device_guard import check_as_shown, check_same_disks, disk_of, remembering
from subfloor.act.duplicate_names import refuse_duplicate_names
from subfloor.act.duplicate_uuids import claimed, refuse_duplicate_uuids
from subfloor.act.events import (
    Declined,
    Interrupted,
    Listen,
    LockAwaited,
    Looked,
    StepEnded,
    StepPutOff,
    StepStarted,
    TaskStarted,
    ignore,
)
from subfloor.act.look import Look
from subfloor.act.pieces import Result
from subfloor.act.prefetch import Prefetch
from subfloor.act.session import Moved, Session
from subfloor.act.unmounted import UnmountedFilesystems
from subfloor.core.consent import Consent
from subfloor.core.engine import Entry, converge, foresee, outcome_of, subjects, unrevealed
from subfloor.core.errors import Refused, SubfloorError, Unverified
from subfloor.core.machine import AnySubject, Machine, broken_promises
from subfloor.core.outcome import Outcome, TaskReport, UnmountedFilesystem
from subfloor.core.task import Command, Loss, Step, Task
from subfloor.observe.block_uuids import BlockUuids
from subfloor.observe.device_names import DeviceNode
from subfloor.observe.tool import Privilege, Tool

_PATIENCE = 10.0
"""Seconds until verification must succeed: the kernel and udev need some time."""


@dataclass(frozen=True)
class Plan:
    """What applying a play would do, task by task, on the machine that was seen.

    ``planned``: the machine after all steps; steps without consent are included, steps refused otherwise are not.
    ``further``: the extra subjects that each task asked for. ``consent``: the consent, with the kernel's nodes added.
    ``unmounted``: the filesystems that are not mounted yet; empty if the plan did not look for them.
    """

    machine: Machine
    reports: tuple[TaskReport, ...]
    planned: Machine = field(default_factory=Machine)
    further: tuple[frozenset[AnySubject], ...] = ()
    consent: Consent = field(default_factory=Consent)
    unmounted: tuple[UnmountedFilesystem, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether no task of the plan is refused or fails."""
        return not any(report.outcome in (Outcome.REFUSED, Outcome.FAILED) for report in self.reports)

    @property
    def losses(self) -> tuple[Loss, ...]:
        """The losses of all steps of the plan."""
        return tuple(loss for report in self.reports for taken in report.steps for loss in taken.step.destroys)


def _looked(shell: Session, wanted: Iterable[AnySubject], listen: Listen) -> Machine:
    look = Look(wanted)
    return _seen(look, shell.perform([look.piece])[0], listen) if look.subjects else Machine()


def _seen(look: Look, result: Result, listen: Listen) -> Machine:
    machine = look.machine(result.stdout)
    listen(Looked(look.subjects, result.seconds))
    return machine


Depth = Literal["mounted", "shallow", "deep"]
"""What a plan reads. ``mounted``: only mounted filesystems. ``shallow``: the same, and the plan lists the filesystems
that it left out. ``deep``: also filesystems that exist and are not mounted yet."""


def preflight(
    entries: Sequence[Entry], shell: Session, consent: Consent, listen: Listen = ignore, depth: Depth = "mounted"
) -> Plan:
    """Look once and simulate the whole play; missing programs and missing rights are found here too.

    If the machine is in sync, this takes one round trip.
    """
    declared, carriers = subjects(entries), BlockUuids()
    found = _looked(shell, declared | _for_the_whole_play(entries, consent, carriers), listen)
    machine, consent = found.only(declared), _resolved(consent, found)
    unmounted = UnmountedFilesystems(shell, entries, machine, listen, shallow=depth == "shallow")
    reveal = unrevealed if depth == "mounted" else unmounted
    imagined = foresee(entries, machine, consent, _remembering(shell, listen), reveal)
    reports = refuse_duplicate_names(entries, machine, imagined.reports)
    own = claimed(entries, machine, reports)
    missing = {carriers} - found.keys() if any(own) else set()
    seen = found.updated(_looked(shell, _wanted(reports) | missing, listen))
    reports = refuse_duplicate_uuids(own, seen.get(carriers, ()), reports)
    reports = with_causes(entries, tuple(_with_demands(report, seen) for report in reports))
    return Plan(machine, reports, imagined.machine, imagined.further, consent, unmounted.seen)


def _for_the_whole_play(entries: Sequence[Entry], consent: Consent, carriers: BlockUuids) -> set[AnySubject]:
    """The subjects besides those of the tasks: nodes of devices with consent, and UUIDs if a task may claim any."""
    claims = any(type(entry.task).claims is not Task.claims for entry in entries if entry.task)
    return {*map(DeviceNode, consent.devices), *((carriers,) if claims else ())}


def _resolved(consent: Consent, seen: Machine) -> Consent:
    """The consent, with the kernel's nodes added: any name of a device is accepted."""
    nodes = ((name, seen[DeviceNode(name)]) for name in consent.devices)
    return replace(consent, nodes=frozenset((name, node) for name, node in nodes if node))


def _wanted(reports: Iterable[TaskReport]) -> set[AnySubject]:
    """The subjects that show whether the commands of these reports can run; empty if there are no commands."""
    commands = [command for report in reports for command in _commands(report)]
    demands = {demand for command in commands for demand in command.demands}
    return {Privilege(), *demands, *(Tool(command.argv[0]) for command in commands)} if commands else set()


def _remembering(shell: Session, listen: Listen) -> Callable[[Iterable[AnySubject]], Machine]:
    """A look that reads each subject only once, since nothing changes while a plan is made."""
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
        return Refused("the commands of this task need root", advice="run this as root")
    if missing := sorted({command.argv[0] for command in commands if not seen[Tool(command.argv[0])]}):
        return Refused(
            f"{', '.join(missing)} is not installed",
            advice="install the package that has it (on Debian `apt install PACKAGE`, on NixOS "
            "`nix-shell -p PACKAGE`), then run subfloor again",
        )
    for command in commands:
        for why in filter(None, (seen[demand] for demand in command.demands)):
            return Refused(
                f"`{shlex.join(command.argv)}` would fail: {why}",
                advice="change what the task declares (its size, its options), then run subfloor again",
            )
    return None


def apply(
    entries: Sequence[Entry],
    machine: Machine,
    executor: Executor,
) -> Iterator[TaskReport]:
    """Apply the play from this machine; yields a report for each task, and ends at the first one with an error."""
    for at, entry in enumerate(entries):
        executor.listen(TaskStarted(entry.name))
        try:
            machine = executor.up_to_date(at, entry.task, machine)
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
    Whatever was seen before that command is out of date, since no promise describes everything that a command does.

    A step takes two round trips: the locks and a look; the commands and the look that verifies them. The second look
    also reads what the next task needs. If two steps in a row write to no disk, the second one keeps the lock of the
    first. It does not read again what was seen after the first, since that was seen under the same lock.
    """

    def __init__(
        self,
        shell: Session,
        consent: Consent,
        listen: Listen = ignore,
        confirm: Callable[[Step], bool] | None = None,
        planned: Machine | None = None,
        ahead: Prefetch | None = None,
    ) -> None:
        """``planned``: the machine that was seen for the plan. ``confirm`` returns whether a step may be taken."""
        self.shell, self.consent, self.listen, self.confirm = shell, consent, listen, confirm
        self._planned = Machine() if planned is None else planned
        self._ahead, self._at = ahead or Prefetch(), 0
        self._commands = Commands(shell, listen)
        self._changed: frozenset[AnySubject] = frozenset()
        self._fresh: frozenset[AnySubject] | None = None  # None: no command has run yet, everything is up to date
        self._seen = Machine()  # what was seen since the last command; not all of it is in the run's machine yet
        self._further = Machine()  # the extra subjects that the task asked for to decide on its next step

    def look(self, subjects: Iterable[AnySubject]) -> Machine:
        """The current state of the subjects. Raises what ``act.look.look`` raises."""
        return _looked(self.shell, subjects, self.listen)

    def look_at_all(self, entries: Sequence[Entry]) -> Machine:
        """The current state of all subjects of the play, before its first step."""
        declared = subjects(entries)
        look = Look(declared, self._ahead.up_to_change(0))
        self._fresh, self._seen = declared, _seen(look, self.shell.perform([look.piece])[0], self.listen)
        return self._seen.only(declared)

    def look_further(self, subjects: Iterable[AnySubject]) -> Machine:
        """The current state of the extra subjects that a task needs to decide on its next step."""
        wanted = frozenset(subjects)
        known = self._seen.only(wanted)
        seen = known.updated(self.look(wanted - known.keys()))
        self._further = self._further.updated(seen)
        return seen

    def up_to_date(self, at: int, task: Task | None, machine: Machine) -> Machine:
        """The machine, after a new look at those subjects of task number ``at`` that a command may have changed.

        Raises ``Refused`` if a disk of the task is not the disk that the plan was made for.
        """
        self._at, self._further = at, Machine()
        if task is None:
            return machine
        if self._fresh is not None:
            stale = task.subjects() - self._fresh
            self._seen = self._seen.updated(self.look(stale - self._seen.keys()))
            self._fresh |= stale
            machine = machine.updated(remembering(machine, self._seen.only(stale)))
        check_same_disks(self._planned, machine.only(task.subjects()))
        return machine

    def take(self, task: Task, step: Step, machine: Machine) -> tuple[Machine, bool]:
        """Take the step, unless the machine has changed since the step was decided.

        Returns the machine as it is now, and whether the step was taken. Raises ``Refused`` (consent is lacking, the
        disk differs from the plan, or its lock is held), ``CommandFailed``, ``Unverified``, ``Declined``,
        ``Interrupted``.
        """
        if lacking := self.consent.lacking(step):
            raise self.consent.refusal(lacking)
        for loss in step.destroys:
            if disk_of(loss) not in self._changed:
                check_as_shown(loss, self._planned, machine)
        if self.confirm and not self._confirmed(self.confirm, step):
            raise Declined(f"“{step.says}” was declined", advice="run the same command again to be asked again")
        further, self._further = self._further, Machine()
        wanted = task.subjects() | further.keys()
        known = self._seen.only(wanted) if not step.locks and self.shell.holds(()) else Machine()
        look = Look(wanted - known.keys())
        try:
            with self.shell.locked(step.locks, self._wait, [look.piece] if look.subjects else []) as results:
                seen = known.updated(_seen(look, results[0], self.listen)) if results else known
                return self._taken(task, step, machine, further, seen)
        except Moved:
            return self._put_off(task, step, machine), False
        except KeyboardInterrupt as error:
            raise Interrupted() from error

    def _confirmed(self, confirm: Callable[[Step], bool], step: Step) -> bool:
        self.shell.release()  # a person may take a while
        return confirm(step)

    def _wait(self, what: str, holders: Sequence[str]) -> None:
        self.listen(LockAwaited(what, tuple(holders)))

    def _taken(self, task: Task, step: Step, machine: Machine, further: Machine, seen: Machine) -> tuple[Machine, bool]:
        """Take the step, unless ``seen``, the state under its locks, has changed; returns the same as ``take``."""
        now = machine.updated(remembering(machine, seen.only(task.subjects())))
        check_same_disks(self._planned, now.only(task.subjects()))
        if now != machine or seen.only(further) != further:
            self._seen = Machine()
            return now, False
        self._fresh, self._seen = frozenset(), Machine()
        self.listen(StepStarted(step))
        concerned = task.subjects() | _changed(machine, step.after)
        self._seen = self._verified(step, Look(concerned, self._ahead.after(self._at, task, step)), concerned)
        self._changed |= _changed(machine, step.after)
        self._fresh = concerned
        self.listen(StepEnded(step))
        return machine.updated(remembering(step.after, self._seen.only(concerned))), True

    def _put_off(self, task: Task, step: Step, machine: Machine) -> Machine:
        """Report a step whose commands did not run; returns the machine as it is now."""
        self.listen(StepPutOff(step))
        self._seen = self.look(task.subjects())
        self._fresh = task.subjects()
        return machine.updated(remembering(machine, self._seen.only(task.subjects())))

    def _verified(self, step: Step, look: Look, concerned: frozenset[AnySubject]) -> Machine:
        seen = _seen(look, self._commands.carry_out(step.commands, look), self.listen)
        deadline = time.monotonic() + max(_PATIENCE, step.patience)
        for pause in pauses():
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
            seen = _seen(look, self.shell.perform([look.piece])[0], self.listen)
        return seen


def _changed(before: Machine, after: Machine) -> frozenset[AnySubject]:
    return after.changed_since(before)
