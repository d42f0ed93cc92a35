"""Playbooks: from YAML to the tasks of each play.

A playbook is read completely before anything is looked at. So every mistake is found on every machine, even in
parts that a run would reach late, and is reported with file, line and column.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subfloor.core.errors import SubfloorError
from subfloor.core.faults import RAISED
from subfloor.core.identity import Identity
from subfloor.core.parameters import build, needs_identity
from subfloor.core.task import Task
from subfloor.playbook import scalars, strict_yaml
from subfloor.playbook.checking import check
from subfloor.playbook.positions import PlaybookError, Position, Problems
from subfloor.playbook.registry import Plugin, Registry, broken
from subfloor.playbook.strict_yaml import Listing, Node, Scalar, Table
from subfloor.playbook.task_list import INCLUDE, Item, Part, check_keys, items_of, read_part, required, tags_of
from subfloor.playbook.task_values import is_secret, task_values
from subfloor.playbook.variables import Scope, Vars, table_of_vars

if TYPE_CHECKING:
    from subfloor.playbook.inventory import Target  # at run time, it is the inventory that imports from here

MAX_ENTRIES = 10_000

_PLAY_KEYS = ("name", "hosts", "seed", "vars", "defaults", "tags", "tasks")


@dataclass(frozen=True)
class Entry:
    """An entry of a play for one host; ``task`` is None if it is skipped."""

    name: str
    key: str
    task: Task | None
    tags: frozenset[str]
    where: Position
    why_skipped: str = ""


@dataclass(frozen=True)
class Play:
    """A play as it is written, for all hosts. ``hosts`` is a pattern for ``Inventory.matching``."""

    name: str
    hosts: str
    where: Position
    hosts_where: Position
    items: tuple[Item, ...]
    files: Files
    seed: Node | None = None
    vars: Mapping[str, Node] = field(default_factory=dict)
    defaults: Mapping[str, Node] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()

    def entries(self, target: Target, extra: Vars | None = None) -> tuple[Entry, ...]:
        """The entries of this play for a host, with includes and loops expanded.

        Precedence of variables, highest first: ``extra``, those of the entry and of the includes around it, the
        play's, the host's, and defaults. Raises ``PlaybookError`` with all mistakes.
        """
        scope = Scope(extra or {}, (self.vars, target.all_vars), (self.defaults,))
        return _Unrolling(self, target, scope).entries()


class Files:
    """The included files of a playbook; each is read once."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._parts: dict[str, Part] = {}

    @property
    def read(self) -> tuple[Part, ...]:
        """The contents of the files that were read so far."""
        return tuple(self._parts.values())

    def part(self, path: str) -> Part:
        """The tasks in the file at ``path``. Raises ``PlaybookError``."""
        if path not in self._parts:
            self._parts[path] = read_part(Path(path), self.registry)
        return self._parts[path]


def load(path: Path, registry: Registry) -> tuple[Play, ...]:
    """The plays of a playbook. Raises ``PlaybookError`` with all mistakes in its structure."""
    node = strict_yaml.read(path)
    if not isinstance(node, Listing) or not node.items:
        raise PlaybookError(
            f"a playbook is a list of plays, and this is {strict_yaml.kind(node)}",
            advice="start with `- hosts: all`, and below it `tasks:`",
            where=node.where,
        )
    problems = Problems()
    plays: list[Play] = []
    files = Files(registry)
    for item in node.items:
        with problems.kept():
            plays.append(_play(item, files))
    problems.settle()
    return tuple(plays)


def _play(node: Node, files: Files) -> Play:
    if not isinstance(node, Table):
        raise PlaybookError(
            f"a play is a mapping, and this is {strict_yaml.kind(node)}",
            advice="write `hosts: all`, and below it `tasks:`",
            where=node.where,
        )
    check_keys(node, _PLAY_KEYS, "a play")
    problems = Problems()
    given: dict[str, Any] = {"seed": node.items.get("seed")}
    for key, read in _PARTS.items():
        with problems.kept():
            given[key] = read(node)
    with problems.kept():
        given["items"] = items_of(required(node, "tasks", "a play"), files.registry)
    problems.settle()
    hosts_where = node.items["hosts"].where
    return Play(where=node.where, hosts_where=hosts_where, files=files, **given)


def _text(node: Node, what: str) -> str:
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value:
        raise PlaybookError(
            f"{what} must be text, and this is {strict_yaml.kind(node)}",
            advice="put it in quotes",
            where=node.where,
        )
    return node.value


def _play_name(node: Table) -> str:
    name = node.items.get("name")
    return _text(name, "a name") if name else ""


def _hosts(node: Table) -> str:
    hosts = required(node, "hosts", "a play")
    names = hosts.items if isinstance(hosts, Listing) else (hosts,)
    return ":".join(_text(name, "a host, or a pattern of hosts,") for name in names)


_PARTS: Mapping[str, Any] = {
    "name": _play_name,
    "hosts": _hosts,
    "tags": lambda node: tags_of(node.items.get("tags")),
    "vars": lambda node: table_of_vars(node.items.get("vars")),
    "defaults": lambda node: table_of_vars(node.items.get("defaults")),
}


@dataclass(frozen=True)
class _Around:
    """The context of an entry: the scope, tags, and the files that include each other, outermost first."""

    scope: Scope
    tags: frozenset[str]
    files: tuple[str, ...]
    includes: tuple[Position, ...] = ()


_Unrolled = tuple[Entry, Item]
"""An entry, and how it is written."""


class _Unrolling:
    """Expands the conditions, loops and includes of one play for one host."""

    def __init__(self, play: Play, target: Target, scope: Scope) -> None:
        self._play = play
        self._target = target
        self._scope = scope
        self._problems = Problems()
        self._count = 0

    def entries(self) -> tuple[Entry, ...]:
        around = _Around(self._scope, self._play.tags, (self._play.where.source.name,))
        found = tuple(self._all(self._play.items, around))
        self._problems.settle()
        return self._within(found)

    def _all(self, items: tuple[Item, ...], around: _Around) -> Iterator[_Unrolled]:
        for item in items:
            found: list[_Unrolled] = []
            try:
                for each in self._item(item, around):
                    found.append(each)
            except PlaybookError as error:
                for one in error.all:
                    one.notes += tuple(f"included at {where}" for where in reversed(around.includes))
                self._problems.add(error)
            yield from found

    def _item(self, item: Item, around: _Around) -> Iterator[_Unrolled]:
        around = replace(around, scope=around.scope.inside(item.vars), tags=around.tags | item.tags)
        if item.loop is None:
            yield from self._once(item, around)
            return
        values = self._loop(item, around.scope)
        if not values:
            why = "the loop is empty" if values == [] else _why(item)
            yield _skipped(item, around, why, self._plugin(item)), item
        for value in values or ():
            yield from self._once(item, replace(around, scope=around.scope.inside({"item": value})))

    def _loop(self, item: Item, scope: Scope) -> list[Any] | None:
        """The values of the loop; None if they are undefined and the condition is false anyway."""
        assert item.loop is not None
        try:
            values = scope.render(item.loop)
        except PlaybookError as error:
            if error.undefined and item.when and not _holds_without_item(item.when, scope):
                return None
            raise
        if not isinstance(values, list):
            raise PlaybookError(
                f"`loop` needs a list, and this is {scalars.kind(values)}",
                advice="write a list, or an expression that is one",
                where=item.loop.where,
            )
        return values

    def _once(self, item: Item, around: _Around) -> Iterator[_Unrolled]:
        self._count += 1
        if self._count > MAX_ENTRIES:
            raise PlaybookError(
                f"the play has more than {MAX_ENTRIES} tasks", advice="shorten the loops", where=item.where
            )
        if item.when is not None and not around.scope.holds(item.when):
            yield _skipped(item, around, _why(item), self._plugin(item)), item
        elif item.key == INCLUDE:
            yield from self._included(item, around)
        else:
            yield self._entry(item, around), item

    def _included(self, item: Item, around: _Around) -> Iterator[_Unrolled]:
        path = around.scope.render(item.params)
        if not isinstance(path, str) or not path:
            raise PlaybookError(
                f"`include` needs a file's path, and this is {scalars.kind(path)}",
                advice="write it relative to this file",
                where=item.params.where,
            )
        path = os.path.normpath(Path(item.where.source.name).parent / path)
        if path in around.files:
            chain = " → ".join((*around.files[around.files.index(path) :], path))
            raise PlaybookError(
                f"this file includes itself: {chain}",
                advice="move what both files need into a third file",
                where=item.params.where,
            )
        part = self._part(path, item.params.where)
        inner = replace(
            around,
            scope=around.scope.above(part.defaults),
            files=(*around.files, path),
            includes=(*around.includes, item.params.where),
        )
        yield from self._all(part.items, inner)

    def _part(self, path: str, where: Position) -> Part:
        try:
            return self._play.files.part(path)
        except PlaybookError as error:
            if not error.where.source.text:  # an error of the whole file: the include is shown instead
                raise PlaybookError(f"{path} {error.what}", advice=error.advice, where=where) from None
            for one in error.all:
                one.notes += (f"included at {where}",)
            raise

    def _plugin(self, item: Item) -> Plugin | None:
        """The plugin of the task; None for an include."""
        return self._play.files.registry.get(item.key)

    def _entry(self, item: Item, around: _Around) -> Entry:
        plugin = self._plugin(item)
        assert plugin is not None  # checked when the task list was read
        values = task_values(around.scope.render(item.params), item.params, plugin.schema)
        problems = Problems()
        for error in check(plugin, values, item.params, item.where):
            problems.add(error)
        problems.settle()
        identity = self._identity if needs_identity(plugin.task) else None
        task = _asked(plugin, item, lambda: build(plugin.task, values, identity))
        return Entry(_name(item, around.scope, values), item.key, task, around.tags, item.where)

    def _within(self, found: tuple[_Unrolled, ...]) -> tuple[Entry, ...]:
        """Each task after ``Task.within``."""
        play = tuple(entry.task for entry, _ in found if entry.task is not None)
        problems = Problems()
        entries: list[Entry] = []
        for entry, item in found:
            with problems.kept():
                entries.append(self._entry_within(entry, item, play))
        problems.settle()
        return tuple(entries)

    def _entry_within(self, entry: Entry, item: Item, play: tuple[Task, ...]) -> Entry:
        task, plugin = entry.task, self._plugin(item)
        if task is None or plugin is None:
            return entry
        return replace(entry, task=_asked(plugin, item, lambda: task.within(play)))

    @cached_property
    def _identity(self) -> Identity:
        """The play's identity on this host."""
        play = self._play
        if play.seed is None:
            raise PlaybookError(
                "the play has no seed, but it has tasks that derive UUIDs from a seed",
                advice='add `seed:` to the play, with any text, such as `seed: "{{ inventory_hostname }}"`',
                where=play.where,
            )
        seed = self._scope.render(play.seed)
        if not isinstance(seed, str) or not seed:
            raise PlaybookError(
                f"a seed must be text, and this is {scalars.kind(seed)}",
                advice="put it in quotes",
                where=play.seed.where,
            )
        return Identity(seed, self._target.name)


def _holds_without_item(when: Node, scope: Scope) -> bool:
    try:
        return scope.holds(when)
    except PlaybookError:
        return True


def _asked(plugin: Plugin, item: Item, question: Callable[[], Task]) -> Task:
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


def _skipped(item: Item, around: _Around, why: str, plugin: Plugin | None) -> Entry:
    """An entry that is skipped; the variables of its expressions may be undefined."""
    try:
        values = around.scope.render(item.params) if item.name is None else {}
        values = task_values(values, item.params, plugin.schema) if plugin else values
        name = _name(item, around.scope, values if isinstance(values, dict) else {"": values})
    except PlaybookError:
        raw = strict_yaml.plain(item.name) if item.name else item.key
        name = str(raw)
    return Entry(name, item.key, None, around.tags, item.where, why)


def _why(item: Item) -> str:
    return f"when: {_condition(item.when)}" if item.when else ""


def _condition(node: Node) -> str:
    if isinstance(node, Listing):
        return " and ".join(map(_condition, node.items))
    return node.raw if isinstance(node, Scalar) else ""
