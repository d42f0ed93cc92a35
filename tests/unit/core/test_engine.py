"""The loop, in mind and in the world."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from simple_tasks import AnEntry, Count, Number, failing
from subfloor.act import apply, events, host_run
from subfloor.act.host import Host
from subfloor.act.look import look
from subfloor.act.run import carry_out
from subfloor.act.watch import Watch
from subfloor.act.work import Work
from subfloor.core.consent import Consent
from subfloor.core.engine import converge, foresee, imagine, subjects
from subfloor.core.errors import CommandFailed, PluginError, Refused, Unverified
from subfloor.core.machine import AnySubject, Machine
from subfloor.core.outcome import HostOutcome, HostReport, Outcome, TaskReport
from subfloor.core.task import Command, Loss, Step
from subfloor.report.live import Silent

BLANK = Machine({Number(): 0})


def imagined(task: Count, machine: Machine = BLANK, consent: Consent | None = None) -> TaskReport:
    (report,) = imagine([AnEntry(task)], machine, consent or Consent())
    return report


def test_what_a_step_reveals_is_there_for_later_tasks_and_is_no_change_of_its_own() -> None:
    start = Machine({Number(): 0, Number("/inside"): 0})

    def reveal(before: Machine, after: Machine) -> Machine:
        assert (before[Number()], after[Number()]) == (0, 1)
        return Machine({Number("/inside"): 5})

    entries = [AnEntry(Count(to=1)), AnEntry(Count(path="/inside", to=5))]
    imagined = foresee(entries, start, Consent(), reveal=reveal)
    assert [report.outcome for report in imagined.reports] == [Outcome.WOULD_CHANGE, Outcome.OK]
    assert list(map(str, imagined.reports[0].differences)) == ["number /nowhere: 0 → 1"]
    assert imagined.machine[Number("/inside")] == 5


def test_a_later_change_starts_from_what_was_revealed() -> None:
    def reveal(before: Machine, after: Machine) -> Machine:
        return Machine({Number("/inside"): 5}) if before[Number()] == 0 else Machine()

    start = Machine({Number(): 0, Number("/inside"): 0})
    entries = [AnEntry(Count(to=1)), AnEntry(Count(path="/inside", to=6))]
    _, second = foresee(entries, start, Consent(), reveal=reveal).reports
    assert list(map(str, second.differences)) == ["number /inside: 5 → 6"]


def test_a_satisfied_task_is_ok() -> None:
    assert imagined(Count(to=0)).outcome is Outcome.OK


def test_imagining_takes_every_step_and_lists_the_differences() -> None:
    report = imagined(Count(to=3))
    assert report.outcome is Outcome.WOULD_CHANGE
    assert [taken.step.says for taken in report.steps] == ["Count to 1", "Count to 2", "Count to 3"]
    assert str(report.steps[0].differences[0]) == "number /nowhere: 0 → 1"


def test_one_task_starts_from_what_the_one_before_it_leaves() -> None:
    reports = imagine([AnEntry(Count(to=2)), AnEntry(Count(to=3))], BLANK, Consent())
    assert [len(report.steps) for report in reports] == [2, 1]


def test_after_a_refusal_imagining_continues_from_the_machine_as_it_is() -> None:
    reports = imagine([AnEntry(Count(to=3, refuses_at=1)), AnEntry(Count(to=2))], BLANK, Consent())
    assert [report.outcome for report in reports] == [Outcome.REFUSED, Outcome.WOULD_CHANGE]
    assert len(reports[1].steps) == 1


def test_a_skipped_entry_is_reported_as_skipped() -> None:
    (report,) = imagine([AnEntry(None, why_skipped="when: false")], BLANK, Consent())
    assert (report.outcome, report.note) == (Outcome.SKIPPED, "when: false")


def test_a_task_that_never_ends_is_a_fault_of_its_plugin() -> None:
    report = imagined(Count(to=3, promise=0))
    assert report.outcome is Outcome.FAILED and isinstance(report.error, PluginError)
    assert "asks for more and more steps" in str(report.error)


def test_a_plugin_that_raises_is_named() -> None:
    def what() -> None:
        raise ZeroDivisionError("by zero")

    report = imagined(failing(what)())
    assert report.outcome is Outcome.FAILED
    assert f"the task count failed to decide on its next step ({__file__}:" in str(report.error)
    assert ": ZeroDivisionError: by zero)" in str(report.error)


def test_warnings_of_a_task_are_reported_and_stop_nothing() -> None:
    class Late(Count):
        def warnings(self) -> tuple[str, ...]:
            return ("it is late",)

    report = imagined(Late())
    assert (report.outcome, report.warnings) == (imagined(Count()).outcome, ("it is late",))

    class Broken(Count):
        def warnings(self) -> tuple[str, ...]:
            raise ZeroDivisionError("by zero")

    report = imagined(Broken())
    assert report.outcome is Outcome.FAILED
    assert f"the task count failed to list its warnings ({__file__}:" in str(report.error)
    assert ": ZeroDivisionError: by zero)" in str(report.error)


def test_a_look_at_an_unnamed_subject_is_a_plugin_error() -> None:
    class Nosy(Count):
        def next_step(self, machine: Machine) -> None:
            machine[Number("/elsewhere")]

    assert "Number(path='/elsewhere')" in str(imagined(Nosy()).error)


class Further(Count):
    """Asks for a look at another number before it decides."""

    def next_step(self, machine: Machine) -> Step | None:
        machine.further(Number("/elsewhere"))
        return super().next_step(machine)


def test_a_task_that_asks_for_one_more_look_gets_it_and_promises_nothing_of_it() -> None:
    asked: list[AnySubject] = []

    def look_there(subjects: Iterable[AnySubject]) -> Machine:
        asked.extend(subjects)
        return Machine({Number("/elsewhere"): 7})

    (report,) = imagine([AnEntry(Further(to=1))], BLANK, Consent(), look_there)
    assert report.outcome is Outcome.WOULD_CHANGE and set(asked) == {Number("/elsewhere")}
    assert report.steps[0].step.after.keys() == BLANK.keys()


def test_a_request_for_an_extra_look_fails_if_no_look_is_possible() -> None:
    report = imagined(Further(to=1))
    assert report.outcome is Outcome.FAILED and "number /elsewhere was not read" in str(report.error)


def test_what_a_task_asked_for_besides_is_looked_at_again_under_the_lock_meanwhile(tmp_path: Path) -> None:
    there = tmp_path / "there"

    class CombinedWatch(Count):
        def next_step(self, machine: Machine) -> Step | None:
            seen = machine.further(Number(str(there)))
            step = super().next_step(machine)
            if not there.exists():
                there.write_text("1\n")  # another program, between the look and the step
            return step and replace(step, says=f"{step.says}, with {seen}")

    (report,) = applied(CombinedWatch(path=str(tmp_path / "n"), to=1))
    assert [taken.step.says for taken in report.steps] == ["Count to 1, with 1"]


LOSS = Loss("/dev/disk/by-id/x", "/dev/vda2", "/dev/vda2: ext4 'photos'")


def test_a_step_that_destroys_is_refused_without_consent_and_the_rest_is_imagined_all_the_same() -> None:
    reports = imagine([AnEntry(Count(to=1, destroys=(LOSS,))), AnEntry(Count(to=2))], BLANK, Consent())
    assert [report.outcome for report in reports] == [Outcome.REFUSED, Outcome.WOULD_CHANGE]
    assert "ext4 'photos'" in str(reports[0].error) and "--destroy /dev/disk/by-id/x" in str(reports[0].error)
    assert len(reports[1].steps) == 1


@pytest.mark.parametrize("name", ["/dev/disk/by-id/x", "/dev/vda2", "/dev/vda"])
def test_consent_may_name_the_device_by_either_name_or_its_disk(name: str) -> None:
    report = imagined(Count(to=1, destroys=(LOSS,)), consent=Consent(frozenset({name})))
    assert report.outcome is Outcome.WOULD_CHANGE


@pytest.mark.parametrize(
    "name", ["/dev/vdb", "/dev/vda1", "/dev/vda20", "/dev/vd", "/dev", "/dev/disk/by-id/xy", "/dev/disk/by-id/"]
)
def test_consent_for_another_device_does_not_count_case_16(name: str) -> None:
    report = imagined(Count(to=1, destroys=(LOSS,)), consent=Consent(frozenset({name})))
    assert report.outcome is Outcome.REFUSED


# In the world.


def applied(*tasks: Count, consent: Consent | None = None) -> list[TaskReport]:
    entries = [AnEntry(task) for task in tasks]
    with Host().shell() as shell:
        executor = apply.Executor(shell, consent or Consent())
        return list(apply.apply(entries, look(shell, subjects(entries)), executor))


def test_applying_takes_the_imagined_steps_and_a_rerun_none(tmp_path: Path) -> None:
    task = Count(path=str(tmp_path / "n"))
    with Host().shell() as shell:
        plan = apply.preflight([AnEntry(task)], shell, Consent())
    (report,) = applied(task)
    assert report.outcome is Outcome.CHANGED
    assert [taken.step.says for taken in report.steps] == [taken.step.says for taken in plan.reports[0].steps]
    assert (tmp_path / "n").read_text() == "3\n"
    assert applied(task)[0].outcome is Outcome.OK


def test_a_promise_that_does_not_hold_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "_PATIENCE", 0.2)
    path = str(tmp_path / "n")
    reports = applied(Count(path=path, promise=2), Count(path=path))
    assert [report.outcome for report in reports] == [Outcome.FAILED]
    assert isinstance(reports[0].error, Unverified)
    assert f"number {path}: expected 2, found 1" in str(reports[0].error)


def test_a_command_that_does_nothing_and_exits_with_0_fails_verification_case_56(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "_PATIENCE", 0.2)
    (report,) = applied(Count(path=str(tmp_path / "n"), script="true"))
    assert isinstance(report.error, Unverified)


def test_late_results_are_waited_for_case_55(tmp_path: Path) -> None:
    late = 'p=$1; (sleep 0.5; echo 1 > "$p") >/dev/null 2>&1 &'
    (report,) = applied(Count(path=str(tmp_path / "n"), to=1, script=late))
    assert report.outcome is Outcome.CHANGED


def test_a_command_that_fails_is_shown_with_what_it_said_case_56(tmp_path: Path) -> None:
    (report,) = applied(Count(path=str(tmp_path / "n"), script="echo no room >&2; exit 7"))
    assert isinstance(report.error, CommandFailed)
    assert "ended with status 7" in str(report.error) and "no room" in str(report.error)


def test_an_accepted_exit_status_is_not_a_failure(tmp_path: Path) -> None:
    class Lenient(Count):
        def next_step(self, machine: Machine) -> Step | None:
            step = super().next_step(machine)
            return step and replace(step, commands=(replace(step.commands[0], accepts=frozenset({1})),))

    path = str(tmp_path / "n")
    script = Count.script + "; exit {}"
    assert applied(Lenient(path=path, to=1, script=script.format(1)))[0].outcome is Outcome.CHANGED
    assert isinstance(applied(Lenient(path=path, to=2, script=script.format(2)))[0].error, CommandFailed)


def test_a_step_may_have_more_patience_than_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "_PATIENCE", 0.1)

    class Patient(Count):
        def next_step(self, machine: Machine) -> Step | None:
            step = super().next_step(machine)
            return step and replace(step, patience=60.0)

    late = 'p=$1; (sleep {}; echo 1 > "$p") >/dev/null 2>&1 &'
    assert applied(Patient(path=str(tmp_path / "n"), to=1, script=late.format(1)))[0].outcome is Outcome.CHANGED
    (report,) = applied(Count(path=str(tmp_path / "m"), to=1, script=late.format(30)))
    assert isinstance(report.error, Unverified)


def test_an_environment_holds_names_only() -> None:
    for name in ("", "A B", "1A", "A;reboot", "A=", "Ä"):
        with pytest.raises(ValueError, match="not a valid name for an environment variable"):
            Command(("true",), env={name: ""})


def test_without_consent_nothing_runs_even_if_it_was_not_foreseen(tmp_path: Path) -> None:
    (report,) = applied(Count(path=str(tmp_path / "n"), destroys=(LOSS,)))
    assert isinstance(report.error, Refused) and not (tmp_path / "n").exists()


def test_a_machine_that_changed_meanwhile_is_decided_about_anew(tmp_path: Path) -> None:
    """Somebody counted to 2 between the look and the step: only one step is left."""
    path = tmp_path / "n"
    entry = AnEntry(Count(path=str(path)))
    with Host().shell() as shell:
        machine = look(shell, subjects([entry]))
        path.write_text("2\n")
        converged = converge(entry, machine, apply.Executor(shell, Consent()).take, Outcome.CHANGED)
    assert [taken.step.says for taken in converged.report.steps] == ["Count to 3"]
    assert path.read_text() == "3\n"


def test_a_missing_program_is_known_before_anything_is_touched(tmp_path: Path) -> None:
    class Exotic(Count):
        def next_step(self, machine: Machine) -> object:  # type: ignore[override]
            step = super().next_step(machine)
            return step and type(step)(step.says, (Command(("mkfs.exotic",)),), step.after)

    with Host().shell() as shell:
        plan = apply.preflight([AnEntry(Exotic(path=str(tmp_path / "n")))], shell, Consent())
    assert not plan.stands
    assert "mkfs.exotic is not installed" in str(plan.reports[0].error)


# At the end of a run.


class Looks(Silent):
    """Counts the looks."""

    count = 0

    def event(self, event: events.Event) -> None:
        self.count += isinstance(event, events.Looked)


def carried_out(*tasks: Count, watch: Watch | None = None) -> HostReport:
    entries = tuple(AnEntry(task, f"task {number}") for number, task in enumerate(tasks))
    work = Work(Host(), entries)
    (report,) = carry_out([work], {}, watch or Silent(), lambda reports, consent: consent, lambda step: True).reports
    return report


def test_a_step_that_is_undone_in_the_same_run_is_a_failure_case_65(tmp_path: Path) -> None:
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    undo = f"rm -f {first}; echo 1 > $1"
    report = carried_out(Count(path=first, to=1), Count(path=second, to=1, script=undo))
    assert [each.outcome for each in report.tasks] == [Outcome.FAILED, Outcome.CHANGED]
    assert report.outcome is HostOutcome.FAILED
    assert "“task 0” was applied, but at the end of the run it no longer holds" in str(report.tasks[0].error)
    assert "the next step would be “Count to 1”" in str(report.tasks[0].error)


def test_the_end_of_a_run_costs_one_look_and_of_one_without_changes_none_case_65(tmp_path: Path) -> None:
    watch = Looks()
    task = Count(path=str(tmp_path / "n"), to=1)
    assert carried_out(task, watch=watch).outcome is HostOutcome.APPLIED
    # For the plan and its programs; before the first task, before its step, after it; at the end.
    assert watch.count == 2 + 3 + 1
    assert carried_out(task, watch=watch).outcome is HostOutcome.IN_SYNC
    assert watch.count == 6 + 1


def test_an_error_in_subfloor_during_a_run_is_reported_with_finished_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(host_run, "held_to_the_end", fail)
    report = carried_out(Count(path=str(tmp_path / "n"), to=1))
    assert report.outcome is HostOutcome.FAILED
    assert [each.outcome for each in report.tasks] == [Outcome.CHANGED]
    assert "ZeroDivisionError: by zero" in str(report.error) and "bug in subfloor" in str(report.error)
