"""YAML texts of values, on one line each: a value that is written and read again is the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from subfloor.core.identity import MACHINE
from subfloor.playbook.inventory import Target
from subfloor.playbook.strict_yaml import Listing, Scalar, Table


def value_text(value: Any) -> str:
    """A node, or a plain value, as YAML. A number stays as it was written: 25.10 is not 25.1."""
    if isinstance(value, Scalar):
        return _text(value.value) if isinstance(value.value, str) else value.raw or json.dumps(value.value)
    if isinstance(value, Listing | list | tuple):
        each = value.items if isinstance(value, Listing) else value
        return f"[{', '.join(map(value_text, each))}]"
    if isinstance(value, Table | Mapping):
        pairs = (value.items if isinstance(value, Table) else value).items()
        return "{" + ", ".join(f"{_text(str(name))}: {value_text(each)}" for name, each in pairs) + "}"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(text: str) -> str:
    """A text in quotes. Characters that are not printable are escaped (YAML 1.2, 5.7)."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)


def inventory_text(target: Target, variables: Mapping[str, Any]) -> str:
    """The text of an inventory with one host: ``target`` as this machine, in its groups, with ``variables``."""
    machine = {MACHINE: target.machine} if target.machine else {}
    host = {"subfloor_connection": "local", **machine, **dict(sorted(variables.items()))}
    children: dict[str, Any] = {
        group: {"hosts": {target.name: {}}} for group in sorted(target.groups) if group != "all"
    }
    everything = {"hosts": {target.name: host}, **({"children": children} if children else {})}
    return f"all: {value_text(everything)}\n"
