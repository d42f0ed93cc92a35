"""Lines of a playbook that subfloor writes for a person: tasks and comments. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from subfloor.playbook.yaml_text import value_text

_PLAIN = re.compile(r"(?!(?:y|n|yes|no|on|off|true|false|null)$)[A-Za-z/][\w./@+-]*|[1-9]\d*[KMGTP]?i?B", re.I | re.A)
"""Texts that need no quotes in YAML."""

_EXPRESSIONS = ("{{", "{%", "{#")


def task_line(key: str, **parameters: Any) -> str:
    """A task on one line."""
    given = ", ".join(f"{name}: {_value(value)}" for name, value in parameters.items())
    return f"- {key}: {{{given}}}"


def comment(text: str) -> Iterator[str]:
    """A comment of one line. Characters that are not printable are escaped, so no text can end the line."""
    yield "# " + "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def is_literal(text: str) -> bool:
    """Whether a playbook reads the text as it is, and not as an expression."""
    return text.isprintable() and not any(mark in text for mark in _EXPRESSIONS)


def playbook_text(head: str, name: str, seed: str, body: list[str]) -> str:
    """A playbook for this machine with one play. ``body``: lines of tasks and comments, without indentation."""
    lines = [f"{head}- name: {_value(name)}", "  hosts: localhost", f"  seed: {seed}", "  tasks:"]
    if not any(line.startswith("- ") for line in body):
        lines[3] += " []"
        return "\n".join([*lines, *(f"  {line}" if line else "" for line in body)]) + "\n"
    return "\n".join([*lines, *(f"    {line}" if line else "" for line in body)]) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else value_text(value)
