"""A run as one JSON document, whose schema is ``report.schema.json``.

Commands are shown as their argv. Their standard input may be a secret and is not shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from subfloor.core.errors import SubfloorError
from subfloor.core.machine import Difference
from subfloor.core.outcome import HostReport, StepRecord, TaskReport
from subfloor.core.task import Loss
from subfloor.report.values import as_json, spelt

SCHEMA = Path(__file__).with_name("report.schema.json")


def dumps(play: str, hosts: Iterable[HostReport], *, ascii: bool = False) -> str:
    """The document as text, with a final newline; ``ascii``: all non-ASCII characters are escaped."""
    return json.dumps(document(play, hosts), indent=2, ensure_ascii=ascii) + "\n"


def document(play: str, hosts: Iterable[HostReport]) -> dict[str, Any]:
    """The report of a run as values for ``json.dumps``."""
    return {"play": spelt(play), "hosts": {spelt(host.host): _host(host) for host in hosts}}


def _host(host: HostReport) -> dict[str, Any]:
    found: dict[str, Any] = {
        "outcome": str(host.outcome),
        "tasks": [_task(task) for task in host.tasks],
        "error": error_document(host.error),
    }
    if host.unreached:
        found["unreached"] = as_json(host.unreached)
    if host.unused:
        found["unused_consent"] = as_json(host.unused)
    if host.broke_off:
        found["broke_off"] = spelt(host.broke_off.says)
    return found


def _task(task: TaskReport) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": spelt(task.name),
        "task": spelt(task.task),
        "outcome": str(task.outcome),
        "steps": [_step(taken) for taken in task.steps],
        "error": error_document(task.error),
    }
    if task.note:
        found["note"] = spelt(task.note)
    if task.warnings:
        found["warnings"] = as_json(task.warnings)
    return found


def _step(taken: StepRecord) -> dict[str, Any]:
    return {
        "says": spelt(taken.step.says),
        "commands": [as_json(command.argv) for command in taken.step.commands],
        "differences": [_difference(difference) for difference in taken.differences],
        "destroys": [loss_document(loss) for loss in taken.step.destroys],
    }


def loss_document(loss: Loss) -> dict[str, Any]:
    """One loss of a step as JSON values."""
    return {"device": spelt(loss.device), "node": spelt(loss.node), "what": spelt(loss.what)}


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "subject": spelt(difference.subject),
        "property": difference.property,
        "before": as_json(difference.before),
        "after": as_json(difference.after),
    }


def error_document(error: SubfloorError | None) -> dict[str, Any] | None:
    """An error as JSON values: its kind, what is wrong, and what to do next; None if there is no error."""
    if error is None:
        return None
    return {"kind": type(error).__name__, "what": spelt(error.what), "advice": spelt(error.advice)}
