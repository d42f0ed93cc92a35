"""Runs several command lines of subfloor one after another, each in a process of its own.

    python in_turn.py '[["apply", "play.yml"], ["check", "play.yml"]]' [KILL_AFTER]

Python's start, and the imports, take most of a run's time under emulation. So they are done once here, and
each command line runs in a fork. With ``KILL_AFTER`` the first one is killed with SIGKILL after so many
commands on the host. Prints one JSON list: of each its exit status (negative: a signal) and what it said.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import Any

import jinja2.sandbox  # noqa: F401
import jsonschema  # noqa: F401

import subfloor.cli.running  # noqa: F401
from crash.kill_after import kill_after
from subfloor.cli import main


def run(arguments: list[str], killed_after: int) -> dict[str, Any]:
    """One command line, in a fork."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            if killed_after:
                kill_after(killed_after)
            sys.argv[1:] = arguments
            main()
        _, status = os.waitpid(child, 0)
        return {"status": os.waitstatus_to_exitcode(status), "stdout": _said(out), "stderr": _said(err)}


def _said(file: Any) -> str:
    file.seek(0)
    text: str = file.read().decode()
    return text


if __name__ == "__main__":
    kill = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    commands = json.loads(sys.argv[1])
    print(json.dumps([run(command, kill if index == 0 else 0) for index, command in enumerate(commands)]))
