"""The entries of a play for one host: conditions, loops and includes are evaluated here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from subfloor.core.identity import Identity
from subfloor.core.recording import Recording, Unrecorded
from subfloor.core.task import Task
from subfloor.playbook import assertions, entries, scalars
from subfloor.playbook.entries import Entry
from subfloor.playbook.positions import PlaybookError, Position, Problems
from subfloor.playbook.registry import Plugin
from subfloor.playbook.strict_yaml import Listing, Node, Scalar
from subfloor.playbook.task_list import ASSERT, BLOCK, FAIL, INCLUDE, Files, Item, Part
from subfloor.playbook.variables import UNKNOWN, Scope
from subfloor.steps.volumes import with_one_name

MAX_ENTRIES = 10_000

Record = Callable[[Node, tuple[Task, ...]], Recording | Unrecorded]
"""Returns the recording for a task, from its parameters as they are written and all tasks of its play."""


@dataclass(frozen=True)
class Around:
    """The context of an entry: the scope, tags, and the files that include each other, outermost first."""

    scope: Scope
    tags: frozenset[str]
    files: tuple[str, ...]
    includes: tuple[Position, ...] = ()


_Expanded = tuple[Entry, Item]
"""An entry, and the item of the playbook that it was made from."""


class Expansion:
    """Expands one play for one host. ``identity`` is called for tasks that derive UUIDs, ``record`` for tasks with a
    field for the recording of the play.

    All mistakes are added to ``problems``, which may hold earlier ones.
    """

    def __init__(
        self, files: Files, identity: Callable[[], Identity], problems: Problems, record: Record | None = None
    ) -> None:
        self._files = files
        self._identity = identity
        self._problems = problems
        self._record = record
        self._count = 0

    def entries(self, items: tuple[Item, ...], around: Around) -> tuple[Entry, ...]:
        """The entries, as far as they can be read.

        What a task needs of other tasks (``Task.within``) is checked only in a play without mistakes. Otherwise, the
        other task may be missing because of a mistake.
        """
        found = tuple(self._all(items, around))
        return tuple(entry for entry, _ in found) if self._problems else self._within(self._recorded(found))

    def _all(self, items: tuple[Item, ...], around: Around) -> Iterator[_Expanded]:
        for item in items:
            found: list[_Expanded] = []
            try:
                for each in self._item(item, around):
                    found.append(each)
            except PlaybookError as error:
                self._note(error, around)
            yield from found

    def _note(self, error: PlaybookError, around: Around) -> None:
        for one in error.all:
            one.notes += tuple(f"included at {where}" for where in reversed(around.includes))
        self._problems.add(error)

    def _item(self, item: Item, around: Around) -> Iterator[_Expanded]:
        around = replace(around, scope=around.scope.inside(item.vars), tags=around.tags | item.tags)
        if not item.known:
            return
        if item.loop is None:
            yield from self._once(item, around)
            return
        try:
            values = self._loop(item, around.scope)
        except PlaybookError as error:
            self._note(error, around)
            values = [UNKNOWN]
        if not values:
            why = "the loop is empty" if values == [] else _why(item)
            yield self._skipped(item, around, why), item
        for value in values or ():
            yield from self._once(item, replace(around, scope=around.scope.inside({"item": value})))

    def _loop(self, item: Item, scope: Scope) -> list[Any] | None:
        """The values of the loop; None if a variable in it is undefined and the condition of the entry is false."""
        assert item.loop is not None
        try:
            values = scope.render(item.loop)
        except PlaybookError as error:
            if error.undefined and item.when and not _holds_without_item(item.when, scope):
                return None
            raise
        if not isinstance(values, list):
            raise PlaybookError(
                f"`loop` needs a list, but this is {scalars.kind(values)}",
                advice="write a list, or an expression that is one",
                where=item.loop.where,
            )
        return values

    def _once(self, item: Item, around: Around) -> Iterator[_Expanded]:
        self._count += 1
        if self._count > MAX_ENTRIES:
            raise PlaybookError(
                f"the play has more than {MAX_ENTRIES} tasks", advice="shorten the loops", where=item.where
            )
        try:
            skipped = item.when is not None and not around.scope.holds(item.when)
        except PlaybookError as error:
            self._note(error, around)
            skipped, around = False, replace(around, scope=replace(around.scope, partial=True))
        if skipped:
            yield self._skipped(item, around, _why(item)), item
        elif item.key == INCLUDE:
            yield from self._included(item, around)
        elif item.key == BLOCK:
            yield from self._all(item.items, around)
        elif item.key in (ASSERT, FAIL):
            assertions.check(item, around.scope)
        else:
            yield self._entry(item, around), item

    def _included(self, item: Item, around: Around) -> Iterator[_Expanded]:
        path = around.scope.render(item.params)
        if not isinstance(path, str) or not path:
            raise PlaybookError(
                f"`include` needs a file's path, but this is {scalars.kind(path)}",
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
        scope = around.scope.above(part.defaults)
        inner = replace(
            around,
            scope=replace(scope, partial=True) if part.partial else scope,
            files=(*around.files, path),
            includes=(*around.includes, item.params.where),
        )
        for error in self._files.errors(path):
            self._note(error, inner)
        yield from self._all(part.items, inner)

    def _part(self, path: str, where: Position) -> Part:
        try:
            return self._files.part(path)
        except PlaybookError as error:
            if not error.where.source.text:  # an error of the whole file: the include is shown instead
                raise PlaybookError(f"{path} {error.what}", advice=error.advice, where=where) from None
            for one in error.all:
                one.notes += (f"included at {where}",)
            raise

    def _plugin(self, item: Item) -> Plugin | None:
        """The plugin of the task; None if the entry is no task, such as an include."""
        return self._files.registry.get(item.key)

    def _entry(self, item: Item, around: Around) -> Entry:
        plugin = self._plugin(item)
        assert plugin is not None  # checked when the task list was read
        return entries.made(item, around.scope, around.tags, plugin, self._identity)

    def _skipped(self, item: Item, around: Around, why: str) -> Entry:
        return entries.skipped(item, around.scope, around.tags, self._plugin(item), why)

    def _recorded(self, found: tuple[_Expanded, ...]) -> tuple[_Expanded, ...]:
        """The entries. Each task with a field for the recording of the play gets that recording."""
        if not (record := self._record):
            return found
        tasks = tuple(entry.task for entry, _ in found if entry.task)
        return tuple((entries.recorded(entry, partial(record, item.params, tasks)), item) for entry, item in found)

    def _within(self, found: tuple[_Expanded, ...]) -> tuple[Entry, ...]:
        """The entries, each with the task that ``Task.within`` returns. Mistakes are added to the problems."""
        play = with_one_name(tuple(entry.task for entry, _ in found if entry.task is not None))
        tasks, after = iter(play), list[Entry]()
        for expanded, item in found:
            entry = replace(expanded, task=next(tasks)) if expanded.task is not None else expanded
            with self._problems.kept():
                after.append(entries.within(entry, item, self._plugin(item), play))
        return tuple(after)


def _holds_without_item(when: Node, scope: Scope) -> bool:
    try:
        return scope.holds(when)
    except PlaybookError:
        return True


def _why(item: Item) -> str:
    return f"when: {_condition(item.when)}" if item.when else ""


def _condition(node: Node) -> str:
    if isinstance(node, Listing):
        return " and ".join(map(_condition, node.items))
    return node.raw if isinstance(node, Scalar) else ""
