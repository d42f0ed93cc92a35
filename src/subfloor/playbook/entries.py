"""One entry of a play for one host: its name, and the task that is made from its parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from subfloor.core.errors import SubfloorError
from subfloor.core.faults import RAISED
from subfloor.core.identity import Identity
from subfloor.core.parameters import build, needs_identity
from subfloor.core.task import Task
from subfloor.playbook import scalars, strict_yaml
from subfloor.playbook.checking import check
from subfloor.playbook.positions import PlaybookError, Position, Problems
from subfloor.playbook.registry import Plugin, broken
from subfloor.playbook.strict_yaml import Table
from subfloor.playbook.task_list import Item
from subfloor.playbook.task_values import is_secret, task_values
from subfloor.playbook.variables import Scope


@dataclass(frozen=True)
class Entry:
    """An entry of a play for one host; ``task`` is None if it is skipped."""

    name: str
    key: str
    task: Task | None
    tags: frozenset[str]
    where: Position
    why_skipped: str = ""


def made(item: Item, scope: Scope, tags: frozenset[str], plugin: Plugin, identity: Callable[[], Identity]) -> Entry:
    """The entry with its task. ``identity`` is called only if the task derives UUIDs.

    Raises ``PlaybookError`` with all mistakes in the parameters.
    """
    values = task_values(scope.render(item.params), item.params, plugin.schema)
    problems = Problems()
    for error in check(plugin, values, item.params, item.where):
        problems.add(error)
    problems.settle()
    given = identity() if needs_identity(plugin.task) else None
    task = _answer(plugin, item, lambda: build(plugin.task, values, given))
    return Entry(_name(item, scope, values), item.key, task, tags, item.where)


def skipped(item: Item, scope: Scope, tags: frozenset[str], plugin: Plugin | None, why: str) -> Entry:
    """An entry without a task. The variables of its expressions may be undefined."""
    return Entry(_name_of_skipped(item, scope, plugin), item.key, None, tags, item.where, why)


def within(entry: Entry, item: Item, plugin: Plugin | None, play: tuple[Task, ...]) -> Entry:
    """The entry after ``Task.within``. Raises ``PlaybookError``."""
    task = entry.task
    if task is None or plugin is None:
        return entry
    return replace(entry, task=_answer(plugin, item, lambda: task.within(play)))


def _answer(plugin: Plugin, item: Item, question: Callable[[], Task]) -> Task:
    """The task that a task class returns. Raises ``PlaybookError`` for a value that the class refuses."""
    try:
        task = question()
    except ValueError as error:
        raise _refused_value(str(error), item, plugin) from None
    except SubfloorError:
        raise
    except RAISED as error:
        raise broken(f"`{item.key}` ({item.where}) of {plugin.origin}", error) from error
    if isinstance(task, Task):
        return task
    wrong = TypeError(f"`within` must return a task, and returns {type(task).__name__}")
    raise broken(f"`{item.key}` ({item.where}) of {plugin.origin}", wrong)


def _refused_value(message: str, item: Item, plugin: Plugin) -> PlaybookError:
    """The error of the class, at the parameter that its message starts with."""
    name = message.partition(":")[0]
    written = item.params.items if isinstance(item.params, Table) else {}
    where = written[name].where if name in written else item.where
    where = where.unshown() if is_secret(name, plugin.schema) else where
    advice = f"correct it; `subfloor tasks {item.key}` documents the parameters"
    return PlaybookError(f"`{item.key}`: {message}", advice=advice, where=where)


def _name(item: Item, scope: Scope, values: Any) -> str:
    """The entry's name; without one, the task's key and its first text parameter."""
    if item.name is None:
        telling = next((value for value in values.values() if isinstance(value, str)), "")
        return f"{item.key} {telling}".rstrip()
    name = scope.render(item.name)
    if not isinstance(name, str) or not name:
        raise PlaybookError(
            f"a name must be text, and this is {scalars.kind(name)}",
            advice="put it in quotes",
            where=item.name.where,
        )
    return name


def _name_of_skipped(item: Item, scope: Scope, plugin: Plugin | None) -> str:
    try:
        values = scope.render(item.params) if item.name is None else {}
        values = task_values(values, item.params, plugin.schema) if plugin else values
        return _name(item, scope, values if isinstance(values, dict) else {"": values})
    except PlaybookError:
        return str(strict_yaml.plain(item.name) if item.name else item.key)
