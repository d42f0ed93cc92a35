"""What the tasks after a step look at: seen in the same request as the step's result, it costs no round trip."""

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
    """The tasks of a play and their reports in the plan. ``further``: the extra subjects that each asked for there.

    It only predicts: what it leaves out is looked at when it is needed.
    """

    entries: Sequence[Entry] = ()
    reports: Sequence[TaskReport] = ()
    further: Sequence[frozenset[AnySubject]] = ()

    def after(self, at: int, task: Task, step: Step) -> frozenset[AnySubject]:
        """What is probably looked at after this step of the task of this number, besides its own subjects."""
        return self.up_to_change(at + 1) if _is_last(task, step) else self.of(at)

    def of(self, at: int) -> frozenset[AnySubject]:
        """The extra subjects that the task of this number asked for."""
        return self.further[at] if at < len(self.further) else frozenset()

    def up_to_change(self, start: int) -> frozenset[AnySubject]:
        """What the tasks from this number on look at, through the first that the plan changes."""
        found: set[AnySubject] = set()
        for at in range(start, len(self.reports)):
            task = self.entries[at].task
            found |= (task.subjects() if task else frozenset()) | self.of(at)
            if self.reports[at].steps:
                break
        return frozenset(found)


def _is_last(task: Task, step: Step) -> bool:
    """Whether the task is satisfied after this step, as far as that is known without another look."""
    try:
        return decide(task, step.after) is None
    except SubfloorError:
        return False
