"""What a task is given: its parameters once every expression in them is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from subfloor.core.secret import Secret
from subfloor.playbook.strict_yaml import Node, Scalar, Table

Schema = Mapping[str, Any]


def task_values(values: Any, node: Node, schema: Schema) -> Any:
    """The parameters, from how they are written and what that came to; anything but a mapping stays.

    What need not be given, and whose expression comes to nothing, is not given: so a variable can stand
    for a parameter that is left out. What nobody may see is a secret from here on.
    """
    if values is None or not isinstance(values, dict):
        return {} if values is None else values
    kept = {*schema["required"], *_written_as_nothing(node)}
    return {name: _veiled(name, value, schema) for name, value in values.items() if value is not None or name in kept}


def _written_as_nothing(node: Node) -> set[str]:
    """The parameters that somebody wrote without a value: a mistake, which is told."""
    items = node.items if isinstance(node, Table) else {}
    return {name for name, each in items.items() if isinstance(each, Scalar) and each.value is None}


def _veiled(name: str, value: Any, schema: Schema) -> Any:
    return Secret(value) if is_secret(name, schema) and isinstance(value, str) else value


def is_secret(name: str, schema: Schema) -> bool:
    """Whether nobody may see what is given for a parameter."""
    return bool(schema["properties"].get(name, {}).get("writeOnly"))
