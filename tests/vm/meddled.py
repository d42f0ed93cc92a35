"""In the guest: runs of subfloor in which something goes wrong, one after another, in forks of one process.

    python meddled.py ASKED ANSWER

It lives for as long as the guest, since Python's start takes most of a run's time under emulation. Lists of
actions come as JSON by the pipe (mkfifo(1)) ASKED, and what they come to goes by the pipe ANSWER.

    [{"run": ["apply", …], "before": 3, "sh": "…"}, {"sh": "…"}, …]

An action with ``sh`` alone is a piece of shell. ``run`` is a command line; with ``before`` (the Nth command, or the
first of a program) the shell is run right before that command, with ``number`` and ``fault`` the Nth command
meets with that fault. The answer is a list: of each action its exit status and what it said.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from crash import forked
from crash.faulty_programs import FAULTS, Call, Meeting
from crash.forked import nothing, subfloor
from crash.races import before


def done(action: dict[str, Any], work: Path) -> dict[str, Any]:
    """What an action has come to."""
    if "run" not in action:
        return _shell(action["sh"])
    first = nothing
    if "before" in action:
        first = before(action["before"], partial(_shell, action["sh"]))
    elif "fault" in action:
        fault = next(fault for fault in FAULTS if fault.name == action["fault"])
        first = Meeting(action["number"], Call((), 0), fault).arrange(work, ())
    ran = subfloor(*action["run"], first=first)
    return {"status": ran.status, "said": ran.said}


def _shell(script: str) -> dict[str, Any]:
    ran = subprocess.run(["sh", "-euc", script], capture_output=True, text=True)
    return {"status": ran.returncode, "said": ran.stdout + ran.stderr}


def serve(asked: Path, answer: Path) -> None:
    """Do what is asked for, for ever."""
    while True:
        results = []
        for action in json.loads(asked.read_text()):
            with tempfile.TemporaryDirectory() as work:
                results.append(done(action, Path(work)))
        answer.write_text(json.dumps(results))


if __name__ == "__main__":
    forked.DEADLINE = 280  # an installation takes its time under emulation; it must end before whoever asked does
    serve(*map(Path, sys.argv[1:]))
