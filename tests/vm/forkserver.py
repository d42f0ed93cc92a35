"""In the guest: runs of subfloor, disturbed or not, one after another, in forks of one process.

    python forkserver.py ASKED ANSWER

It lives for as long as the guest, since Python's start takes most of a run's time under emulation. Lists of
actions come as JSON by the pipe (mkfifo(1)) ASKED, and what they come to goes by the pipe ANSWER.

    [{"run": ["apply", …], "before": 3, "sh": "…"}, {"sh": "…"}, …]

An action with ``sh`` alone is a piece of shell. ``run`` is a command line, and may have beside it

- ``before``: the Nth command, or the first of a program: the shell is run right before it;
- ``number`` and ``fault``: the Nth command meets with that fault;
- ``count``: what calls each so many-th of its commands makes is to be told;
- ``kill``: a moment, as [command, [name of a call, number] or null, whom]: the run is killed then, and once more
  run, at once where its tool lives on.

The answer is a list: of each action its exit status and what it said, and also ``commands`` of what was counted, and
of what was killed the next run as ``again``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import traceback
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from crash import forked, killing
from crash.faulty_programs import FAULTS, Call, Meeting
from crash.forked import Ran, nothing, subfloor
from crash.killing import Moment, counted, killed, orphaned
from crash.races import before


def done(action: dict[str, Any], work: Path) -> dict[str, Any]:
    """The result of an action."""
    if "run" not in action:
        return _told(_shell(action["sh"]))
    run = action["run"]
    if "count" in action:
        ran, commands = counted(run, action["count"])
        return {**_told(ran), "commands": [asdict(command) for command in commands]}
    if "kill" in action:
        first, again = _killed(run, *action["kill"])
        return {**_told(first), "again": _told(again)}
    return _told(subfloor(*run, first=_disturbed(action, work)))


def _answer(action: dict[str, Any], work: Path) -> dict[str, Any]:
    """An error of the test itself is an answer, too: otherwise its caller would wait without end."""
    try:
        return done(action, work)
    except Exception:
        return _told(Ran(70, "", traceback.format_exc())) | {"again": {"status": 70}, "commands": []}


def _disturbed(action: dict[str, Any], work: Path) -> Any:
    if "before" in action:
        return before(action["before"], partial(_shell, action["sh"]))
    if "fault" in action:
        fault = next(fault for fault in FAULTS if fault.name == action["fault"])
        return Meeting(action["number"], Call((), 0), fault).arrange(work, ())
    return nothing


def _killed(run: list[str], command: int, call: tuple[str, int] | None, whom: Any) -> tuple[Ran, Ran]:
    moment = Moment(command, killing.Call(*call) if call else None, whom)
    return orphaned(run, run, moment) if moment.whom == "runner" else (killed(run, moment), subfloor(*run))


def _told(ran: Ran) -> dict[str, Any]:
    return {**asdict(ran), "said": ran.said}


def _shell(script: str) -> Ran:
    ran = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=False)
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def serve(asked: Path, answer: Path) -> None:
    """Serve requests without end."""
    while True:
        results = []
        for action in json.loads(asked.read_text()):
            with tempfile.TemporaryDirectory() as work:
                results.append(_answer(action, Path(work)))
        answer.write_text(json.dumps(results))


if __name__ == "__main__":
    forked.DEADLINE = 560  # an installation takes its time under emulation; it must end before whoever asked does
    serve(*map(Path, sys.argv[1:]))
