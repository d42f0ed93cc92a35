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
    """The reports; one that an earlier one explains has it as its ``cause``, and is among those that it ``stops``."""
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
    """``roots``: the number of the task that explains another one, by the number of that one."""
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
    if report.outcome is Outcome.WOULD_CHANGE:  # from what is there now, which the earlier task would have changed
        return _needs(task, earlier)
    return _is_stopped(report) and (_words(cause) == _words(report) or _needs(task, earlier))


def _is_stopped(report: TaskReport) -> bool:
    """Whether it is refused or not visible. A plan continues after missing consent, so that stops nothing else."""
    return report.outcome in _STOPPED and not isinstance(report.error, ConsentNeeded)


def _words(report: TaskReport) -> tuple[str, str]:
    return (report.error.what, report.error.advice) if report.error else ("", "")


def _needs(task: Task, earlier: Task) -> bool:
    """Whether the task works on what the earlier one makes: on the same partition, on its disk, in the
    container that it opens, or below its path."""
    own = targets.partitions(task)
    disks = {disk for disk, _ in own} | targets.whole_disks(task)
    if own & targets.partitions(earlier) or disks & targets.laid_out(earlier):
        return True
    if targets.devices(task) & targets.opened(earlier):
        return True
    made = targets.makes(earlier)
    return any(targets.is_below(path, above) for path in targets.paths(task) for above in made)
