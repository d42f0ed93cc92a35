"""Values of a machine as text and as JSON: UUIDs, bytes, sets, partitions and others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any
from uuid import UUID

from subfloor.core.machine import words_of
from subfloor.observe.path import Mode
from subfloor.steps.partitions.declared import attributes
from subfloor.storage.gpt import Entry, Gpt
from subfloor.storage.partition_types import type_name


def as_json(value: Any, name: str = "", sector: int | None = None) -> Any:
    """The value in JSON's types. Bytes that are not UTF-8, and text that is not valid Unicode, are escaped.

    ``name``: the name of the property. Permission bits are recognised by it, and become text in octal. ``sector``: the
    size of a sector in bytes, if the value is about a disk; then places and sizes of partitions are given in bytes.
    """
    if value is None or isinstance(value, bool | int | float):
        return _number_as_json(value, name, sector)
    if isinstance(value, frozenset | set):
        return sorted((as_json(each, name, sector) for each in value), key=str)
    if isinstance(value, tuple | list):
        return [as_json(each, name, sector) for each in value]
    if is_dataclass(value) and fields(value):
        return _object(value, sector)
    return {spelt(key): as_json(each) for key, each in value.items()} if isinstance(value, Mapping) else spelt(value)


def _number_as_json(value: float | None, name: str, sector: int | None) -> float | str | None:
    if is_mode(value, name):
        return f"{value:04o}"
    in_sectors = sector and isinstance(value, int) and name.rpartition(", ")[2] in _IN_SECTORS
    return value * sector if in_sectors and value and sector else value


_IN_SECTORS = {
    "first sector": "first byte",
    "sectors": "bytes",
    "first usable sector": "first usable byte",
    "last usable sector": "last usable sector, first byte",
}
"""The properties of a partition table that are given in sectors, and their names when they are given in bytes."""


def in_bytes(property: str) -> str:
    """The name of a property when its value is given in bytes."""
    owner, comma, last = property.rpartition(", ")
    return f"{owner}{comma}{_IN_SECTORS.get(last, last)}"


def _object(value: Any, sector: int | None) -> dict[str, Any]:
    names = [item.name for item in fields(value) if item.compare]
    return {name: as_json(getattr(value, name), _words(value, name), sector) for name in names}


def _words(value: Any, name: str) -> str:
    """The name of a field, which shows whether its unit is sectors."""
    return words_of(type(value), name) if isinstance(value, Entry | Gpt) else name


def is_mode(value: Any, name: str) -> bool:
    """Whether the value is permission bits, which people read in octal."""
    plain = isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, Mode) or (plain and name.replace(", ", ".").rpartition(".")[2] == "mode")


def spelt(value: Any) -> str:
    """The value as text that can be written as UTF-8; other bytes are escaped."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def as_text(value: Any, name: str = "") -> str:
    """The value as text for people. ``name``: the name of the property; for ``mode`` a number is shown in octal."""
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
    return _fields(value) if _is_plain(value) else _plain(value, name)


def _plain(value: Any, name: str) -> str:
    is_type = isinstance(value, UUID) and name.rpartition(", ")[2] == "type"
    return type_name(value) if is_type else str(value)


def _number(value: int, name: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.startswith("partition table, entry ") and name.endswith(", attributes"):
        return attributes(value)
    return f"{value:04o}" if is_mode(value, name) else str(value)


def _is_plain(value: Any) -> bool:
    """Whether the value is a dataclass without its own ``__str__``."""
    return is_dataclass(value) and type(value).__str__ is object.__str__


def _fields(value: Any) -> str:
    shown = ((words_of(type(value), item.name), getattr(value, item.name)) for item in fields(value) if item.compare)
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
