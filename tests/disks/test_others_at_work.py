"""Others are at work on the machine at the same time: a second run, or somebody who unmounts what a run mounted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loop_disks import run, said
from subfloor.act.events import Event, StepEnded
from subfloor.act.run import carry_out
from subfloor.core.outcome import HostOutcome, Outcome
from subfloor.playbook.job import Request, read_job
from subfloor.report.live import Silent

pytestmark = pytest.mark.root

DEADLINE = 120.0

SLOW_MOUNT = """#!/bin/sh
# mount(8), once the test says so; where it was started before, there is nothing to wait for.
if mkdir "$SLOW/started" 2>/dev/null; then
    n=0; while [ ! -e "$SLOW/go" ] && [ $n -lt 300 ]; do sleep 0.1; n=$((n + 1)); done
fi
exec /bin/mount "$@"
"""


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs to bind in, with a mount(8) that waits."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "mount").write_text(SLOW_MOUNT)
    (programs / "mount").chmod(0o755)
    at = tmp_path / "mnt"
    at.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=4m", "namespace", at)
    yield at
    run("umount", "--recursive", at)


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def start(playbook: Path, output: Path) -> subprocess.Popen[bytes]:
    path = f"{playbook.parent / 'bin'}:{os.environ['PATH']}"
    argv = [sys.executable, "-m", "subfloor", "apply", str(playbook)]
    environment = {**os.environ, "PATH": path, "SLOW": str(playbook.parent)}
    with output.open("wb") as file:
        return subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)


def test_two_runs_bind_one_directory_once_and_the_second_reports_the_wait_case_67(namespace: Path) -> None:
    work = namespace.parent
    playbook = work / "play.yml"
    tasks = [{"name": "Kept", "bind-persist": {"path": "/var/log", "root": str(namespace), "store": "/persist"}}]
    playbook.write_text(json.dumps([{"hosts": "all", "seed": str(work), "tasks": tasks}]))
    first = start(playbook, work / "first")
    try:
        until((work / "started").exists)
        second = start(playbook, work / "second")
        try:
            until(lambda: b"waiting" in (work / "second").read_bytes())
            (work / "go").touch()
            assert (first.wait(DEADLINE), second.wait(DEADLINE)) == (0, 0)
        finally:
            second.kill()
    finally:
        first.kill()
    listed = said("findmnt", "--noheadings", "--list", "--output", "TARGET", "--submounts", namespace)
    assert listed.split() == [str(namespace), f"{namespace}/var/log"]
    told = (work / "second").read_text()
    assert f"waiting       for this machine ({os.environ['SUBFLOOR_LOCK']}), which is locked by " in told
    assert "localhost: in sync (1 ok)" in told


class UnmountAtTheEnd(Silent):
    """Unmounts a place once the last step has ended."""

    def __init__(self, place: Path, last: str) -> None:
        self._place, self._last = place, last

    def event(self, event: Event) -> None:
        if isinstance(event, StepEnded) and self._last in event.step.says:
            run("umount", self._place)


def test_a_mount_that_vanishes_during_the_run_fails_it_case_65(tmp_path: Path) -> None:
    place = tmp_path / "mnt"
    tasks = [
        {"tmpfs-mount": {"path": str(place), "size": "4MiB"}},
        {"directory": {"path": f"{place}/etc"}},
        {"directory": {"path": str(tmp_path / "elsewhere")}},
    ]
    playbook = tmp_path / "play.yml"
    playbook.write_text(json.dumps([{"hosts": "all", "seed": str(tmp_path), "tasks": tasks}]))
    works = read_job(Request(playbook)).works
    watch = UnmountAtTheEnd(place, "elsewhere")
    (report,) = carry_out(works, {}, watch, lambda reports, consent: consent, lambda step: True).reports
    assert report.outcome is HostOutcome.FAILED
    assert [each.outcome for each in report.tasks] == [Outcome.FAILED, Outcome.FAILED, Outcome.CHANGED]
    assert "at the end of the run it no longer holds" in str(report.tasks[0].error)
    try:
        (report,) = carry_out(works, {}, Silent(), lambda reports, consent: consent, lambda step: True).reports
        assert report.outcome is HostOutcome.APPLIED
    finally:
        run("umount", place)
