"""One cause is reported once: link each task that cannot be decided to the task that must be resolved first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from subfloor.act import targets
from subfloor.core.engine import Entry
from subfloor.core.errors import ConsentNeeded
from subfloor.core.outcome import Outcome, TaskReport
from subfloor.core.task import Task

_STOPPED = (Outcome.REFUSED, Outcome.NOT_VISIBLE)


def with_causes(entries: Sequence[Entry], reports: Sequence[TaskReport]) -> tuple[TaskReport, ...]:
    """Link the reports. ``cause`` of a report names the earlier task that must be resolved first; ``stops`` in the
    report of that task names the tasks that wait for it."""
    roots: dict[int, int] = {}
    stopped: list[int] = []
    for at, (entry, report) in enumerate(zip(entries, reports, strict=True)):
        before = (n for n in stopped if _explains(entries[n].task, reports[n], entry.task, report))
        first = next(before, None)
        if first is not None:
            roots[at] = roots.get(first, first)
        if first is not None or _is_stopped(report):
            stopped.append(at)
    return _linked(reports, roots)


def _linked(reports: Sequence[TaskReport], roots: Mapping[int, int]) -> tuple[TaskReport, ...]:
    """The reports with ``cause`` and ``stops``. ``roots``: a task's number → the number of the task that stops it."""
    found = list(reports)
    stops: dict[int, list[str]] = {}
    for at, root in roots.items():
        stops.setdefault(root, []).append(reports[at].name)
        same = _words(reports[at]) == _words(reports[root])
        found[at] = replace(reports[at], cause=reports[root].name, repeats=same)
    for root, names in stops.items():
        found[root] = replace(reports[root], stops=tuple(names))
    return tuple(found)


def _explains(earlier: Task | None, cause: TaskReport, task: Task | None, report: TaskReport) -> bool:
    """Whether an earlier task, which is stopped, is the reason why this one cannot be done."""
    if not (earlier and task):
        return False
    if report.outcome is Outcome.WOULD_CHANGE:  # decided on the current state, which the earlier task would change
        return _needs(task, earlier)
    return _is_stopped(report) and (_words(cause) == _words(report) or _needs(task, earlier))


def _is_stopped(report: TaskReport) -> bool:
    """Whether the task is refused or not visible. Missing consent does not count, since a plan continues after it."""
    return report.outcome in _STOPPED and not isinstance(report.error, ConsentNeeded)


def _words(report: TaskReport) -> tuple[str, str]:
    return (report.error.what, report.error.advice) if report.error else ("", "")


def _needs(task: Task, earlier: Task) -> bool:
    """Whether the task works on something that the earlier task makes: the same partition, a disk that it lays out,
    a device that it makes appear, or a path below its mounts."""
    own = targets.partitions(task)
    disks = {disk for disk, _ in own} | targets.whole_disks(task)
    if own & targets.partitions(earlier) or disks & targets.laid_out(earlier):
        return True
    if targets.devices(task) & targets.opened(earlier):
        return True
    made = targets.makes(earlier)
    return any(targets.is_below(path, above) for path in targets.paths(task) for above in made)
