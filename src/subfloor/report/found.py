"""The differences of a task as every report shows them: what was found, and what is declared."""

from __future__ import annotations

from subfloor.core.machine import Difference, Unknown
from subfloor.core.outcome import TaskReport
from subfloor.observe.path import Absent, NotYetVisible
from subfloor.report.values import as_text, content


def shown(task: TaskReport) -> tuple[Difference, ...]:
    """The differences of a task. A path that a new mount hides does not count as a difference."""
    return tuple(each for each in task.differences if not isinstance(each.after, NotYetVisible))


def is_something(value: object) -> bool:
    """Whether something was found. If not, there is nothing to show beside the step."""
    return value not in (None, (), "", frozenset(), False) and not isinstance(value, Absent | Unknown)


def where(difference: Difference) -> str:
    """What differs, in words."""
    return ", ".join(filter(None, (difference.subject, difference.property)))


def as_found(difference: Difference) -> str:
    """A difference as what was found, and what is declared."""
    if content(difference.before) is not None:
        return f"{where(difference)}: other content"
    found, declared = (as_text(value, difference.property) for value in (difference.before, difference.after))
    return f"{where(difference)}: {found}; declared: {declared}"
