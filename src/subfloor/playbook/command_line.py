"""Check the tags and variables of the command line: the playbook must use each of them.

A misspelt name selects nothing and sets nothing, which looks like success: a monitoring job with a misspelt tag
would be "in sync" for ever.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from subfloor.playbook import templates
from subfloor.playbook.plays import Play
from subfloor.playbook.positions import PlaybookError, Position, Problems, Source, did_you_mean
from subfloor.playbook.strict_yaml import Listing, Node, Scalar, Table
from subfloor.playbook.task_list import ASSERT, INCLUDE, Item

_SPECIAL = frozenset({"all", "always", "never", "tagged", "untagged"})
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def known_tags(plays: Iterable[Play]) -> frozenset[str]:
    """The tags of all entries, also of those that are skipped."""
    return frozenset(
        tag for play in plays for tag in (*play.tags, *(tag for item in _items(play) for tag in item.tags))
    )


def check_tags(plays: Sequence[Play], option: str, given: Iterable[str]) -> None:
    """Raise ``PlaybookError`` for tags that no task has, not even a skipped one. ``option``: where they were given."""
    known = known_tags(plays)
    problems = Problems()
    for tag in given:
        if tag not in known | _SPECIAL:
            there = ", ".join(sorted(known)) or "none"
            problems.add(
                PlaybookError(
                    f"no task has the tag `{tag}`",
                    advice=did_you_mean(tag, known, otherwise=f"the tags of this playbook: {there}"),
                    where=Position(Source(option, tag)),
                    follows=_partial(plays),
                )
            )
    problems.settle()


def _partial(plays: Iterable[Play]) -> bool:
    return any(play.partial or not play.files.complete for play in plays)


def check_variables(
    plays: Sequence[Play], hosts: Iterable[Mapping[str, Any]], extra: Mapping[str, Any], known: Iterable[str]
) -> None:
    """Raise ``PlaybookError`` for unused variables that were given one by one; those of a file may stay unused.

    ``hosts``: the variables of each host. ``known``: names that are read elsewhere, such as a connection's.
    """
    read = set(known) | {word for node in _nodes(plays, (*hosts, extra)) for word in _words(node)}
    problems = Problems()
    for name, value in extra.items():
        where = _place(name, value)
        if where and name not in read:
            otherwise = "remove it, or use it in the playbook; variables of a file (-e @FILE) may stay unused"
            advice = did_you_mean(name, read, otherwise=otherwise)
            what = f"nothing reads the variable `{name}`"
            problems.add(PlaybookError(what, advice=advice, where=where, follows=_partial(plays)))
    problems.settle()


def _place(name: str, value: Any) -> Position | None:
    """Where a variable was given on the command line; None if a file defines it."""
    if not isinstance(value, Node):
        return Position(Source("the command line", name))
    return replace(value.where, line=1, column=1) if value.where.source.name == "-e" else None


def _items(play: Play) -> Iterator[Item]:
    """Every entry of a play as it is written, including those of skipped includes."""
    files: set[str] = set()
    yield from _below(play, play.items, files)
    for part in play.files.read:
        yield from _below(play, part.items, files)


def _below(play: Play, items: Iterable[Item], files: set[str]) -> Iterator[Item]:
    for item in items:
        yield item
        yield from _below(play, item.items, files)
        path = _included(item)
        if path and path not in files:
            files.add(path)
            try:
                part = play.files.part(path)
            except PlaybookError:  # the include is skipped, or the error was already reported there
                continue
            yield from _below(play, part.items, files)


def _included(item: Item) -> str:
    """The file that an entry includes; empty if there is none, or if its path is an expression."""
    node = item.params
    if item.key != INCLUDE or not isinstance(node, Scalar) or not isinstance(node.value, str):
        return ""
    if templates.has_expression(node.value):
        return ""
    return os.path.normpath(Path(item.where.source.name).parent / node.value)


def _nodes(plays: Iterable[Play], layers: Iterable[Mapping[str, Any]]) -> Iterator[Node | None]:
    """All nodes that may contain an expression."""
    for layer in layers:
        yield from (value for value in layer.values() if isinstance(value, Node))
    for play in plays:
        yield from (play.seed, *play.vars.values(), *play.defaults.values(), *play.vars_files)
        yield from (node for each in play.files.read_vars for node in each.values())
        for item in _items(play):
            yield from (item.params, item.name, item.loop, *item.vars.values())
            yield from _conditions(item.when)
            if item.key == ASSERT and isinstance(item.params, Table):
                yield from _conditions(item.params.items.get("that"))
        yield from (node for part in play.files.read for node in part.defaults.values())


def _conditions(when: Node | None) -> Iterator[Node]:
    """Conditions with braces added: they are expressions without braces."""
    for each in when.items if isinstance(when, Listing) else (when,):
        if isinstance(each, Scalar):
            yield replace(each, value=f"{{{{ {each.value} }}}}")


def _words(node: Node | None) -> Iterator[str]:
    """The words of all expressions below a node, which include the names of variables."""
    if isinstance(node, Listing):
        yield from (word for item in node.items for word in _words(item))
    elif isinstance(node, Table):
        yield from (word for item in node.items.values() for word in _words(item))
    elif isinstance(node, Scalar) and isinstance(node.value, str) and templates.has_expression(node.value):
        yield from _WORD.findall(node.value)
