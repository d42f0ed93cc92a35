"""How many round trips a run takes, whatever the distance: counted by a program between the run and its shell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from simple_tasks import AnEntry, Count
from slow_link import prefix
from subfloor.act import run
from subfloor.act.host import Host
from subfloor.act.work import Work
from subfloor.core.machine import Machine
from subfloor.core.outcome import HostOutcome, HostReport
from subfloor.core.task import Command, Step
from subfloor.report.live import Silent

CONNECTION = 1
LOOK = 1
STEP = 2


def _counting(tmp_path: Path, *goals: int) -> tuple[Work, Path]:
    """A task for each goal, on a host that is reached through the program; and where that leaves its count."""
    count = tmp_path / "count"
    entries = tuple(AnEntry(Count(path=str(tmp_path / f"n{number}"), to=to)) for number, to in enumerate(goals))
    return Work(Host("there", prefix(count)), entries), count


def _applied(work: Work) -> Sequence[HostReport]:
    return run.carry_out([work], {}, Silent(), lambda reports, consents: consents, None).reports


def test_a_run_in_sync_takes_the_connection_and_one_look(tmp_path: Path) -> None:
    work, count = _counting(tmp_path, *[0] * 20)
    (checked,) = run.check([work], {}, Silent())
    assert (checked.outcome, int(count.read_text())) == (HostOutcome.IN_SYNC, CONNECTION + LOOK)
    (applied,) = _applied(work)
    assert (applied.outcome, int(count.read_text())) == (HostOutcome.IN_SYNC, CONNECTION + LOOK)


def test_a_step_takes_two_round_trips_and_one_under_the_lock_of_the_step_before(tmp_path: Path) -> None:
    """Besides them: the plan looks at the machine and at the programs, and the run at the machine before and after."""
    work, count = _counting(tmp_path, 1, 0, 3, 0, 0, 1)
    (applied,) = _applied(work)
    assert applied.outcome is HostOutcome.APPLIED
    assert int(count.read_text()) == CONNECTION + 4 * LOOK + STEP + (3 + 1)


def test_a_step_of_many_commands_takes_two_round_trips(tmp_path: Path) -> None:
    class Many(Count):
        """Counts with three commands."""

        def next_step(self, machine: Machine) -> Step | None:
            step = super().next_step(machine)
            return step and replace(step, commands=(Command(("true",)), *step.commands, Command(("true",))))

    count = tmp_path / "count"
    work = Work(Host("there", prefix(count)), (AnEntry(Many(path=str(tmp_path / "n"), to=1)),))
    (applied,) = _applied(work)
    assert applied.outcome is HostOutcome.APPLIED
    assert int(count.read_text()) == CONNECTION + 4 * LOOK + STEP
