"""The log of a run: one JSON line for each event, written before the next event happens.

It shows what happened even if the machine is lost. So it is appended to and never truncated; each line is one
write, and steps are flushed to the disk. ``log.schema.json`` describes its lines. The standard input of commands
may be a secret and is not in the log.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from subfloor.act.events import (
    CommandEnded,
    CommandRunning,
    Event,
    LockAwaited,
    Looked,
    StepEnded,
    StepStarted,
    TaskStarted,
)
from subfloor.core.outcome import HostReport, TaskReport
from subfloor.core.task import Step
from subfloor.report.json import error_document, loss_document
from subfloor.report.values import as_json, spelt

SCHEMA = Path(__file__).with_name("log.schema.json")

_STDERR = 4096
"""How many bytes of a command's standard error are kept, from its end."""


class Log:
    """Writes the events of a run to a file. A failed write raises no error: ``complaint`` gives the reason."""

    def __init__(self, descriptor: int) -> None:
        """``descriptor``: the file, opened for appending."""
        self._descriptor, self._host = descriptor, ""
        self._start = self._command_began = time.monotonic()
        self._complaints: list[str] = []

    @property
    def complaint(self) -> str:
        """The reason of the last failed write, empty if there was none."""
        return self._complaints[-1] if self._complaints else ""

    def began(self, command: str, again: str, version: str) -> None:
        """A run has started; ``again`` is its command line."""
        self._line("began", command=command, line=again, version=version, pid=os.getpid(), uid=os.geteuid())

    def agreed(self, devices: Iterable[str]) -> None:
        """The user agreed to the plan and gave consent for these devices."""
        self._line("agreed", devices=sorted(devices), flush=True)

    def finished(self, status: int, again: str, error: BaseException | None = None) -> None:
        """A run has ended with this exit status. ``again``: the command line to resume it, if it was interrupted."""
        about = {"what": spelt(error) or type(error).__name__} if error else {}
        self._line("finished", status=status, again=again, **about, flush=True)

    # The methods of ``act.watch.Watch``.

    def on(self, name: str) -> Log:
        """A log for one of several hosts, in the same file: each line is one write."""
        own = copy.copy(self)
        own._host = name
        return own

    def planning(self, name: str) -> None:
        """The host of this name is looked at for the plan."""
        self._host = name

    def host(self, name: str) -> None:
        """The tasks of the host of this name follow."""
        self._host = name

    def ended(self, report: HostReport) -> None:
        """The current host is finished."""
        about: dict[str, Any] = {"unreached": report.unreached} if report.unreached else {}
        about |= {"broke_off": report.broke_off.says} if report.broke_off else {}
        outcome, error = str(report.outcome), error_document(report.error)
        self._of_host("host-ended", outcome=outcome, error=error, **about, flush=True)

    def event(self, event: Event) -> None:
        """Something happened on the current host."""
        match event:
            case Looked():
                self._of_host("looked", subjects=event.subjects, seconds=round(event.seconds, 3))
            case TaskStarted():
                self._of_host("task", name=event.name)
            case TaskReport():
                self._task_ended(event)
            case LockAwaited():
                self._of_host("waiting", what=event.what, holders=event.holders)
            case StepStarted():
                self._of_host("step", **_step(event.step), flush=True)
            case StepEnded():
                self._of_host("step-ended", says=event.step.says, flush=True)
            case _:
                self._command(event)

    def _command(self, event: Event) -> None:
        if isinstance(event, CommandRunning) and not event.seconds:
            self._command_began = time.monotonic()
            self._of_host("command", argv=event.command.argv, timeout=event.command.timeout)
        elif isinstance(event, CommandEnded):
            seconds = round(time.monotonic() - self._command_began, 3)
            said = event.result.stderr[-_STDERR:].decode("utf-8", "replace")
            self._of_host("command-ended", status=event.result.status, seconds=seconds, stderr=said)

    def _task_ended(self, report: TaskReport) -> None:
        self._of_host(
            "task-ended",
            name=report.name,
            task=report.task,
            outcome=str(report.outcome),
            steps=[taken.step.says for taken in report.steps],
            error=error_document(report.error),
        )

    def _of_host(self, event: str, **about: Any) -> None:
        self._line(event, host=self._host, **about)

    def _line(self, event: str, flush: bool = False, **about: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        stamp = {"at": now, "elapsed": round(time.monotonic() - self._start, 3), "event": event}
        text = json.dumps(stamp | _spelt(about), ensure_ascii=False)
        try:
            _write(self._descriptor, f"{text}\n".encode())
        except OSError as error:
            self._complaints.append(str(error))
        if flush:
            with contextlib.suppress(OSError):  # a pipe has nothing to flush
                os.fdatasync(self._descriptor)


def _spelt(about: Mapping[str, Any]) -> dict[str, Any]:
    return {name: as_json(value) for name, value in about.items()}


def _step(step: Step) -> dict[str, Any]:
    return {"says": step.says, "destroys": [loss_document(loss) for loss in step.destroys], "locks": step.locks}


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
