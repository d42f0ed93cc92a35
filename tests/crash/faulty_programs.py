"""Programs that do not do what they are there for: a table of faults, and how one is given to the Nth command.

The command is replaced in the process that runs it by a script of the same name, so that its neighbours, and
the probes that call the same program, are left alone.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import subfloor.act.apply
from crash.intercepting import Run, intercept
from subfloor.act.pieces import Result
from subfloor.core.task import Command

IMPATIENT = 1.0
"""Seconds: a command that hangs is given up after these, and so is a promise that does not come true."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a program.

    ``script`` is sh, in which ``$tool`` is the program itself and ``$trace`` looks at what it writes to the disk;
    None: there is no program. ``says`` is in the message that comes of it. ``half``: it comes in the middle of
    the program's writes, whose number the script finds in ``$half``. ``timeout`` is the command's, in seconds.
    """

    name: str
    script: str | None
    says: str
    half: bool = False
    timeout: float = 60.0


FAULTS = (
    Fault("missing", None, "not found"),
    Fault("killed at once", "kill -KILL $$", "was ended by SIGKILL"),
    Fault(
        "killed half-way",
        'exec $trace -e "inject=$writes:signal=KILL:when=$half" "$tool" "$@"',
        "was ended by SIGKILL",
        half=True,
    ),
    Fault("hangs", "exec sleep 600", "did not end within", timeout=IMPATIENT),
    Fault("hangs after its work", '"$tool" "$@"; exec sleep 600', "did not end within", timeout=IMPATIENT),
    Fault(
        "fails half-way",
        'exec $trace -e "inject=$writes:error=EIO:when=$half+" "$tool" "$@"',
        "ended with status",
        half=True,
    ),
    Fault("fails after its work", '"$tool" "$@"; echo "out of luck" >&2; exit 9', "out of luck"),
    Fault("is short of memory", 'ulimit -v 12000; exec "$tool" "$@"', ""),
    Fault("does nothing", "exec cat >/dev/null", ""),
)

_WRITES = "write,pwrite64,writev,pwritev,pwritev2"


def _trace(paths: Sequence[str], log: str) -> list[str]:
    watched = [word for path in paths for word in ("-P", path)]
    return ["strace", "-f", "-qq", "-o", log, "-e", f"trace={_WRITES}", "-e", "signal=none", *watched]


@dataclass(frozen=True)
class Call:
    """A command that a run called: its argv, and how many times it wrote to the disk, by the call it used most.

    strace(1) counts each system call apart.
    """

    argv: tuple[str, ...]
    writes: int


def survey(log: Path, paths: Sequence[str]) -> Callable[[], None]:
    """Arrange for a run to leave in a file what it calls, for ``surveyed`` to read."""
    trace = log.with_suffix(".strace")

    def traced(run: Run, command: Command) -> Result:
        result = run(replace(command, argv=(*_trace(paths, str(trace)), *command.argv)))
        with log.open("a") as file:
            file.write(json.dumps([list(command.argv), _most(trace.read_text())]) + "\n")
        return result

    return lambda: _impatiently(traced)


def _most(trace: str) -> int:
    """How often the system call was made that was made most."""
    return max(Counter(re.findall(r"^\d+ +(\w+)\(", trace, re.MULTILINE)).values(), default=0)


def surveyed(log: Path) -> list[Call]:
    """What ``survey`` has left."""
    return [Call(tuple(argv), writes) for argv, writes in map(json.loads, log.read_text().splitlines())]


@dataclass(frozen=True)
class Meeting:
    """The Nth command of a run, counted from 1, and the fault that it meets with."""

    number: int
    call: Call
    fault: Fault

    def __str__(self) -> str:
        return f"command {self.number}, `{shlex.join(self.call.argv)}`, {self.fault.name}"

    def arrange(self, work: Path, paths: Sequence[str]) -> Callable[[], None]:
        """What brings it about in the process that calls it. ``paths`` are the disk's nodes."""
        place, count, last = work / "faulty", 0, object()

        def counted(run: Run, command: Command) -> Result:
            nonlocal count, last
            this = command.argv, command.stdin
            count += this != last  # one that is tried again is the same command
            last = this
            if count != self.number:
                return run(command)
            program = self._write(place, command.argv[0], paths)
            return run(replace(command, argv=(str(program), *command.argv[1:]), timeout=self.fault.timeout))

        return lambda: _impatiently(counted)

    def _write(self, place: Path, name: str, paths: Sequence[str]) -> Path:
        place.mkdir(exist_ok=True)
        program = place / name
        if self.fault.script is not None:
            tool = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
            trace = shlex.join(_trace(paths, "/dev/null"))
            program.write_text(
                f"#!/bin/sh\ntool={tool} half={(self.call.writes + 1) // 2} writes={_WRITES}\n"
                f"trace='{trace}'\n{self.fault.script}\n"
            )
            program.chmod(0o755)
        return program


def meetings(calls: Sequence[Call]) -> list[Meeting]:
    """Every command with every fault that it can have."""
    return [
        Meeting(number, call, fault)
        for number, call in enumerate(calls, 1)
        for fault in FAULTS
        if call.writes or not fault.half
    ]


def _impatiently(instead: Callable[[Run, Command], Result]) -> None:
    intercept(instead)
    subfloor.act.apply._PATIENCE = IMPATIENT
