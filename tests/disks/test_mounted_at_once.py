"""Somebody mounts a filesystem as soon as it is made, as desktops and udev rules do: the step that made it succeeds."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from disks.laying_out import on
from disks.plays import applied, entries, outcomes
from loop_disks import LoopDisk, MakeDisk, disk, run
from subfloor.act.apply import Executor, apply, preflight
from subfloor.act.events import CommandEnded, Event
from subfloor.act.host import Host
from subfloor.core.consent import Consent

pytestmark = pytest.mark.root

__all__ = ["disk"]  # a fixture

LAYOUT = (
    ("a", "linux", "64MiB", "ext4 a"),
    ("b", "linux", "320MiB", "xfs b"),
    ("c", "linux", "160MiB", "btrfs c"),
    ("d", "linux", "rest", "ext4 d"),
)


class Desktop:
    """Mounts every partition whose name says that it is finished, after whatever command of a step."""

    def __init__(self, disk: LoopDisk, at: Path, stack: contextlib.ExitStack) -> None:
        self._disk, self._at, self._stack = disk, at, stack
        self.mounted: list[str] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, CommandEnded) and "--part-label" in event.command.argv:
            number, name = event.command.argv[-2:]
            place = self._at / name
            if name.endswith(".unfinished") or place.exists():
                return
            place.mkdir()
            run("mount", self._disk.partition(int(number)), place)
            self._stack.callback(run, "umount", place)
            self.mounted.append(name)


def test_a_filesystem_that_a_desktop_mounts_immediately_is_accepted(disk: MakeDisk, tmp_path: Path) -> None:
    vda = disk("1GiB")
    tasks = entries(on(vda, *LAYOUT))
    with contextlib.ExitStack() as stack, Host().shell() as shell:
        desktop = Desktop(vda, tmp_path, stack)
        plan = preflight(tasks, shell, Consent())
        done = tuple(apply(tasks, plan.machine, Executor(shell, Consent(), desktop)))
        assert not [str(report.error) for report in done if report.error]
        assert desktop.mounted == ["a", "b", "c", "d"]
        assert set(outcomes(applied(on(vda, *LAYOUT)))) == {"ok"}
