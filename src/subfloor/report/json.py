"""A run as one JSON document, whose schema is ``report.schema.json``.

Commands are shown as their argv. Their standard input may be a secret and is not shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from subfloor.core.errors import SubfloorError
from subfloor.core.machine import Difference
from subfloor.core.outcome import HostReport, Repair, StepRecord, TaskReport, UnmountedFilesystem
from subfloor.core.task import Loss
from subfloor.observe.disk import Disk, DiskState
from subfloor.report.declared import declaration
from subfloor.report.found import shown
from subfloor.report.layout import Drawn, Span, Undeclared, drawn, spans, undeclared
from subfloor.report.run import Problem, Run
from subfloor.report.values import as_json, in_bytes, spelt

SCHEMA = Path(__file__).with_name("report.schema.json")

VERSION = 1
"""The version of the document's form. It changes when a reader of the old form could misread the new one."""


def dumps(run: Run, *, ascii: bool = False) -> str:
    """The document as text, with a final newline; ``ascii``: all non-ASCII characters are escaped."""
    return json.dumps(document(run), indent=2, ensure_ascii=ascii) + "\n"


def document(run: Run) -> dict[str, Any]:
    """The report of a run as values for ``json.dumps``."""
    return {
        "version": VERSION,
        "subfloor": run.version,
        "time": run.time,
        "command": run.command,
        "status": run.status,
        "outcome": run.outcome,
        "error": _problem(run.problem),
        "play": spelt(run.play),
        "hosts": {spelt(host.host): _host(host) for host in run.hosts},
    }


def _problem(problem: Problem | None) -> dict[str, Any] | None:
    if problem is None:
        return None
    return {"kind": problem.kind, "what": spelt(problem.what), "advice": spelt(problem.advice)}


def _host(host: HostReport) -> dict[str, Any]:
    found: dict[str, Any] = {
        "outcome": str(host.outcome),
        "applied_before": str(host.survey.applied_before) if host.survey else "unknown",
        "tasks": [_task(task, _sectors(host)) for task in host.tasks],
        "error": error_document(host.error),
        "disks": [_disk(disk) for disk in drawn(host.survey)],
        "undeclared": [_undeclared(each) for each in undeclared(host.survey)],
    }
    if host.unmounted:
        found["not_mounted"] = [_inside(each) for each in host.unmounted]
    if host.unreached:
        found["unreached"] = as_json(host.unreached)
    if host.unused:
        found["unused_consent"] = as_json(host.unused)
    if host.broke_off:
        found["broke_off"] = spelt(host.broke_off.says)
    return found


def _inside(each: UnmountedFilesystem) -> dict[str, Any]:
    return {
        "source": spelt(each.source),
        "path": spelt(each.path),
        "seen": not each.unseen,
        "why_not": spelt(each.unseen),
        "note": spelt(each.note),
    }


Sectors = Mapping[str, int]
"""The size of a disk's sectors in bytes, by the name of the disk as a subject."""


def _sectors(host: HostReport) -> Sectors:
    return {str(Disk(disk.path)): disk.found.limits.sector for disk in drawn(host.survey)}


def _task(task: TaskReport, sectors: Sectors) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": spelt(task.name),
        "task": spelt(task.task),
        "outcome": str(task.outcome),
        "repair": str(task.repair),
        "destroys": task.destroys,
        "declared": declaration(task.declared),
        "differences": _differences(task, sectors),
        "steps": [_step(taken, sectors) for taken in task.steps],
        "error": error_document(task.error),
    }
    if task.cause:
        found["cause"] = spelt(task.cause)
    if task.stops:
        found["blocks"] = as_json(task.stops)
    if task.note:
        found["note"] = spelt(task.note)
    if task.warnings:
        found["warnings"] = as_json(task.warnings)
    return found


def _differences(task: TaskReport, sectors: Sectors) -> list[dict[str, Any]]:
    """Each difference between what is declared and what was found, and what it takes to repair it."""
    about = {
        "repair": str(task.repair),
        "in_place": task.repair is Repair.IN_PLACE,
        "destroys": task.repair is Repair.DESTROYS,
        "advice": spelt(task.error.advice) if task.error else None,
    }
    if task.error and not shown(task):
        whole = {"subject": spelt(task.name), "property": "", "declared": declaration(task.declared)}
        return [{**whole, "found": spelt(task.error.what), **about}]
    changed = (_difference(difference, sectors) for difference in shown(task))
    return [
        {
            "subject": each["subject"],
            "property": each["property"],
            "declared": each["after"],
            "found": each["before"],
            **about,
        }
        for each in changed
    ]


def _step(taken: StepRecord, sectors: Sectors) -> dict[str, Any]:
    return {
        "says": spelt(taken.step.says),
        "commands": [as_json(command.argv) for command in taken.step.commands],
        "differences": [_difference(difference, sectors) for difference in taken.differences],
        "destroys": [loss_document(loss) for loss in taken.step.destroys],
    }


def loss_document(loss: Loss) -> dict[str, Any]:
    """One loss of a step as JSON values."""
    return {"device": spelt(loss.device), "node": spelt(loss.node), "what": spelt(loss.what)}


def _difference(difference: Difference, sectors: Sectors) -> dict[str, Any]:
    name, sector = difference.property, sectors.get(difference.subject)
    return {
        "subject": spelt(difference.subject),
        "property": in_bytes(name) if sector else name,
        "before": as_json(difference.before, name, sector),
        "after": as_json(difference.after, name, sector),
    }


def error_document(error: SubfloorError | None) -> dict[str, Any] | None:
    """An error as JSON values: its kind, what is wrong, and what to do next; None if there is no error."""
    return _problem(Problem.of(error)) if error else None


def _disk(disk: Drawn) -> dict[str, Any]:
    return {
        "path": spelt(disk.path),
        **disk_document(disk.found),
        "planned": [span_document(span) for span in spans(disk.planned)],
    }


def disk_document(disk: DiskState) -> dict[str, Any]:
    """A disk as JSON values: what it is, and its layout; all sizes in bytes."""
    return {
        "node": spelt(disk.node),
        "model": spelt(disk.model),
        "serial": spelt(disk.serial),
        "size": disk.size,
        "found": [span_document(span) for span in spans(disk)],
    }


def span_document(span: Span) -> dict[str, Any]:
    """A part of a disk as JSON values."""
    return {
        "number": span.number or None,
        "name": spelt(span.name),
        "use": str(span.use),
        "content": spelt(span.content),
        "start": span.start,
        "size": span.size,
        "in_use": as_json(span.in_use),
    }


def _undeclared(each: Undeclared) -> dict[str, Any]:
    return {"disk": spelt(each.disk), "node": spelt(each.node), **span_document(each.span)}
