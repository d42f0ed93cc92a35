"""The values of a task's parameters after all expressions in them are evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from subfloor.core.secret import Secret
from subfloor.playbook.strict_yaml import Node, Scalar, Table

Schema = Mapping[str, Any]


def task_values(values: Any, node: Node, schema: Schema) -> Any:
    """The parameters, from their evaluated ``values`` and the ``node`` as written.

    A value that is no mapping is returned unchanged, so that its error is reported; null gives no parameters.

    An optional parameter whose expression is null counts as not given: so a variable can leave out a parameter.
    The value of a secret parameter becomes a ``Secret``.
    """
    if values is None or not isinstance(values, dict):
        return {} if values is None else values
    kept = {*schema["required"], *_written_as_nothing(node)}
    return {name: _veiled(name, value, schema) for name, value in values.items() if value is not None or name in kept}


def _written_as_nothing(node: Node) -> set[str]:
    """The parameters that are written without a value. They are kept, so that this mistake is reported."""
    items = node.items if isinstance(node, Table) else {}
    return {name for name, each in items.items() if isinstance(each, Scalar) and each.value is None}


def _veiled(name: str, value: Any, schema: Schema) -> Any:
    return Secret(value) if is_secret(name, schema) and isinstance(value, str) else value


def is_secret(name: str, schema: Schema) -> bool:
    """Whether the value of a parameter is secret."""
    return bool(schema["properties"].get(name, {}).get("writeOnly"))
