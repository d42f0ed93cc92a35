"""A plan as a file: the steps that a check has shown, so that an apply takes these and no others. Pure.

It holds what a report shows of each step, so it holds no secret: no standard input of a command, and dots for secrets.
"""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from subfloor.core.outcome import HostReport, StepRecord
from subfloor.core.task import Step
from subfloor.observe.disk import DiskState
from subfloor.report.json import loss_document
from subfloor.report.layout import drawn
from subfloor.report.run import Run
from subfloor.report.values import as_json, spelt

KIND = "subfloor plan"
VERSION = 1
"""The version of the file's form."""


def dumps(run: Run, *, deep: bool = True) -> str:
    """The plan of a check as text. ``deep``: whether the check looked into filesystems that are not mounted."""
    return json.dumps(document(run, deep=deep), indent=2, ensure_ascii=False) + "\n"


def document(run: Run, *, deep: bool = True) -> dict[str, Any]:
    """The plan of a check as values for ``json.dumps``; its schema is ``plan.schema.json``."""
    return {
        "kind": KIND,
        "version": VERSION,
        "deep": deep,
        "subfloor": run.version,
        "time": run.time,
        "play": spelt(run.play),
        "hosts": {spelt(host.host): _host(host) for host in run.hosts},
    }


def _host(host: HostReport) -> dict[str, Any]:
    return {
        "disks": [_disk(each.path, each.found) for each in drawn(host.survey)],
        "steps": [_step(task.name, taken) for task in host.tasks for taken in task.steps],
    }


def _disk(path: str, disk: DiskState) -> dict[str, Any]:
    """The properties that identify a disk."""
    return {"path": spelt(path), "model": spelt(disk.model), "serial": spelt(disk.serial), "size": disk.size}


def _step(task: str, taken: StepRecord) -> dict[str, Any]:
    return {
        "task": spelt(task),
        **_words(taken.step),
        "differences": [
            {
                "subject": spelt(each.subject),
                "property": each.property,
                "before": as_json(each.before, each.property),
                "after": as_json(each.after, each.property),
            }
            for each in taken.differences
        ],
    }


def _words(step: Step) -> dict[str, Any]:
    """The part of a step that a person reviews; apply takes only steps whose part is in the plan."""
    return {
        "says": spelt(step.says),
        "commands": [as_json(command.argv) for command in step.commands],
        "destroys": [loss_document(loss) for loss in step.destroys],
    }


@dataclass(frozen=True)
class SavedPlan:
    """A plan that was read from a file."""

    told: Mapping[str, Any]

    @classmethod
    def read(cls, text: str) -> SavedPlan:
        """The plan in the text of a file. Raises ``ValueError``."""
        told = json.loads(text) if text.strip() else None
        if not isinstance(told, dict) or told.get("kind") != KIND:
            raise ValueError("it is not a plan that `check --save-plan` wrote")
        if told.get("version") != VERSION:
            raise ValueError(f"its format has version {told.get('version')}, but this subfloor reads version {VERSION}")
        return cls(told)

    @property
    def is_deep(self) -> bool:
        """Whether the check that made the plan looked into filesystems that are not mounted."""
        return bool(self.told.get("deep", False))

    def changes(self, hosts: Sequence[HostReport]) -> tuple[str, ...]:
        """The steps of these hosts that are not in the plan, and the disks that differ from the plan, as lines.

        Steps of the plan that are no longer needed do not count as a change: an interrupted apply can be resumed.
        """
        return tuple(line for host in hosts for line in self._changes_on(host))

    def _changes_on(self, host: HostReport) -> Iterator[str]:
        saved = self.told["hosts"].get(spelt(host.host))
        now = _as_read(_host(host))
        if saved is None:
            yield f"{host.host}: the plan has no such host"
            return
        for disk in now["disks"]:
            if disk not in saved["disks"]:
                was = [each for each in saved["disks"] if each["path"] == disk["path"]]
                yield from _as_change(host.host, map(_disk_line, was), [_disk_line(disk)])
        left = Counter(map(_key, saved["steps"]))
        for step in now["steps"]:
            if not left[_key(step)]:
                similar = [each for each in saved["steps"] if each["says"] == step["says"]][:1]
                yield from _as_change(host.host, _lines(similar), _lines([step]))
            left[_key(step)] -= 1

    def has(self, step: Step) -> bool:
        """Whether a step is in the plan of any host, with these words, commands and losses."""
        words = _as_read(_words(step))
        every = (each for host in self.told["hosts"].values() for each in host["steps"])
        return any(all(each[name] == words[name] for name in words) for each in every)


def _as_read(told: Any) -> Any:
    """Values as they are after they were written to a file and read again."""
    return json.loads(json.dumps(told))


def _key(told: Any) -> str:
    return json.dumps(told, sort_keys=True)


def _as_change(host: str, before: Iterable[str], after: Iterable[str]) -> Iterator[str]:
    """The lines that differ: - is a line of the saved plan, + a line of the current one."""
    old, new = list(before), list(after)
    yield f"{host}:"
    yield from (f"  - {line}" for line in old if line not in new)
    yield from (f"  + {line}" for line in new if line not in old)


def _disk_line(disk: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (disk["path"], disk["model"], disk["serial"], f"{disk['size']} bytes")))


def _lines(steps: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for step in steps:
        yield step["says"]
        yield from (f"$ {shlex.join(command)}" for command in step["commands"])
        yield from (f"destroys what is on {loss['what']}" for loss in step["destroys"])
        for each in step["differences"]:
            where = ", ".join(filter(None, (each["subject"], each["property"])))
            yield f"{where}: {_value(each['before'])} → {_value(each['after'])}"


def _value(told: Any) -> str:
    return told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
