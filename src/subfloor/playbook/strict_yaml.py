"""Strict YAML: keeps positions and refuses ambiguous values.

Root runs playbooks on disks. So a value that YAML parsers read differently (``no``, ``0644``, ``12:30:00``) is an
error with a position, never a guess. The tree is built from the parser's events: this limits depth and expansion,
and keeps the position of every scalar.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from subfloor.playbook import scalars, syntax_errors
from subfloor.playbook.positions import PlaybookError, Position, Problems, Source
from subfloor.playbook.syntax_errors import MAX_DEPTH, TOO_DEEP

MAX_BYTES = 1 << 20
MAX_EXPANDED = 10_000

# Characters that YAML does not allow in a stream, and that should not be sent to a terminal.
_UNPRINTABLE: Any = yaml.reader.Reader.NON_PRINTABLE

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Scalar:
    """A text, number, boolean or null. ``raw`` is the text as it is written. ``flawed``: its error was already noted.

    ``literal``: another program has evaluated the value, so braces in it do not mark an expression.
    """

    value: str | int | float | bool | None
    where: Position
    raw: str = ""
    flawed: bool = False
    literal: bool = False


@dataclass(frozen=True)
class Listing:
    """A sequence of nodes."""

    items: tuple[Node, ...]
    where: Position


@dataclass(frozen=True)
class Table:
    """A mapping of names to nodes; ``keys`` holds the position of each name."""

    items: Mapping[str, Node]
    keys: Mapping[str, Position]
    where: Position


Node = Scalar | Listing | Table


def plain(node: Node) -> Any:
    """The node as plain Python values, without positions."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Listing):
        return [plain(item) for item in node.items]
    return {key: plain(item) for key, item in node.items.items()}


def kind(node: Node) -> str:
    """What a node is, as part of a message."""
    if isinstance(node, Listing):
        return "a list"
    return "a mapping" if isinstance(node, Table) else scalars.kind(node.value)


def read(path: Path, problems: Problems | None = None) -> Node:
    """The only document in a file, as ``parse`` reads it. Raises ``PlaybookError``."""
    return parse(text_of(path), problems)


def text_of(path: Path) -> Source:
    """The text of a file. Raises ``PlaybookError`` if it cannot be read."""
    nowhere = Position(Source(str(path), ""))
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise PlaybookError("this is a directory", advice=_one_in(path), where=nowhere) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise PlaybookError(
            f"cannot be read: {reason}", advice="check the path and its permissions", where=nowhere
        ) from None
    if len(content) > MAX_BYTES:
        raise PlaybookError("is larger than 1 MiB", advice="split it into files and `include` them", where=nowhere)
    return _decoded(str(path), content)


def _one_in(directory: Path) -> str:
    with contextlib.suppress(OSError):
        if names := sorted(str(path) for path in directory.iterdir() if path.suffix in (".yml", ".yaml")):
            return f"name a file in it: {', '.join(names[:10])}"
    return "name the YAML file in it"


def _decoded(name: str, content: bytes) -> Source:
    try:
        return Source(name, content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        source = Source(name, content.decode("utf-8-sig", "replace"))
        raise PlaybookError(
            f"byte 0x{content[error.start]:02x} is not UTF-8",
            advice="save the file as UTF-8",
            where=_position_after(source, before),
        ) from None


def _position_after(source: Source, before: str) -> Position:
    lines = f"{before}.".splitlines()
    return Position(source, len(lines), len(lines[-1]))


def parse(source: Source, problems: Problems | None = None) -> Node:
    """The only document in a text. Raises ``PlaybookError`` with all mistakes.

    With ``problems``, the mistakes are added there, and the readable parts are returned. Then an error is raised only
    if nothing is readable.
    """
    own = Problems()
    node = _readable(source, own)
    if node is None or problems is None:
        own.settle()
    assert node is not None  # otherwise there were problems
    for error in own.taken():
        problems.add(error) if problems is not None else None
    return node


def _readable(source: Source, problems: Problems) -> Node | None:
    """The readable parts of a text; None if there are none.

    After a syntax error, the line or the list entry that contains it is left out.
    """
    _refuse_unprintable(source)
    rest = syntax_errors.Rest(source.text)
    text = source.text
    while True:
        attempt = Problems()
        try:
            node = _Reader(source, text, attempt).document()
        except yaml.YAMLError as error:
            told = syntax_errors.told(source, text, error)
            if rest.reports(told.where.line):
                problems.add(told)
            if not rest.without(told.where.line):
                return None
            source, text = replace(source, partial=True), rest.text
            continue
        except PlaybookError as error:
            if not source.partial:  # otherwise, the error is a consequence of the lines that were left out
                attempt.add(error)
            node = None
        for each in attempt.taken():
            problems.add(each)
        return None if source.partial and isinstance(node, Scalar) else node


def _refuse_unprintable(source: Source) -> None:
    unprintable = _UNPRINTABLE.search(source.text)
    if unprintable:
        raise PlaybookError(
            f"the character U+{ord(unprintable[0]):04X} is not allowed in YAML",
            advice='remove it, or write it as an escape in double quotes, such as "\\0"',
            where=_position_after(source, source.text[: unprintable.start()]),
        )


class _Reader:
    """Builds the tree from the parser's events, and collects the mistakes."""

    def __init__(self, source: Source, text: str, problems: Problems) -> None:
        self._source = source
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=_Loader)
        self._problems = problems
        self._anchors: dict[str, tuple[Node | None, int]] = {}
        self._size = 0
        self._aliased = 0

    def document(self) -> Node:
        next(self._events)  # the start of the stream
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            raise self._error(event, "there is nothing in this file", "write a playbook into it, or name another file")
        node = self._node(next(self._events), 0)
        next(self._events)  # the end of the document
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._error(event, "a second document starts here", "write one document per file: remove this `---`")
        return node

    def _at(self, event: Any) -> Position:
        return Position(self._source, event.start_mark.line + 1, event.start_mark.column + 1)

    def _error(self, event: Any, what: str, advice: str) -> PlaybookError:
        return PlaybookError(what, advice=advice, where=self._at(event))

    def _node(self, event: Any, depth: int, *, is_key: bool = False) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > MAX_DEPTH:
            raise self._error(event, *TOO_DEEP)
        anchor, before = event.anchor, self._size
        if anchor:
            self._anchors[anchor] = (None, 0)
        self._size += 1
        self._refuse_tag(event)
        node = self._scalar(event, is_key) if isinstance(event, yaml.ScalarEvent) else self._built(event, depth)
        if anchor:
            self._anchors[anchor] = (node, self._size - before)
        return node

    def _built(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.SequenceStartEvent):
            items = tuple(self._node(each, depth + 1) for each in self._until(yaml.SequenceEndEvent))
            return Listing(items, self._at(event))
        return self._table(event, depth)

    def _until(self, end: type) -> Iterator[Any]:
        while not isinstance(event := next(self._events), end):
            yield event

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is not None:
            self._problems.add(
                self._error(event, f"the tag `{event.tag}` has no meaning here", "remove it; quotes make a value text")
            )

    def _alias(self, event: Any) -> Node:
        node, size = self._anchors.get(event.anchor, (None, -1))
        if size < 0:
            raise self._error(event, f"nothing is named `&{event.anchor}`", "name a value before using its alias")
        if node is None:
            raise self._error(event, f"`*{event.anchor}` is inside of the value that it names", "write the value out")
        # A "billion laughs" file is short: its expanded size is limited.
        self._aliased += size
        self._size += size
        if self._aliased > MAX_EXPANDED:
            raise self._error(
                event,
                f"aliases expand to more than {MAX_EXPANDED} values",
                "write the values out, or use vars",
            )
        return node

    def _scalar(self, event: Any, is_key: bool) -> Scalar:
        where, text = self._at(event), event.value
        if event.style not in (None, ""):
            return Scalar(text, where, text)
        try:
            return Scalar(scalars.resolve(text), where, text)
        except scalars.AmbiguousError as error:
            advice = f'quote it: "{text}"' if is_key else error.advice
            self._problems.add(PlaybookError(error.what, advice=advice, where=where))
            return Scalar(text, where, text, flawed=True)

    def _table(self, event: Any, depth: int) -> Table | Scalar:
        flawed = False
        items: dict[str, Node] = {}
        keys: dict[str, Position] = {}
        merged: list[Table] = []
        for each in self._until(yaml.MappingEndEvent):
            where = self._at(each)
            key = self._node(each, depth + 1, is_key=True)
            value = self._node(next(self._events), depth + 1)
            if _is_merge(each):
                merged += self._merged(value)
            elif name := self._key(key, where, value, keys):
                items[name], keys[name] = value, where
            else:
                flawed |= _is_expression(key, value)
        if flawed:
            return Scalar(None, self._at(event), flawed=True)
        for table in merged:
            items = {**table.items, **items}
            keys = {**table.keys, **keys}
        return Table(items, keys, self._at(event))

    def _key(self, key: Node, where: Position, value: Node, seen: Mapping[str, Position]) -> str:
        """The name of a key; empty, with an error noted, if the key is not valid."""
        name = key.value if isinstance(key, Scalar) else None
        if not isinstance(name, str) or not name:
            self._problems.add(_bad_key(key, where, value))
            return ""
        if name in seen:
            self._problems.add(
                PlaybookError(
                    f"the key `{name}` appears twice (first on line {seen[name].line})",
                    advice="remove one of the two",
                    where=where,
                )
            )
            return ""
        return name

    def _merged(self, value: Node) -> list[Table]:
        """The mappings that ``<<`` merges in; an earlier one overrides a later one."""
        tables = value.items if isinstance(value, Listing) else (value,)
        wrong = [each for each in tables if not isinstance(each, Table)]
        for each in wrong:
            self._problems.add(
                PlaybookError(f"`<<` merges mappings, not {kind(each)}", advice="name a mapping", where=each.where)
            )
        return [each for each in tables if isinstance(each, Table)]


def _is_merge(event: Any) -> bool:
    return isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.style in (None, "")


def _is_expression(key: Node, value: Node) -> bool:
    """Whether this is an expression without quotes: YAML reads its braces as a mapping that is a key without value."""
    return isinstance(key, Table) and isinstance(value, Scalar) and value.value is None


def _bad_key(key: Node, where: Position, value: Node) -> PlaybookError:
    if _is_expression(key, value):
        return PlaybookError(
            "braces without quotes are a mapping, not an expression",
            advice='put quotes around the whole value: "{{ … }}"',
            where=where,
        )
    shown = f"`{key.raw}`" if isinstance(key, Scalar) and key.raw else kind(key)
    return PlaybookError(f"a key must be text, but this is {shown}", advice="put it in quotes", where=where)
