"""Values that another program has read and evaluated, as nodes of a playbook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from subfloor.playbook.positions import Position
from subfloor.playbook.strict_yaml import Listing, Node, Scalar, Table


def literal(value: Any, where: Position) -> Node:
    """The node of a value that YAML can hold. Braces in the value do not mark expressions."""
    if isinstance(value, Mapping):
        items = {str(name): literal(each, where) for name, each in value.items()}
        return Table(items, dict.fromkeys(items, where), where)
    if isinstance(value, list | tuple):
        return Listing(tuple(literal(each, where) for each in value), where)
    return Scalar(value, where, "" if value is None else str(value), literal=True)
