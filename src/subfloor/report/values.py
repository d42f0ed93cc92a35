"""Values of a machine as text and as JSON: UUIDs, bytes, sets, partitions and others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any
from uuid import UUID


def as_json(value: Any) -> Any:
    """The value in JSON's types. Bytes that are not UTF-8, and text that is not valid Unicode, are escaped."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, frozenset | set):
        return sorted(map(as_json, value), key=str)
    if isinstance(value, tuple | list):
        return [as_json(each) for each in value]
    if is_dataclass(value) and fields(value):
        return {item.name: as_json(getattr(value, item.name)) for item in fields(value) if item.compare}
    if isinstance(value, Mapping):
        return {spelt(key): as_json(each) for key, each in value.items()}
    return spelt(value)


def spelt(value: Any) -> str:
    """The value as text that can be written as UTF-8; other bytes are escaped."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def as_text(value: Any, name: str = "") -> str:
    """The value as text for people; ``name`` is the property's, since permission bits are shown in octal."""
    if value is None or value in ((), "", frozenset()):
        return "none"
    if isinstance(value, int):
        return _number(value, name)
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, frozenset | set):
        return ", ".join(sorted(map(as_text, value)))
    if isinstance(value, tuple | list):
        return ", ".join(f"({as_text(each)})" if _is_plain(each) else as_text(each) for each in value)
    return _fields(value) if _is_plain(value) else str(value)


def _number(value: int, name: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:04o}" if name.rpartition(".")[2] == "mode" else str(value)


def _is_plain(value: Any) -> bool:
    """Whether it is a dataclass without its own ``__str__``."""
    return is_dataclass(value) and type(value).__str__ is object.__str__


def _fields(value: Any) -> str:
    shown = ((item.name, getattr(value, item.name)) for item in fields(value) if item.compare)
    return ", ".join(f"{name} {as_text(each, name)}" for name, each in shown if not isinstance(each, UUID)) or str(
        value
    )


def content(value: Any) -> str | None:
    """The text of a file's content; None if the value is not the content of a file, or not UTF-8."""
    held = value if isinstance(value, bytes) else getattr(value, "content", None)
    if not isinstance(held, bytes):
        return None
    try:
        return held.decode("utf-8")
    except UnicodeDecodeError:
        return None
