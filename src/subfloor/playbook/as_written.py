"""A playbook as it is written: all its entries and expressions, whether they are used or not."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from subfloor.playbook import templates
from subfloor.playbook.plays import Play
from subfloor.playbook.positions import PlaybookError
from subfloor.playbook.strict_yaml import Listing, Node, Scalar, Table
from subfloor.playbook.task_list import ASSERT, INCLUDE, Item

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def names_read(plays: Iterable[Play], layers: Iterable[Mapping[str, Any]]) -> set[str]:
    """All words in the expressions of plays and of layers of variables, among them every variable that is read."""
    return {word for node in _nodes(plays, layers) for word in words(node)}


def items(play: Play) -> Iterator[Item]:
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
            except PlaybookError:  # the include is skipped, or its error was already reported
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
        for item in items(play):
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


def words(node: Node | None) -> Iterator[str]:
    """The words of all expressions in a node and below it, among them the names of variables."""
    if isinstance(node, Listing):
        yield from (word for item in node.items for word in words(item))
    elif isinstance(node, Table):
        yield from (word for item in node.items.values() for word in words(item))
    elif isinstance(node, Scalar) and isinstance(node.value, str) and templates.has_expression(node.value):
        yield from _WORD.findall(node.value)
