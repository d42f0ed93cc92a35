"""A connection that is lost at any step: the target's command ends, or finishes under its lock; a rerun resumes.

Real sshd processes on loopback, a real disk. The ssh of the client is killed, or the session on the server; then a new
connection is possible at once, or refused until the rerun.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from held_programs import WITHIN, Held, When
from loop_disks import LoopDisk, attach, run, said, take_away
from sshd_server import MakeSshd, Sshd, sshd
from subfloor.act.events import Event, StepStarted
from subfloor.act.run import carry_out, check
from subfloor.core.errors import Unreachable
from subfloor.core.outcome import HostOutcome, HostReport
from subfloor.core.task import Step
from subfloor.playbook.job import Request, read_job
from subfloor.report.live import Silent

pytestmark = pytest.mark.root
__all__ = ["sshd"]

PLAY = """
- hosts: all
  seed: SEED
  tasks:
    - gpt-label: {device: "{{ disk }}"}
    - aligned-partition: {device: "{{ disk }}", number: 1, type: linux, name: data, size: rest}
    - mkfs: {device: "{{ disk | partition(1) }}", type: ext4, label: data}
"""
SEED = f"lost-{os.getpid()}"
"""Another in each process: a play is refused where any other disk has its UUIDs."""

Killed = Literal["client", "server"]


@dataclass
class Far:
    """A play for a disk, on a host that is reached over ssh."""

    at: Sshd
    disk: LoopDisk
    held: Held

    @property
    def request(self) -> Request:
        path = self.at.place / "play.yml"
        path.write_text(PLAY.replace("SEED", SEED))
        return Request(path, inventory=self.at.inventory(), extra=(f"disk={self.disk.node}",))

    def plan(self) -> tuple[Step, ...]:
        """The steps of the play; the programs of their commands can be held from now on."""
        (report,) = check(read_job(self.request).works, {}, Silent())
        steps = tuple(taken.step for task in report.tasks for taken in task.steps)
        self.held.make({command.argv[0] for step in steps for command in step.commands})
        return steps

    def apply(self, watch: Silent | None = None) -> HostReport:
        job = read_job(self.request)
        return carry_out(job.works, {}, watch or Silent(), lambda reports, consents: consents, None).reports[0]

    def kill(self, killed: Killed) -> None:
        """Kill the client's ssh, or what sshd has started for it."""
        if killed == "client":
            found = [pid for pid, parent, name in _processes() if parent == os.getpid() and name == "ssh"]
        else:
            found = [pid for pid, _, name in _below(self.at.pid) if name.startswith("sshd")]
        assert found, "there is no connection"
        for pid in found:
            os.kill(pid, signal.SIGKILL)

    def cut(self) -> None:
        """Refuse new logins."""
        (self.at.place / "authorized_keys").rename(self.at.place / "no_keys")

    def mend(self) -> None:
        if (self.at.place / "no_keys").exists():
            (self.at.place / "no_keys").rename(self.at.place / "authorized_keys")

    def layout(self) -> object:
        """The table and the filesystem, without the name of the device."""
        table = json.loads(said("sfdisk", "--json", self.disk.node))["partitiontable"]
        parts = [{key: value for key, value in part.items() if key != "node"} for part in table["partitions"]]
        filesystem = said("blkid", "--probe", "--output", "export", self.disk.partition(1)).splitlines()
        return table["id"], parts, [line for line in filesystem if line.startswith(("UUID", "TYPE", "LABEL"))]

    @property
    def is_locked(self) -> bool:
        return run("flock", "--nonblock", self.disk.node, "true", check=False).returncode != 0

    def wait_for_lock(self) -> None:
        run("flock", "--timeout", f"{WITHIN:.0f}", self.disk.node, "true")


def _processes() -> Iterator[tuple[int, int, str]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                head, _, tail = (entry / "stat").read_text().rpartition(") ")
            except OSError:
                continue
            if not tail.startswith("Z"):
                yield int(entry.name), int(tail.split()[1]), head.partition("(")[2]


def _below(pid: int) -> Iterator[tuple[int, int, str]]:
    everything = list(_processes())
    for each in everything:
        if each[1] == pid:
            yield each
            yield from _below(each[0])


class AtStep(Silent):
    """Does something when a step starts, before its first command is sent."""

    def __init__(self, step: Step, act: Callable[[], object]) -> None:
        self.step, self.act = step, act

    def event(self, event: Event) -> None:
        if isinstance(event, StepStarted) and event.step.says == self.step.says:
            self.act()


def lose_before(far: Far, step: Step, killed: Killed) -> None:
    """The connection is lost between the lock and the first command of a step."""
    before: list[str] = []

    def kill() -> None:
        before.extend(far.held.ran)
        far.kill(killed)

    assert_lost(far.apply(AtStep(step, kill)), step)
    assert far.held.ran == before, "a command has run without its request"
    far.wait_for_lock()


def lose_at(far: Far, step: Step, number: int, when: When, killed: Killed, back: bool) -> None:
    """The connection is lost while a command is about to work, or has worked and not ended yet."""
    argv = step.commands[number].argv
    ended = threading.Event()
    before: list[str] = []
    problems: list[BaseException] = []

    def kill() -> None:
        try:
            assert far.held.reached(ended), "the command did not run"
            if not back:
                far.cut()
            before.extend(far.held.ran)
            far.kill(killed)
        except BaseException as error:
            problems.append(error)
            far.held.release()

    killer = threading.Thread(target=kill)
    killer.start()
    report = far.apply(AtStep(step, lambda: far.held.hold(argv, when)))
    ended.set()
    killer.join()
    assert not problems, problems
    assert_lost(report, step)
    if back:  # a second connection has ended the command
        far.wait_for_lock()
    else:  # it is still there, and its lock as well
        assert far.is_locked
    far.held.release()
    far.wait_for_lock()
    assert far.held.ran == before, "a command after it has run, although nobody reads"
    far.mend()


def assert_lost(report: HostReport, step: Step) -> None:
    """The report says which step was interrupted, and how to resume."""
    error = report.tasks[-1].error
    assert report.outcome is HostOutcome.FAILED
    assert isinstance(error, Unreachable) and "run the same command again" in error.advice, error
    assert report.broke_off and report.broke_off.says == step.says


def assert_resumed(far: Far, undisturbed: object) -> None:
    """In sync at once, if the last command of the play has finished alone."""
    report = far.apply()
    assert report.outcome in (HostOutcome.APPLIED, HostOutcome.IN_SYNC), report
    (checked,) = check(read_job(far.request).works, {}, Silent())
    assert checked.outcome is HostOutcome.IN_SYNC
    assert far.layout() == undisturbed
    run("e2fsck", "-f", "-n", far.disk.partition(1))


@pytest.fixture
def place(tmp_path: Path, sshd: MakeSshd) -> Iterator[Place]:
    """A host with one disk at a time."""
    made = Place(tmp_path, sshd)
    yield made
    made.clear()


class Place:
    """Makes disks on a host, each with programs that can be held; one at a time, since all get the same UUIDs."""

    def __init__(self, path: Path, make_sshd: MakeSshd) -> None:
        self._image, self._held = path / "disk.img", Held(path / "held")
        self._held.at.mkdir()
        self._at = make_sshd(f"SetEnv PATH={self._held.path}")
        self._disk: LoopDisk | None = None

    def far(self) -> Far:
        """A new disk; nothing is held."""
        self.clear()
        run("find", self._held.at, "-mindepth", "1", "-delete")
        self._disk = attach(self._image, "512MiB")
        return Far(self._at, self._disk, self._held)

    def clear(self) -> None:
        """Take the disk away."""
        if self._disk:
            take_away(self._disk)
            self._image.unlink()
            self._disk = None

    def undisturbed(self) -> tuple[object, tuple[Step, ...]]:
        """The layout that a run makes that nobody disturbs, and its steps."""
        far = self.far()
        steps = far.plan()
        assert far.apply().outcome is HostOutcome.APPLIED
        return far.layout(), steps


def test_a_connection_lost_under_mkfs_and_before_a_step(place: Place) -> None:
    """Of the whole, that is in the campaign: a command that finishes alone, one that is ended, one that is not sent."""
    undisturbed, steps = place.undisturbed()
    at, number = next(
        (at, number)
        for at, step in enumerate(steps)
        for number, command in enumerate(step.commands)
        if command.argv[0].startswith("mkfs")
    )
    far = place.far()
    lose_at(far, far.plan()[at], number, "before", "server", back=False)
    assert_resumed(far, undisturbed)
    far = place.far()
    lose_at(far, far.plan()[at], number, "after", "client", back=True)
    assert_resumed(far, undisturbed)
    far = place.far()
    lose_before(far, far.plan()[1], "client")
    assert_resumed(far, undisturbed)


@pytest.mark.campaign
@pytest.mark.parametrize("killed", ["client", "server"])
def test_a_connection_lost_before_every_step(place: Place, killed: Killed) -> None:
    undisturbed, steps = place.undisturbed()
    for at in range(len(steps)):
        far = place.far()
        lose_before(far, far.plan()[at], killed)
        assert_resumed(far, undisturbed)


@pytest.mark.campaign
@pytest.mark.parametrize("killed", ["client", "server"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("back", [True, False], ids=["back at once", "back for the rerun"])
def test_a_connection_lost_at_every_command(place: Place, killed: Killed, when: When, back: bool) -> None:
    undisturbed, steps = place.undisturbed()
    numbers = itertools.chain(*([(at, number) for number in range(len(s.commands))] for at, s in enumerate(steps)))
    for at, number in numbers:
        far = place.far()
        lose_at(far, far.plan()[at], number, when, killed, back)
        assert_resumed(far, undisturbed)
