"""The arguments of the tasks, as Ansible checks and documents them: made from the schemas of the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Spec = dict[str, dict[str, Any]]
"""An argument spec as ``AnsibleModule`` has it: options by name."""

_TYPES: Mapping[str, str] = {
    "string": "str",
    "integer": "int",
    "boolean": "bool",
    "number": "float",
    "array": "list",
    "object": "dict",
}

PLAY: Spec = {
    "playbook": {"type": "path"},
    "name": {"type": "str"},
    "seed": {"type": "str"},
    "tasks": {"type": "list", "elements": "dict"},
    "vars": {"type": "dict"},
}
"""The arguments of ``subfloor.core.play``."""

PLAY_RULES: Mapping[str, Any] = {
    "mutually_exclusive": [("playbook", "tasks"), ("playbook", "seed"), ("playbook", "name")],
    "required_one_of": [("playbook", "tasks")],
}


def spec_of(schema: Mapping[str, Any]) -> Spec:
    """The options of a task or record, from the JSON Schema of its parameters."""
    required = set(schema.get("required", ()))
    return {name: _option(each, name in required) for name, each in schema.get("properties", {}).items()}


def _option(schema: Mapping[str, Any], required: bool) -> dict[str, Any]:
    option: dict[str, Any] = {"type": type_of(schema)}
    if required:
        option["required"] = True
    if "enum" in schema:
        option["choices"] = list(schema["enum"])
    if schema.get("writeOnly"):
        option["no_log"] = True
    if option["type"] == "list":
        option |= _elements(schema.get("items", {}))
    elif schema.get("properties"):
        option["options"] = spec_of(schema)
    return option


def _elements(items: Mapping[str, Any]) -> dict[str, Any]:
    of_items: dict[str, Any] = {"elements": type_of(items)}
    return of_items | ({"options": spec_of(items)} if items.get("properties") else {})


def type_of(schema: Mapping[str, Any]) -> str:
    """The type of an option; ``raw`` if it may have several types."""
    if "enum" in schema:
        kinds = {type(each) for each in schema["enum"]}
        return {str: "str", int: "int", bool: "bool"}.get(kinds.pop(), "raw") if len(kinds) == 1 else "raw"
    return _TYPES.get(schema.get("type", ""), "raw")
