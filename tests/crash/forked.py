"""One command line of subfloor, in a fork of this process, with whatever is to go wrong put in place first.

A fork starts no Python and imports nothing, so a campaign of many runs spends its time on disks. And in it
the code can be changed for one run: a command replaced, something done at the very moment that matters.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from subfloor.cli import main
from subfloor.playbook.registry import Registry

# What a run imports only when it needs it.
for _late in ("jinja2.sandbox", "jsonschema", "subfloor.cli.running", "subfloor.report.text", "subfloor.report.json"):
    importlib.import_module(_late)
Registry().names()  # imports every plugin

DEADLINE = 300
"""Seconds until a run is ended as one that hangs: by a signal, so its status is below 0."""


@dataclass(frozen=True)
class Ran:
    """How a run ended: its exit status, below 0 for a signal, and all that it said."""

    status: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        return self.stdout + self.stderr

    @property
    def report(self) -> dict[str, Any]:
        """What it came to on localhost, of a run that was asked for JSON."""
        document: dict[str, Any] = json.loads(self.stdout)["hosts"]["localhost"]
        return document


def nothing() -> None:
    """What is put in place for a run in which nothing goes wrong."""


@dataclass(frozen=True)
class Running:
    """A run that has begun."""

    pid: int
    out: Any
    err: Any

    def wait(self) -> Ran:
        _, status = os.waitpid(self.pid, 0)
        return Ran(os.waitstatus_to_exitcode(status), _said(self.out), _said(self.err))


def start(arguments: Sequence[object], first: Callable[[], object] = nothing) -> Running:
    """Begin a run; ``first`` is called in its process, before it."""
    out, err = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115  (closed when read)
    child = os.fork()
    if child == 0:
        _be_subfloor([str(each) for each in arguments], first, out.fileno(), err.fileno())
    return Running(child, out, err)


def subfloor(*arguments: object, first: Callable[[], object] = nothing) -> Ran:
    """A run from its beginning to its end."""
    return start(arguments, first).wait()


def _be_subfloor(arguments: list[str], first: Callable[[], object], out: int, err: int) -> None:
    status = 70  # EX_SOFTWARE: it did not come to its end
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, DEADLINE)
        nowhere = os.open(os.devnull, os.O_RDONLY)
        for here, there in ((0, nowhere), (1, out), (2, err)):
            os.dup2(there, here)
        # The test's own streams are not these: pytest has put others in their places.
        sys.stdin, sys.stdout, sys.stderr = (io.TextIOWrapper(io.FileIO(n, "r" if n == 0 else "w")) for n in (0, 1, 2))
        sys.argv = ["subfloor", *arguments]
        first()
        main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _said(file: Any) -> str:
    with file:
        file.seek(0)
        text: str = file.read().decode()
        return text
