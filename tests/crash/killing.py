"""Kills a run of subfloor at an exact moment: between its commands, or before any one call that a tool makes.

Moments are counted and never timed. UnmountedFilesystem a command, strace(1) counts the tool's calls that can change
something, and gives it a signal at the one that is wanted: SIGKILL, or SIGSTOP for as long as others are
killed. Needs no more than `forked` does, so that a machine under test can run it too.
"""

from __future__ import annotations

import json
import os
import re
import signal
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Literal

from crash.forked import Ran, Running, start, subfloor
from crash.intercepting import Run, intercept
from subfloor.act.pieces import Result
from subfloor.core.task import Command

Whom = Literal["runner", "tool", "both"]
WHOM: tuple[Whom, ...] = ("runner", "tool", "both")

CALLS = (
    "write,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync,syncfs,fallocate,ioctl,mount,move_mount,umount2,"
    "swapon,swapoff,mkdir,mkdirat,chmod,fchmod,fchmodat,rename,renameat,renameat2,io_submit"
)
"""The calls by which a tool can change something, or make a change last."""

_STRACE = ("strace", "--follow-forks", f"--trace={CALLS}")
_COUNT = (*_STRACE, "--seccomp-bpf")
"""Stops a tool at no other calls; but then strace gives no signals."""

_PATIENCE = 120.0
"""Seconds for what must come, and comes at once; only a fault waits for so long."""


@dataclass(frozen=True)
class Call:
    """The so many-th call of this name that a tool makes; strace counts each name for itself."""

    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.name} {self.number}"


@dataclass(frozen=True)
class Moment:
    """When somebody is killed, and who.

    ``command``: in which command of the run, from 1; looks at the machine do not count. ``call``: at which of
    its calls; None: right after its end.
    """

    command: int
    call: Call | None = None
    whom: Whom = "both"

    def __str__(self) -> str:
        return f"{self.whom} at {self.call} in command {self.command}" if self.call else f"after {self.command}"


@dataclass(frozen=True)
class Counted:
    """A command that a run ran on the host, and those of its calls that could change something."""

    argv: tuple[str, ...]
    calls: tuple[Call, ...]


def counted(arguments: Sequence[str], every: int = 1) -> tuple[Ran, list[Counted]]:
    """Run a command line to its end, and count what it does; the calls of each so many-th command only."""
    with tempfile.TemporaryDirectory() as logs:
        run = subfloor(*arguments, first=lambda: _instead(lambda n, argv: _noted(Path(logs), n, argv, n % every == 0)))
        found = sorted(Path(logs).glob("*.argv"), key=lambda path: int(path.stem))
        return run, [Counted(tuple(json.loads(each.read_text())), _calls(each.with_suffix(".log"))) for each in found]


def moments(commands: Sequence[Counted], inside: int, whom: Sequence[Whom] = WHOM) -> list[Moment]:
    """After every command; and for each of these, at so many calls inside every command, by a fixed seed."""
    found = [Moment(number) for number in range(1, len(commands) + 1)]
    for number, command in enumerate(commands, 1):
        for each in whom:
            chosen = Random(f"{number} {each}").sample(range(len(command.calls)), min(inside, len(command.calls)))
            found += [Moment(number, command.calls[index], each) for index in sorted(chosen)]
    return found


def ends(moment: Moment, commands: Sequence[Counted]) -> int:
    """The status of a run in which somebody is killed. One that loses its tool says so; but partx it runs again."""
    if moment.whom != "tool":
        return -signal.SIGKILL
    return 0 if commands[moment.command - 1].argv[0] == "partx" else 1


def killed(arguments: Sequence[str], moment: Moment) -> Ran:
    """A run in which its tool is killed, or both are, and nothing of it is left."""
    with tempfile.TemporaryDirectory() as logs:
        log = Path(logs) / "strace"
        if not moment.call:
            return subfloor(*arguments, first=lambda: _kill_self_after(moment.command))
        if moment.whom == "tool":
            return subfloor(*arguments, first=lambda: _signal_at(moment, "SIGKILL", log))
        running, tool = _held(arguments, moment, log)
        group = os.getpgid(tool)
        os.kill(running.pid, signal.SIGKILL)
        os.killpg(group, signal.SIGKILL)
        _gone(group)
        return running.wait()


def orphaned(arguments: Sequence[str], again: Sequence[str], moment: Moment) -> tuple[Ran, Ran]:
    """A run that is killed while its tool lives on, and the run after it, which comes at once.

    The tool is held until the second run waits for it, or has come to an end, so that whether they race each
    other is not left to chance.
    """
    with tempfile.TemporaryDirectory() as logs:
        running, tool = _held(arguments, moment, Path(logs) / "strace")
        os.kill(running.pid, signal.SIGKILL)
        return running.wait(), _beside(again, tool)


def _held(arguments: Sequence[str], moment: Moment, log: Path) -> tuple[Running, int]:
    """A run whose tool is stopped at this moment; and the process id of the tool."""
    running = start(arguments, lambda: _signal_at(moment, "SIGSTOP", log))
    return running, _stopped(log, running)


def _beside(again: Sequence[str], tool: int) -> Ran:
    """A run beside a tool that is held until the run waits for a lock, or is at its end."""
    second, group = start(again), os.getpgid(tool)
    try:
        _until(lambda: _waits_for_a_lock(second.pid) or _ended(second.pid))
        # A process that is stopped under strace does not go on while strace is there.
        os.kill(_tracer(tool), signal.SIGKILL)
        _until(lambda: _state(tool) == "T")
        os.kill(tool, signal.SIGCONT)
        _gone(group)
    except BaseException:
        os.killpg(group, signal.SIGKILL)
        raise
    finally:
        run = second.wait()
    return run


# In the fork.


def _instead(
    change: Callable[[int, Sequence[str]], Sequence[str]], then: Callable[[int], None] = lambda n: None
) -> None:
    """Have every command on the host replaced by another; and something done after it."""
    number = 0

    def changed(run: Run, command: Command) -> Result:
        nonlocal number
        number += 1
        result = run(replace(command, argv=tuple(change(number, command.argv))))
        then(number)
        return result

    intercept(changed)


def _noted(logs: Path, number: int, argv: Sequence[str], traced: bool) -> Sequence[str]:
    (logs / f"{number}.argv").write_text(json.dumps(argv))
    return (*_COUNT, "-o", str(logs / f"{number}.log"), "--", *argv) if traced else argv


def _kill_self_after(command: int) -> None:
    def kill(number: int) -> None:
        if number == command:
            os.kill(os.getpid(), signal.SIGKILL)

    _instead(lambda number, argv: argv, kill)


def _signal_at(moment: Moment, name: str, log: Path) -> None:
    assert moment.call
    inject = f"--inject={moment.call.name}:signal={name}:when={moment.call.number}"
    traced = (*_STRACE, inject, "-o", str(log), "--")
    _instead(lambda number, argv: (*traced, *argv) if number == moment.command else argv)


# From outside.


def _calls(log: Path) -> tuple[Call, ...]:
    """The calls of the busiest of a tool's processes, for strace counts for each; none where none were counted."""
    if not log.exists():
        return ()
    made: dict[str, list[str]] = defaultdict(list)
    for process, name in re.findall(r"^(\d+) +(\w+)\(", log.read_text(errors="replace"), re.MULTILINE):
        made[process].append(name)
    names = max(made.values(), key=len, default=[])
    return tuple(Call(name, names[: index + 1].count(name)) for index, name in enumerate(names))


def _stopped(log: Path, running: Running) -> int:
    """Wait until the tool has been stopped; its process id."""
    found: list[str] = []

    def stopped() -> bool:
        found[:] = re.findall(r"^(\d+) .*stopped by SIGSTOP", log.read_text() if log.exists() else "", re.MULTILINE)
        return bool(found) or _ended(running.pid)

    _until(stopped)
    assert found, f"it came to its end before that: {running.wait()}"
    return int(found[0])


def _waits_for_a_lock(pid: int) -> bool:
    """Whether a command of the run with this process id waits for a lock: proc_locks(5) marks those by an arrow."""
    waiting = re.findall(r"-> FLOCK +\S+ +\S+ (\d+)", Path("/proc/locks").read_text())
    return any(pid in _ancestors(int(each)) for each in waiting)


def _ancestors(pid: int) -> Iterator[int]:
    while pid > 1:
        yield pid
        with suppress(OSError):
            pid = _parent(pid)
            continue
        return


def _stat(pid: int) -> list[str]:
    """The state of a process, its parent and its process group, as proc_pid_stat(5) has them."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:3]


def _state(pid: int) -> str:
    return _stat(pid)[0]


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _tracer(pid: int) -> int:
    """The strace that follows a process: its parent, or that of a shell in between."""
    found = re.search(r"^TracerPid:\s+(\d+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found and found[1] != "0", f"nobody traces {pid}"
    return int(found[1])


def _ended(pid: int) -> bool:
    """Whether a child has ended, and waits to be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _gone(group: int) -> None:
    """Wait until nothing of a process group runs any more."""
    _until(lambda: not any(state != "Z" for state, its in _processes() if its == group))


def _processes() -> Iterator[tuple[str, int]]:
    """The state and the process group of every process."""
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, group = _stat(int(path.name))
            yield state, int(group)


def _until(came: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not came():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.005)
