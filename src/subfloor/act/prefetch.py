"""Predict which subjects the tasks after a step need: read together with the step's result, they cost no round trip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from subfloor.core.engine import Entry, decide
from subfloor.core.errors import SubfloorError
from subfloor.core.machine import AnySubject
from subfloor.core.outcome import TaskReport
from subfloor.core.task import Step, Task


@dataclass(frozen=True)
class Prefetch:
    """The tasks of a play and their reports in the plan. ``further``: the extra subjects of each task.

    This is only a prediction: a subject that it leaves out is looked at when a task needs it.
    """

    entries: Sequence[Entry] = ()
    reports: Sequence[TaskReport] = ()
    further: Sequence[frozenset[AnySubject]] = ()

    def after(self, at: int, task: Task, step: Step) -> frozenset[AnySubject]:
        """The subjects that are probably needed after ``step`` of task number ``at``, besides those of that task."""
        return self.up_to_change(at + 1) if _is_last(task, step) else self.of(at)

    def of(self, at: int) -> frozenset[AnySubject]:
        """The extra subjects that task number ``at`` asked for in the plan."""
        return self.further[at] if at < len(self.further) else frozenset()

    def up_to_change(self, start: int) -> frozenset[AnySubject]:
        """The subjects of the tasks from number ``start`` to the first one that takes a step in the plan, inclusive."""
        found: set[AnySubject] = set()
        for at in range(start, len(self.reports)):
            task = self.entries[at].task
            found |= (task.subjects() if task else frozenset()) | self.of(at)
            if self.reports[at].steps:
                break
        return frozenset(found)


def _is_last(task: Task, step: Step) -> bool:
    """Whether the task is satisfied after this step. False if only another look could show it."""
    try:
        return decide(task, step.after) is None
    except SubfloorError:
        return False
