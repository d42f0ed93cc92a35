"""Refuse two names for one disk in a play: it would be planned as two disks and laid out twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from subfloor.core.engine import Entry
from subfloor.core.errors import Refused
from subfloor.core.machine import AnySubject, Machine
from subfloor.core.outcome import Outcome, TaskReport
from subfloor.observe.disk import Disk, DiskState


def refuse_duplicate_names(
    entries: Sequence[Entry], machine: Machine, reports: Iterable[TaskReport]
) -> tuple[TaskReport, ...]:
    """The reports; every task that looks at a disk with several names in the play is refused."""
    found = _aliases(machine)
    return tuple(_checked(entry, report, found) for entry, report in zip(entries, reports, strict=True))


def _checked(entry: Entry, report: TaskReport, found: Mapping[AnySubject, Refused]) -> TaskReport:
    subjects = entry.task.subjects() if entry.task else frozenset()
    errors = [error for subject, error in found.items() if subject in subjects]
    return replace(report, outcome=Outcome.REFUSED, steps=(), error=errors[0]) if errors else report


def _aliases(machine: Machine) -> Mapping[AnySubject, Refused]:
    nodes = sorted(
        (state.node, subject.path)
        for subject, state in machine.items()
        if isinstance(subject, Disk) and isinstance(state, DiskState)
    )
    found: dict[AnySubject, Refused] = {}
    for node, named in groupby(nodes, key=lambda pair: pair[0]):
        paths = [path for _, path in named]
        if len(paths) > 1:
            found |= dict.fromkeys(map(Disk, paths), _refusal(node, paths))
    return found


def _refusal(node: str, paths: Sequence[str]) -> Refused:
    return Refused(
        f"the play has {len(paths)} names for one disk, {node}: {' and '.join(paths)}",
        advice="use one name for it in the whole play; a name below /dev/disk/by-id stays the same after a reboot",
    )
