"""Kills runs of subfloor in the guest, each at a moment of its own, and carries them on; then says what came of it.

    python killed_there.py '{"apply": […], "check": […], "blank": "…", "state": "…", "every": 1}' [MOMENTS]

Without moments it tells of a run that nobody disturbs: what it comes to, and which calls each so many-th of its
commands makes. With them (JSON: a list of [command, [name of a call, number] or null, whom]), each is tried from a
blank disk. ``blank`` and ``state`` are pieces of sh. All of it is one process, since Python's start takes most of a
run's time under emulation.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import crash.forked
from crash.forked import Ran, subfloor
from crash.killing import Call, Counted, Moment, counted, killed, orphaned


def sh(script: str) -> str:
    """What a piece of sh says, and its complaints."""
    done = subprocess.run(["/bin/sh", "-uc", script], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def undisturbed(job: dict[str, Any]) -> dict[str, Any]:
    """A whole run, its commands with their calls, and what it comes to."""
    sh(job["blank"])
    run, commands = counted(job["apply"], job["every"])
    return {"run": asdict(run), "commands": [_words(each) for each in commands], "state": sh(job["state"])}


def _words(command: Counted) -> dict[str, Any]:
    return {"argv": command.argv, "calls": [(call.name, call.number) for call in command.calls]}


def tried(job: dict[str, Any], moment: Moment) -> dict[str, Any]:
    """A run that is killed at this moment; the run after it; a check; and what it comes to."""
    sh(job["blank"])
    first, again = _killed(job["apply"], moment)
    check = subfloor(*job["check"])
    return {"first": asdict(first), "again": asdict(again), "check": asdict(check), "state": sh(job["state"])}


def _killed(apply: list[str], moment: Moment) -> tuple[Ran, Ran]:
    if moment.whom == "runner":
        return orphaned(apply, apply, moment)
    return killed(apply, moment), subfloor(*apply)


def main() -> None:
    crash.forked.DEADLINE = 900  # under emulation, and with strace, a run takes long
    job = json.loads(sys.argv[1])
    if len(sys.argv) < 3:
        print(json.dumps(undisturbed(job)))
        return
    meant = [Moment(number, Call(*call) if call else None, whom) for number, call, whom in json.loads(sys.argv[2])]
    print(json.dumps([tried(job, moment) for moment in meant]))


if __name__ == "__main__":
    main()
