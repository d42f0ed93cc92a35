"""One entry of a play for one host: its name, and the task that is made from its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from subfloor.core.errors import SubfloorError
from subfloor.core.faults import RAISED
from subfloor.core.identity import Identity
from subfloor.core.parameters import UNKNOWN, build, complaints, needs_identity, recording_fields
from subfloor.core.recording import Recording, Unrecorded
from subfloor.core.task import Task
from subfloor.playbook import scalars, strict_yaml
from subfloor.playbook.checking import check
from subfloor.playbook.positions import PlaybookError, Position, Problems
from subfloor.playbook.registry import Plugin, broken
from subfloor.playbook.strict_yaml import Listing, Node, Scalar, Table
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
    problems = Problems()
    values, lost = _values(item, scope, plugin, problems)
    checked = check(plugin, values, item.params, item.where, lost)
    for error in checked.errors:
        problems.add(_blamed(error, item.params, scope))
    given: Identity | None = None
    with problems.kept():
        given = identity() if needs_identity(plugin.task) else None
    name = ""
    with problems.kept():
        name = _name(item, scope, values if isinstance(values, dict) else {})
    if problems:
        _add_refusals(item, scope, plugin, values, lost | checked.names, problems)
    problems.settle()
    task = _answer(plugin, item, scope, lambda: build(plugin.task, values, given), values)
    return Entry(name, item.key, task, tags, item.where)


def _values(item: Item, scope: Scope, plugin: Plugin, problems: Problems) -> tuple[Any, frozenset[str]]:
    """The parameters that have a value, and the names of those that have none because of an error."""
    if not isinstance(item.params, Table):
        return task_values(scope.render(item.params), item.params, plugin.schema), frozenset()
    values: dict[str, Any] = {}
    for name, node in item.params.items.items():
        with problems.kept():
            values[name] = scope.render(node)
    return task_values(values, item.params, plugin.schema), frozenset(item.params.items) - values.keys()


def _add_refusals(
    item: Item, scope: Scope, plugin: Plugin, values: Any, wrong: frozenset[str], problems: Problems
) -> None:
    """Add to ``problems`` what the task class refuses in the parameters that are neither ``wrong`` nor missing."""
    if not isinstance(values, dict):
        return
    known = {name: value for name, value in values.items() if name in plugin.schema["properties"]}
    missing = (*plugin.schema["required"], *(wrong & plugin.schema["properties"].keys()))
    whole = {**dict.fromkeys(missing, UNKNOWN), **{name: each for name, each in known.items() if name not in wrong}}
    for message in complaints(plugin.task, whole, UNKNOWN):
        problems.add(_refused_value(message, item, scope, plugin))


def _blamed(error: PlaybookError, params: Node, scope: Scope) -> PlaybookError:
    """The error. If an argument of the command line gave the value, the error points to that argument."""
    node = _node_at(error.where, params)
    given = scope.argument_of(node) if node else None
    if given:
        error.notes = (f"used at {error.where}", *error.notes)
        error.where = given
    return error


def _node_at(where: Position, node: Node) -> Scalar | None:
    """The scalar at this position, in ``node`` or below it; None if there is none."""
    if isinstance(node, Scalar):
        return node if node.where == where else None
    inner = node.items if isinstance(node, Listing) else node.items.values()
    return next((found for each in inner if (found := _node_at(where, each))), None)


def skipped(item: Item, scope: Scope, tags: frozenset[str], plugin: Plugin | None, why: str) -> Entry:
    """A skipped entry, without a task. Its expressions may use undefined variables."""
    return Entry(_name_of_skipped(item, scope, plugin), item.key, None, tags, item.where, why)


def recorded(entry: Entry, record: Callable[[], Recording | Unrecorded]) -> Entry:
    """The entry. If its task has a field for the recording of the play, that field is filled with ``record()``."""
    wanted = recording_fields(type(entry.task)) if entry.task else ()
    if not entry.task or not wanted:
        return entry
    values: dict[str, Any] = dict.fromkeys(wanted, record())
    return replace(entry, task=replace(entry.task, **values))  # type: ignore[type-var]


def within(entry: Entry, item: Item, plugin: Plugin | None, play: tuple[Task, ...]) -> Entry:
    """The entry with the task that ``Task.within`` returns. Raises ``PlaybookError``."""
    task = entry.task
    if task is None or plugin is None:
        return entry
    return replace(entry, task=_answer(plugin, item, Scope(), lambda: task.within(play)))


def _answer(
    plugin: Plugin, item: Item, scope: Scope, question: Callable[[], Task], values: Mapping[str, Any] | None = None
) -> Task:
    """The task that ``question`` returns, which calls code of the plugin.

    Raises ``PlaybookError`` with all values that the task class refuses, and ``PluginError`` for a mistake in its code.
    """
    try:
        task = question()
    except ValueError as error:
        problems = Problems()
        every = complaints(plugin.task, values, UNKNOWN) if values is not None else ()
        for message in every or (str(error),):
            problems.add(_refused_value(message, item, scope, plugin))
        problems.settle()
        raise
    except SubfloorError:
        raise
    except RAISED as error:
        raise broken(f"`{item.key}` ({item.where}) of {plugin.origin}", error) from error
    if isinstance(task, Task):
        return task
    wrong = TypeError(f"`within` must return a task, and returns {type(task).__name__}")
    raise broken(f"`{item.key}` ({item.where}) of {plugin.origin}", wrong)


def _refused_value(message: str, item: Item, scope: Scope, plugin: Plugin) -> PlaybookError:
    """The error for a message of the task class, at the parameter whose name starts the message."""
    name = message.partition(":")[0]
    written = item.params.items if isinstance(item.params, Table) else {}
    where = written[name].where if name in written else item.where
    where = where.unshown() if is_secret(name, plugin.schema) else where
    advice = f"correct it; `subfloor tasks {item.key}` documents the parameters"
    error = PlaybookError(f"`{item.key}`: {message}", advice=advice, where=where)
    return _blamed(error, item.params, scope)


def _name(item: Item, scope: Scope, values: Any) -> str:
    """The entry's name; without one, the task's key and its first text parameter."""
    if item.name is None:
        telling = next((value for value in values.values() if isinstance(value, str)), "")
        return f"{item.key} {telling}".rstrip()
    name = scope.render(item.name)
    if not isinstance(name, str) or not name:
        raise PlaybookError(
            f"a name must be text, but this is {scalars.kind(name)}",
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
