"""Several hosts side by side: at the same time, shown in their order, and each with its own failures."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from simple_tasks import AnEntry, Count
from subfloor.act import run
from subfloor.act.host import Host
from subfloor.act.watch import Watch
from subfloor.act.work import Work
from subfloor.core.outcome import HostOutcome, HostReport
from subfloor.report.live import Live, Silent
from subfloor.report.screen import Screen, style_for

TOGETHER = """
touch "$1.begun"; n=0
until [ "$(ls "${1%/*}" | grep -c begun)" = 3 ]; do n=$((n + 1)); [ $n -lt 600 ] || exit 1; sleep 0.1; done
echo 1 > "$1"
"""


def _work(path: Path, name: str, script: str = 'echo 1 > "$1"', refuses_at: int = -1) -> Work:
    task = Count(path=str(path / name), to=1, script=script, refuses_at=refuses_at)
    return Work(Host(name), (AnEntry(task, name=f"count on {name}"),))


def _applied(works: Sequence[Work], watch: Watch | None = None) -> Sequence[HostReport]:
    return run.carry_out(works, {}, watch or Silent(), lambda reports, consents: consents, None, forks=3).reports


@pytest.fixture(autouse=True)
def one_lock_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hosts are one machine here, whose lock would let only one of them work."""
    monkeypatch.setattr("subfloor.act.locks._FIND_MACHINE", "lock=$(mktemp)")


def test_three_hosts_work_at_the_same_time(tmp_path: Path) -> None:
    reports = _applied([_work(tmp_path, name, TOGETHER) for name in "abc"])
    assert [(report.host, report.outcome) for report in reports] == [(name, HostOutcome.APPLIED) for name in "abc"]


def test_one_host_s_failure_stops_that_host_alone(tmp_path: Path) -> None:
    works = [_work(tmp_path, "a"), _work(tmp_path, "b", "exit 3"), _work(tmp_path, "c")]
    assert [report.outcome for report in _applied(works)] == [
        HostOutcome.APPLIED,
        HostOutcome.FAILED,
        HostOutcome.APPLIED,
    ]


def test_a_refusal_on_one_host_leaves_all_as_they_are(tmp_path: Path) -> None:
    reports = _applied([_work(tmp_path, "a"), _work(tmp_path, "b"), _work(tmp_path, "c", refuses_at=0)])
    assert reports[2].outcome is HostOutcome.REFUSED
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["check", "apply"])
def test_hosts_are_shown_in_their_order(tmp_path: Path, command: str) -> None:
    """The first one ends last: it waits for the others."""
    late = 'n=0; until [ -e "${1%/*}/c" ] || [ $n = 600 ]; do n=$((n + 1)); sleep 0.1; done; echo 1 > "$1"'
    works = [_work(tmp_path, "a", late), _work(tmp_path, "b"), _work(tmp_path, "c")]
    stream = io.StringIO()
    live = Live(Screen(stream), style_for(stream))
    if command == "apply":
        _applied(works, live)
    else:
        run.check(works, {}, live, forks=3)
    told = stream.getvalue().split("\n\n")
    assert [part.splitlines()[0] for part in told] == ["a", "b", "c"]
    assert all(f"count on {name}" in part for name, part in zip("abc", told, strict=True))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell starts what runs in the background with SIGINT ignored, and so may be what runs these tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("to", ["the process", "one thread"])
def test_an_interrupt_ends_what_runs_on_every_host(tmp_path: Path, to: str) -> None:
    """Python acts on it in the main thread, whichever thread the kernel gives it to."""
    wait = 'touch "$1.begun"; sleep 600'
    works = [_work(tmp_path, name, wait) for name in "abcd"]

    def interrupt() -> None:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("*.begun"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.1)
        if to == "the process":
            os.kill(os.getpid(), signal.SIGINT)
        else:
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    reports = _applied(works)
    assert [type(report.tasks[0].error).__name__ for report in reports[:3]] == ["Interrupted"] * 3
    assert type(reports[3].error).__name__ == "Interrupted"
    assert not (tmp_path / "d.begun").exists()
