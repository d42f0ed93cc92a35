"""Inventories in Ansible's INI format, as the tree that the same inventory has in YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from subfloor.playbook import scalars
from subfloor.playbook.positions import PlaybookError, Position, Problems, Source
from subfloor.playbook.strict_yaml import Node, Scalar, Table

_SECTION = re.compile(r"\[(?P<group>[^\]:]+)(?::(?P<part>[a-z]+))?\]\s*(?:[#;].*)?")
_VALUE = re.compile(r"""(?P<name>[^\s=]+)\s*=\s*(?P<value>"[^"]*"|'[^']*'|[^\s#]*)""")
_PARTS = ("hosts", "vars", "children")


def is_ini(path: Path, text: str) -> bool:
    """Whether a file is an inventory in INI format: by its name, or by its first line."""
    if path.suffix in (".yml", ".yaml", ".json"):
        return False
    first = next((line.strip() for line in text.splitlines() if line.strip() and line.strip()[0] not in "#;"), "")
    return bool(first) and not re.match(r"---|[{\[]\s*[\"{]|[^\s=\[]+:(\s|$)", first)


@dataclass
class _Place:
    """A mapping while it is being read."""

    where: Position
    items: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Position] = field(default_factory=dict)

    def put(self, name: str, node: Node, where: Position) -> None:
        self.items[name] = node
        self.keys[name] = where

    def table(self) -> Table:
        return Table(self.items, self.keys, self.where)


def parse(source: Source, problems: Problems) -> Table:
    """The inventory in a text, as the mapping of groups; mistakes are added to ``problems``."""
    start = Position(source)
    groups: dict[str, dict[str, _Place]] = {}
    group, part = "ungrouped", "hosts"
    for number, line in enumerate(source.text.splitlines(), 1):
        where = Position(source, number, len(line) - len(line.lstrip()) + 1)
        if not line.strip() or line.strip()[0] in "#;":
            continue
        with problems.kept():
            if line.strip().startswith("["):
                group, part = _section(line.strip(), where)
                groups.setdefault(group, {}).setdefault(part, _Place(where))
            else:
                place = groups.setdefault(group, {}).setdefault(part, _Place(where))
                _line(line, where, part, place, problems)
    whole = _Place(start)
    for name, parts in groups.items():
        inner = _Place(start)
        for key, place in parts.items():
            inner.put(key, place.table(), place.where)
        whole.put(name, inner.table(), next(iter(parts.values())).where)
    return whole.table()


def _section(line: str, where: Position) -> tuple[str, str]:
    found = _SECTION.fullmatch(line)
    if not found or (found["part"] or "hosts") not in _PARTS:
        advice = "write `[GROUP]`, `[GROUP:vars]` or `[GROUP:children]`"
        raise PlaybookError("this is not a section of an inventory", advice=advice, where=where)
    return found["group"].strip(), found["part"] or "hosts"


def _line(line: str, where: Position, part: str, place: _Place, problems: Problems) -> None:
    if part == "vars":
        for name, value in _values(line, 0, where, problems, whole=True):
            place.put(name, value, where)
        return
    name, _, _ = line.strip().partition(" ")
    name = name.partition("\t")[0]
    if "[" in name:
        raise PlaybookError("a range of hosts is not supported", advice="write each host on a line", where=where)
    values = _Place(where)
    for key, value in _values(line, where.column - 1 + len(name), where, problems):
        values.put(key, value, value.where)
    place.put(name, values.table(), where)


def _values(
    line: str, start: int, where: Position, problems: Problems, *, whole: bool = False
) -> Iterator[tuple[str, Scalar]]:
    """The assignments on a line; ``whole``: the whole line is one assignment."""
    for found in _VALUE.finditer(line, start):
        text = line[found.start("value") :].strip() if whole else found["value"]
        place = Position(where.source, where.line, found.start("value") + 1)
        with problems.kept():
            yield found["name"], _scalar(text, place)
        if whole:
            return
    if not _VALUE.search(line, start) and line[start:].strip() and line[start:].strip()[0] not in "#;":
        raise PlaybookError("this is not NAME=VALUE", advice="write `subfloor_host=192.0.2.1`", where=where)


def _scalar(text: str, where: Position) -> Scalar:
    if text[:1] in ("'", '"') and text[-1:] == text[:1] and len(text) > 1:
        return Scalar(text[1:-1], where, text)
    try:
        return Scalar(scalars.resolve(text) if text else "", where, text)
    except scalars.AmbiguousError as error:
        raise PlaybookError(error.what, advice=error.advice, where=where) from None
