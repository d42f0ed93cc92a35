"""Somebody else acts at the very moment that matters: hooks for the process of a run, and ways to wait for it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import subfloor.act.apply
from crash.forked import Running
from crash.intercepting import Run, intercept
from subfloor.act.pieces import Result
from subfloor.core.task import Command

_DEADLINE = 120.0


def before(which: int | str, act: Callable[[], object]) -> Callable[[], None]:
    """Arrange for something to be done, once, right before a command of a run: after the last look.

    ``which``: the Nth command, counted from 1, or the first of that program.
    """

    def arrange() -> None:
        count, waiting = 0, True

        def interrupted(run: Run, command: Command) -> Result:
            nonlocal count, waiting
            count += 1
            if waiting and which in (count, command.argv[0]):
                waiting = False
                act()
            return run(command)

        intercept(interrupted)
        subfloor.act.apply._PATIENCE = 0.5

    return arrange


def pause(at: Path) -> Callable[[], None]:
    """Something that says in ``at`` that it was reached, and goes on when the file is gone."""

    def stay() -> None:
        at.touch()
        wait_for(lambda: not at.exists(), "being let go on")

    return stay


def wait_for(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + _DEADLINE
    while not true():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


def is_awaited(node: str) -> bool:
    """Whether somebody waits for the lock of a device, as /proc/locks has it (proc_locks(5))."""
    inode = Path(node).stat().st_ino
    lines = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and line.split()[6].endswith(f":{inode}") for line in lines if "FLOCK" in line)


def has_ended(run: Running) -> bool:
    """Whether a run has come to its end; it is still to be waited for."""
    return os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
