"""Which variables hold secrets: those that reach a secret parameter of a task, directly or through other variables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from subfloor.playbook import templates
from subfloor.playbook.as_written import items, words
from subfloor.playbook.plays import Play
from subfloor.playbook.positions import Position
from subfloor.playbook.strict_yaml import Listing, Node, Scalar, Table
from subfloor.playbook.task_list import BUILT_IN, Item
from subfloor.playbook.task_values import is_secret

_QUOTED = re.compile(r"""(["'])[^"']+\1""")


@dataclass(frozen=True)
class SecretNames:
    """``names``: the variables whose values may be secret. ``written``: where the playbook itself contains a secret.

    Every variable in an expression of a secret parameter counts as secret, even if some of them are not.
    """

    names: frozenset[str]
    written: tuple[Position, ...]

    @classmethod
    def of(cls, plays: Sequence[Play], given: Iterable[Mapping[str, Any]]) -> SecretNames:
        """The secret variables of plays. ``given``: the variables of the host and of the command line."""
        nodes = [node for play in plays for item in items(play) for node in _secret_nodes(play, item)]
        own = list(_defined(plays))
        layers = [*own, *given]
        names = set[str]()
        pending = nodes
        while pending:
            new = {word for node in pending for word in words(node)} - names
            names |= new
            pending = [layer[name] for name in new for layer in layers if isinstance(layer.get(name), _NODES)]
        in_playbook = [layer[name] for name in names for layer in own if name in layer]
        written = sorted({where for node in (*nodes, *in_playbook) for where in _literals(node)}, key=str)
        return cls(frozenset(names), tuple(written))


_NODES = (Scalar, Listing, Table)


def _secret_nodes(play: Play, item: Item) -> Iterator[Node]:
    """The secret parameters of an entry, as they are written. If all parameters are one expression, that expression."""
    plugin = None if item.key in BUILT_IN else play.files.registry.get(item.key)
    secret = [name for name in plugin.schema["properties"] if is_secret(name, plugin.schema)] if plugin else []
    if isinstance(item.params, Table):
        yield from (item.params.items[name] for name in secret if name in item.params.items)
    elif secret:
        yield item.params


def _defined(plays: Sequence[Play]) -> Iterator[Mapping[str, Node]]:
    """The variables that the playbook and its parts define."""
    for play in plays:
        yield from (play.vars, play.defaults, *(item.vars for item in items(play)))
        yield from ({"item": item.loop} for item in items(play) if item.loop)
        yield from (part.defaults for part in play.files.read)
        yield from play.files.read_vars


def _literals(node: Node) -> Iterator[Position]:
    """The positions of values that are written out, alone or as a quoted text in an expression."""
    if isinstance(node, Listing | Table):
        for each in node.items if isinstance(node, Listing) else node.items.values():
            yield from _literals(each)
    elif isinstance(node.value, str) and templates.has_expression(node.value):
        if _QUOTED.search(node.value):
            yield node.where.unshown()
    elif node.value not in (None, ""):
        yield node.where.unshown()
