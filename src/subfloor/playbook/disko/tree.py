"""A disko configuration after its evaluation: a tree in which every value has a place and a position."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from subfloor.playbook.positions import PlaybookError, Position, Source

T = TypeVar("T")

SourceOf = Callable[[str], Source]
"""Returns the text of a file by its path."""


@dataclass(frozen=True)
class Other:
    """A value that is no data, such as a function."""

    what: str


@dataclass(frozen=True)
class Node:
    """A value: a text, a number, a truth value, None, a mapping or a tuple of nodes, or ``Other``.

    ``place``: the names that lead to the value, such as ``disko.devices.disk.main``. ``where``: the position at which
    the value is written; for JSON, only the file.
    """

    value: Any
    place: str
    where: Position

    @property
    def name(self) -> str:
        """The last name in ``place``."""
        return _last(self.place)

    @property
    def options(self) -> Mapping[str, Node]:
        """The options in this node, by name. Raises ``PlaybookError`` if the node is not a set of options."""
        if not isinstance(self.value, Mapping):
            raise self.wrong("a set of options is required, such as { type = …; }")
        return self.value

    @property
    def items(self) -> tuple[Node, ...]:
        """The nodes in this list. Raises ``PlaybookError`` if the node is not a list."""
        if not isinstance(self.value, tuple):
            raise self.wrong("a list is required")
        return self.value

    def get(self, name: str) -> Node | None:
        """The option of this name; None if the option is missing or null."""
        found = self.options.get(name)
        return None if found is None or found.value is None else found

    def at(self, name: str) -> Node:
        """The option of this name; if it is missing, a node with the value None at its place."""
        return self.options.get(name) or Node(None, join(self.place, name), self.where)

    def need(self, name: str) -> Node:
        """The option of this name. Raises ``PlaybookError`` if the option is missing or null."""
        found = self.get(name)
        if found is None:
            raise PlaybookError(
                f"{self.place} has no `{name}`", advice=f"add `{name}`, which disko requires too", where=self.where
            )
        return found

    def text(self, name: str, default: str = "") -> str:
        """The text of an option; ``default`` if it is missing. Raises ``PlaybookError`` if it is no text."""
        return self._plain(name, str, default, "a text in quotes is required")

    def number(self, name: str, default: int = 0) -> int:
        """The number of an option; ``default`` if it is missing. Raises ``PlaybookError`` if it is no whole number."""
        return self._plain(name, int, default, "a whole number is required")

    def flag(self, name: str, *, default: bool = False) -> bool:
        """The truth value of an option; ``default`` if it is missing. Raises ``PlaybookError`` for any other type."""
        return self._plain(name, bool, default, "`true` or `false` is required")

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of an option; none if it is missing. Raises ``PlaybookError`` if it is no list of texts."""
        found = self.get(name)
        for each in found.items if found else ():
            if not isinstance(each.value, str):
                raise each.wrong("a text in quotes is required")
        return tuple(each.value for each in found.items) if found else ()

    def _plain(self, name: str, kind: type[T], default: T, required: str) -> T:
        found = self.get(name)
        if found is None:
            return default
        if type(found.value) is not kind:
            raise found.wrong(required)
        return found.value

    def malformed(self, why: object, advice: str) -> PlaybookError:
        """The error for a text that disko does not understand either."""
        return PlaybookError(f"{self.place}: {why}", advice=advice, where=self.where)

    def wrong(self, required: str) -> PlaybookError:
        """The error for a value of a wrong type. ``required``: the end of the message, which names the right type."""
        return PlaybookError(
            f"{self.place} is {_kind(self.value)}, but {required}", advice="correct it", where=self.where
        )


def join(place: str, name: str) -> str:
    """A place below another one. A name that is no identifier of Nix is in quotes."""
    plain = name.replace("-", "").replace("_", "").replace("'", "")
    shown = name if plain.isalnum() and not name[0].isdigit() else '"' + name.replace('"', '\\"') + '"'
    return f"{place}.{shown}" if place else shown


def _last(place: str) -> str:
    if place.endswith('"'):
        return place[place.rindex('"', 0, -1) + 1 : -1]
    return place.rpartition(".")[2]


def _kind(value: Any) -> str:
    if isinstance(value, Other):
        return value.what
    kinds = {bool: "a truth value", str: "a text", tuple: "a list", type(None): "null"}
    return next((words for kind, words in kinds.items() if isinstance(value, kind)), "") or (
        "a set of options" if isinstance(value, Mapping) else f"the number {value}"
    )


def from_json(value: Any, place: str, where: Position) -> Node:
    """The tree of plain JSON. Names that begin with ``_`` are internal to disko, and are left out."""
    if isinstance(value, Mapping):
        kept = {name: each for name, each in value.items() if not name.startswith("_")}
        return Node({name: from_json(each, join(place, name), where) for name, each in kept.items()}, place, where)
    if isinstance(value, list):
        return Node(tuple(from_json(each, f"{place}[{n}]", where) for n, each in enumerate(value)), place, where)
    return Node(value, place, where)


def decoded(encoded: Mapping[str, Any], place: str, where: Position, source: SourceOf) -> Node:
    """The tree that ``evaluate.nix`` returns in its encoding."""
    if at := encoded.get("at"):
        where = Position(source(at["file"]), at["line"], at["column"])
    if "table" in encoded:
        table = {
            name: decoded(each, join(place, name), where, source)
            for name, each in encoded["table"].items()
            if each.get("other") != "nothing"
        }
        return Node(table, place, where)
    if "list" in encoded:
        each = (decoded(item, f"{place}[{n}]", where, source) for n, item in enumerate(encoded["list"]))
        return Node(tuple(each), place, where)
    if "merge" in encoded:
        return _merged([decoded(each, place, where, source) for each in encoded["merge"]], place, where)
    return Node(Other(encoded["other"]) if "other" in encoded else encoded["is"], place, where)


def _merged(nodes: list[Node], place: str, where: Position) -> Node:
    """Several definitions of one option as one node: sets are united, lists are joined; otherwise the last one."""
    nodes = [node for node in nodes if node.value != Other("nothing")]
    if nodes and all(isinstance(node.value, tuple) for node in nodes):
        return Node(tuple(item for node in nodes for item in node.value), place, where)
    if len(nodes) < 2 or not all(isinstance(node.value, Mapping) for node in nodes):
        return nodes[-1] if nodes else Node(None, place, where)
    names = dict.fromkeys(name for node in nodes for name in node.value)
    united = {name: [node.value[name] for node in nodes if name in node.value] for name in names}
    return Node({name: _merged(each, join(place, name), each[0].where) for name, each in united.items()}, place, where)
