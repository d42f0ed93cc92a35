"""Values as text in the Nix language. A value from a playbook can never break out of its string.

After the Nix manual, "String literals" and "Identifiers" (lexer.l of Nix has the same).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_'-]*")
_KEYWORDS = frozenset({"assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with"})
_ESCAPES = (("\\", "\\\\"), ('"', '\\"'), ("${", "\\${"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))
_WIDTH = 100
_LARGEST = (1 << 63) - 1


@dataclass(frozen=True)
class Expression:
    """Nix code that is written as it is. It never contains a value of a playbook."""

    text: str


Value = str | int | bool | None | Expression | Sequence["Value"] | Mapping[str, "Value"]


def render(value: Value, depth: int = 0) -> str:
    """The value as a Nix expression. ``depth``: the levels by which all lines but the first are indented.

    Raises ``ValueError`` for a value without a literal in Nix: text with a NUL or a lone surrogate, or an integer of
    more than 64 bits.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, str):
        return string(value)
    if isinstance(value, Expression):
        return value.text
    return _set(value, depth) if isinstance(value, Mapping) else _list(value, depth)


def merged(*settings: Mapping[str, Value]) -> dict[str, Value]:
    """Settings merged recursively, down to the options; a later value wins."""
    found: dict[str, Value] = {}
    for key, value in (item for each in settings for item in each.items()):
        there = found.get(key)
        if isinstance(there, Mapping) and isinstance(value, Mapping):
            value = merged(there, value)
        found[key] = value
    return found


def string(text: str) -> str:
    """A string literal, with all special characters escaped."""
    if "\0" in text or any(0xD800 <= ord(char) < 0xE000 for char in text):
        raise ValueError(f"{text!r} has a character that no Nix string can have")
    for char, escaped in _ESCAPES:
        text = text.replace(char, escaped)
    return f'"{text}"'


def name(text: str) -> str:
    """An attribute's name, in quotes where it needs them."""
    return text if _NAME.fullmatch(text) and text not in _KEYWORDS else string(text)


def comment(text: str) -> str:
    """Lines of comment."""
    return "".join(f"# {line}".rstrip() + "\n" for line in re.split(r"[\r\n]", text))


def _integer(value: int) -> str:
    if abs(value) > _LARGEST:
        raise ValueError(f"{value} is out of the range of Nix's integers")
    return str(value) if value >= 0 else f"({value})"


def _set(values: Mapping[str, Value], depth: int) -> str:
    lines = (f"{_path(key, value)} = {render(_end(value), depth + 1)};" for key, value in values.items())
    return _enclosed("{", lines, "}", depth) if values else "{ }"


def _path(key: str, value: Value) -> str:
    """The path of an attribute. It continues through sets that have one attribute: `boot.loader.timeout`."""
    if isinstance(value, Mapping) and len(value) == 1:
        ((inner, more),) = value.items()
        return f"{name(key)}.{_path(inner, more)}"
    return name(key)


def _end(value: Value) -> Value:
    """The value at the end of the path that ``_path`` shows."""
    while isinstance(value, Mapping) and len(value) == 1:
        (value,) = value.values()
    return value


def _list(values: Sequence[Value], depth: int) -> str:
    items = [render(value, depth + 1) for value in values]
    line = " ".join(["[", *items, "]"])
    return line if "\n" not in line and len(line) <= _WIDTH else _enclosed("[", iter(items), "]", depth)


def _enclosed(opening: str, lines: Iterator[str], closing: str, depth: int) -> str:
    inner = "".join(f"{'  ' * (depth + 1)}{line}\n" for line in lines)
    return f"{opening}\n{inner}{'  ' * depth}{closing}"
