"""The differences of a task as every report shows them: what was found, and what is declared."""

from __future__ import annotations

import posixpath

from subfloor.core.machine import Difference, Unknown
from subfloor.core.outcome import TaskReport
from subfloor.observe.path import Absent, NotYetVisible
from subfloor.report.values import as_text, content


def shown(task: TaskReport) -> tuple[Difference, ...]:
    """The differences of a task, without those that only follow from others.

    A path that a new mount hides does not count as a difference.
    """
    visible = tuple(each for each in task.differences if not isinstance(each.after, NotYetVisible))
    once = _once(visible) if len(task.steps) == 1 else visible
    return tuple(each for each in once if not each.follows) or visible


def _once(found: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """Without those of a file or directory that a bind mount shows at a second path. One step changes one of them."""
    several = {(posixpath.basename(each.subject), each.property, each.before, each.after): each for each in found[::-1]}
    return tuple(each for each in found if not each.property or each in several.values())


def is_something(value: object) -> bool:
    """Whether something was found. If not, there is nothing to show beside the step."""
    nothing = value in (None, (), "", frozenset(), False) or isinstance(value, Absent | Unknown)
    return not nothing and str(value) != str(Absent())


def where(difference: Difference) -> str:
    """The subject and the property of a difference, in words."""
    return ", ".join(filter(None, (difference.subject, difference.property)))


def as_found(difference: Difference) -> str:
    """A difference in words: what was found, and what is declared."""
    if content(difference.before) is not None:
        return f"{where(difference)}: other content"
    found, declared = (as_text(value, difference.property) for value in (difference.before, difference.after))
    return f"{where(difference)}: {found}; declared: {declared}"
