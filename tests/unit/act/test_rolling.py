"""Hosts in batches: which ones are applied to, in which order, and when the others stop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from simple_tasks import AnEntry, Count
from subfloor.act.apply import preflight
from subfloor.act.events import Stopped
from subfloor.act.host import Host
from subfloor.act.host_run import HostRun
from subfloor.act.run import carry_out
from subfloor.act.work import Planned, Work
from subfloor.core.consent import Consent
from subfloor.core.outcome import HostOutcome, HostReport, Outcome
from subfloor.core.rollout import Batch
from subfloor.report.live import Silent

FAILS = "exit 3"
LOGS = 'echo "${1##*/}" >> "${1%/*}/order"; echo 1 > "$1"'
AWAY = ("false",)

APPLIED, FAILED = HostOutcome.APPLIED, HostOutcome.FAILED


@pytest.fixture(autouse=True)
def one_lock_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hosts are one machine here, whose lock would let only one of them work."""
    monkeypatch.setattr("subfloor.act.locks._FIND_MACHINE", "lock=$(mktemp)")


def work(place: Path, name: str, *plays: str, prefix: tuple[str, ...] = ()) -> Work:
    """A host with one task in each play, by its script."""
    tasks = [Count(path=str(place / f"{name}{number}"), to=1, script=each) for number, each in enumerate(plays)]
    entries = tuple(AnEntry(task, name=f"count in play {number}") for number, task in enumerate(tasks))
    return Work(Host(name, prefix), entries, tuple(range(len(plays))))


def applied(works: Sequence[Work], batches: Sequence[Batch], forks: int = 1) -> list[HostReport]:
    done = carry_out(works, {}, Silent(), lambda reports, consents: consents, None, forks, batches)
    return list(done.reports)


def order(place: Path) -> list[str]:
    return (place / "order").read_text().split()


def each_alone(names: str, most: float | None = None) -> list[Batch]:
    return [Batch((name,), 0, most) for name in names]


def test_a_batch_begins_when_the_one_before_has_ended(tmp_path: Path) -> None:
    works = [work(tmp_path, name, LOGS) for name in "abc"]
    batches = [Batch(("b",), 0), Batch(("c", "a"), 0)]
    assert [report.outcome for report in applied(works, batches, forks=5)] == [APPLIED] * 3
    assert order(tmp_path)[0] == "b0"


def test_a_play_begins_when_the_one_before_has_ended_on_all_hosts(tmp_path: Path) -> None:
    works = [work(tmp_path, name, LOGS, LOGS) for name in "ab"]
    reports = applied(works, [Batch(("a", "b"), 0), Batch(("b",), 1), Batch(("a",), 1)])
    assert order(tmp_path) == ["a0", "b0", "b1", "a1"]
    assert [[task.outcome for task in report.tasks] for report in reports] == [[Outcome.CHANGED] * 2] * 2


def test_a_failure_in_a_batch_of_several_stops_that_host_alone(tmp_path: Path) -> None:
    works = [work(tmp_path, "a", FAILS, LOGS), work(tmp_path, "b", LOGS, LOGS), work(tmp_path, "c", LOGS)]
    reports = applied(works, [Batch(("a", "b"), 1), Batch(("c",), 1)])
    assert [report.outcome for report in reports] == [FAILED, APPLIED, APPLIED]


def test_nothing_begins_after_a_batch_that_failed_as_a_whole(tmp_path: Path) -> None:
    works = [work(tmp_path, "a", FAILS), work(tmp_path, "b", LOGS), work(tmp_path, "c", LOGS)]
    reports = applied(works, each_alone("abc"))
    assert [report.outcome for report in reports] == [FAILED] * 3
    assert [path.name for path in tmp_path.iterdir()] == []
    for report in reports[1:]:
        assert "all hosts of a batch failed or could not be reached: a" in str(report.error)
        assert "run the same command again" in str(report.error)
        assert report.unreached == ("count in play 0",)


def test_a_host_that_cannot_be_reached_is_no_failed_one_but_a_lost_one(tmp_path: Path) -> None:
    far = work(tmp_path, "a", LOGS, prefix=AWAY)
    near = [work(tmp_path, name, LOGS) for name in "bc"]
    reports = applied([far, *near], [Batch(("a", "b"), 0, 0.0), Batch(("c",), 0, 0.0)])
    assert [report.outcome for report in reports] == [HostOutcome.UNREACHABLE, APPLIED, APPLIED]
    reports = applied([far, work(tmp_path, "d", LOGS)], each_alone("ad"))
    assert [report.outcome for report in reports] == [HostOutcome.UNREACHABLE, FAILED]
    assert not (tmp_path / "d0").exists()


@pytest.mark.parametrize(("most", "outcomes"), [(33.0, [FAILED, FAILED, FAILED]), (34.0, [FAILED, APPLIED, APPLIED])])
def test_too_many_failures_stop_all_other_hosts(tmp_path: Path, most: float, outcomes: list[HostOutcome]) -> None:
    works = [work(tmp_path, "a", FAILS), work(tmp_path, "b", LOGS), work(tmp_path, "c", LOGS)]
    reports = applied(works, [Batch(("a", "b", "c"), 0, most)])
    assert [report.outcome for report in reports] == outcomes
    if most == 33.0:
        said = "a failed, 1 of 3 hosts, and max_fail_percentage is 33"
        assert all(said in str(report.error) for report in reports[1:])
        assert not (tmp_path / "b0").exists()


def test_a_host_at_work_stops_before_its_next_task(tmp_path: Path) -> None:
    own = work(tmp_path, "a", LOGS, LOGS)
    asked: list[None] = []

    def check() -> None:
        asked.append(None)
        if len(asked) > 1:
            raise Stopped("others failed")

    with own.host.shell() as shell:
        plan = preflight(own.entries, shell, Consent())
        run = HostRun(Planned(own, HostReport("a", plan.reports), shell, plan), Silent(), None)
        run.advance(1, check)
    assert [task.outcome for task in run.report.tasks] == [Outcome.CHANGED]
    assert run.report.unreached == ("count in play 1",)
    assert (run.report.outcome, run.report.broke_off) == (FAILED, None)
    assert order(tmp_path) == ["a0"]
