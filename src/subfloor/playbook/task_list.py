"""The entries of a task list as they are written: each file is read once for all hosts.

``expansion`` evaluates the conditions, loops and expressions of an entry for each host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from subfloor.playbook import from_ansible, strict_yaml
from subfloor.playbook.positions import PlaybookError, Position, Problems, did_you_mean, nearest
from subfloor.playbook.registry import Registry
from subfloor.playbook.strict_yaml import Listing, Node, Scalar, Table
from subfloor.playbook.variables import plain_condition, table_of_vars

INCLUDE, BLOCK, ASSERT, FAIL = "include", "block", "assert", "fail"
BUILT_IN = (INCLUDE, BLOCK, ASSERT, FAIL)
"""The keys of entries that are part of the language, and not tasks."""

_PART_KEYS = ("tasks", "defaults")
COMMON = ("name", "when", "loop", "tags", "vars")
"""The keys that every entry may have besides the key of its task."""


@dataclass(frozen=True)
class Item:
    """One entry: a task's key with its parameters, or one of ``BUILT_IN``. ``items``: the entries of a block."""

    key: str
    params: Node
    where: Position
    name: Node | None = None
    when: Node | None = None
    loop: Node | None = None
    tags: frozenset[str] = frozenset()
    vars: Mapping[str, Node] = field(default_factory=dict)
    items: tuple[Item, ...] = ()
    known: bool = True
    """Whether there is a task with this key. If not, that error was already reported."""


@dataclass(frozen=True)
class Part:
    """An included file: tasks, with defaults for the variables that they use."""

    items: tuple[Item, ...]
    defaults: Mapping[str, Node] = field(default_factory=dict)
    partial: bool = False
    """Whether parts of the file could not be read."""


class Files:
    """The included files of a playbook; each is read once."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._parts: dict[str, Part] = {}
        self._vars: dict[str, Mapping[str, Node]] = {}
        self._errors: dict[str, tuple[PlaybookError, ...]] = {}
        self.complete = True
        """Whether everything could be read in the files that were read so far."""

    @property
    def read(self) -> tuple[Part, ...]:
        """The contents of the files that were read so far."""
        return tuple(self._parts.values())

    def part(self, path: str) -> Part:
        """The readable parts of the file at ``path``. Raises ``PlaybookError`` if nothing is readable."""
        if path not in self._parts:
            problems, complete = Problems(), self.complete
            self.complete = False
            part = self._parts[path] = _read_part(Path(path), self.registry, problems)
            self._errors[path] = problems.taken()
            self.complete = complete and not part.partial
        return self._parts[path]

    def vars(self, path: str, problems: Problems) -> Mapping[str, Node]:
        """The variables in the file at ``path``; mistakes are added to ``problems``, once."""
        if path not in self._vars:
            self._vars[path] = {}
            self._vars[path] = table_of_vars(strict_yaml.read(Path(path), problems), problems)
        return self._vars[path]

    @property
    def paths_of_vars(self) -> tuple[str, ...]:
        """The paths of the files of variables that were read so far."""
        return tuple(self._vars)

    @property
    def read_vars(self) -> tuple[Mapping[str, Node], ...]:
        """The variables of the files that were read so far."""
        return tuple(self._vars.values())

    def errors(self, path: str) -> tuple[PlaybookError, ...]:
        """The errors in a file that was read. They are reported once: a second call returns none."""
        return self._errors.pop(path, ())


def _read_part(path: Path, registry: Registry, problems: Problems) -> Part:
    """The tasks in a file: a list, or a mapping with ``tasks`` and ``defaults``. Raises ``PlaybookError``."""
    node = strict_yaml.read(path, problems)
    partial = node.where.source.partial
    if not isinstance(node, Table):
        return Part(items_of(node, registry, problems), partial=partial)
    with problems.kept():
        check_keys(node, _PART_KEYS, "a file of tasks")
    defaults = table_of_vars(node.items.get("defaults"), problems)
    items: tuple[Item, ...] = ()
    with problems.kept():
        items = items_of(required(node, "tasks", _PART_KEYS, "a file of tasks"), registry, problems)
    return Part(items, defaults, partial)


def required(table: Table, key: str, known: tuple[str, ...], what: str) -> Node:
    """The value of a required key. Raises ``PlaybookError`` if it is missing. ``known``: all keys that are allowed."""
    if key not in table.items:
        follows = table.where.source.partial or any(nearest(each, known) == key for each in table.items)
        raise PlaybookError(f"{what} needs `{key}`", advice=f"add `{key}: …`", where=table.where, follows=follows)
    return table.items[key]


def check_keys(table: Table, known: tuple[str, ...], what: str) -> None:
    """Raise ``PlaybookError`` for unknown keys, which may be misspelt."""
    problems = Problems()
    for key, where in table.keys.items():
        if key not in known:
            listed = f"it has {', '.join(f'`{each}`' for each in known)}"
            advice = from_ansible.KEYS.get(key) or did_you_mean(key, known, otherwise=listed)
            problems.add(PlaybookError(f"{what} has no `{key}`", advice=advice, where=where))
    problems.settle()


def items_of(node: Node, registry: Registry, problems: Problems) -> tuple[Item, ...]:
    """The entries of a list of tasks, as far as they can be read; the mistakes are added to ``problems``.

    Raises ``PlaybookError`` if ``node`` is not a list.
    """
    if isinstance(node, Scalar) and node.value is None:
        return ()
    if not isinstance(node, Listing):
        raise PlaybookError(
            f"tasks are a list, but this is {strict_yaml.kind(node)}",
            advice="start each task with `- `",
            where=node.where,
        )
    items: list[Item] = []
    for entry in node.items:
        with problems.kept():
            items.append(_item(entry, registry, problems))
    return tuple(items)


def _item(entry: Node, registry: Registry, problems: Problems) -> Item:
    if not isinstance(entry, Table):
        raise PlaybookError(
            f"a task is a mapping, but this is {strict_yaml.kind(entry)}",
            advice="write the task's key with its parameters, such as `wipefs: {device: /dev/vda}`",
            where=entry.where,
            follows=entry.where.source.partial,
        )
    key, known = _key(entry, registry, problems)
    tags: frozenset[str] = frozenset()
    with problems.kept():
        tags = tags_of(entry.items.get("tags"))
    vars_ = table_of_vars(entry.items.get("vars"), problems)
    when = entry.items.get("when")
    with problems.kept():
        _check_condition(when)
    parts = {name: entry.items.get(name) for name in ("name", "loop")}
    inner: tuple[Item, ...] = ()
    with problems.kept():
        inner = items_of(entry.items[key], registry, problems) if key == BLOCK else ()
    where = entry.keys[key]
    return Item(key, entry.items[key], where, when=when, tags=tags, vars=vars_, items=inner, known=known, **parts)


def _check_condition(when: Node | None) -> None:
    for each in when.items if isinstance(when, Listing) else (when,):
        if each is not None:
            plain_condition(each)


def _key(entry: Table, registry: Registry, problems: Problems) -> tuple[str, bool]:
    """The key of an entry that names its task, and whether such a task exists.

    Raises ``PlaybookError`` if no key names a task; other mistakes are added to ``problems``.
    """
    candidates = [key for key in entry.items if key not in COMMON]
    if not candidates:
        raise PlaybookError(
            "this entry names no task",
            advice="add one, such as `wipefs: {device: /dev/vda}`; `subfloor tasks` lists them",
            where=entry.where,
            follows=entry.where.source.partial,
        )
    known = [key for key in candidates if key in BUILT_IN or registry.get(key)]
    for key in candidates:
        if key not in known:
            problems.add(_unknown(key, entry.keys[key], bool(known), registry))
    for key in known[1:]:
        what = f"this entry names a second task, `{key}` beside `{known[0]}`"
        problems.add(PlaybookError(what, advice="start a new entry with `- `", where=entry.keys[key]))
    return (known or candidates)[0], bool(known)


def _unknown(key: str, where: Position, named: bool, registry: Registry) -> PlaybookError:
    """The error for an unknown key; ``named``: the entry already has a task, so the key is not a misspelt task."""
    if key in from_ansible.KEYS:
        return PlaybookError(f"there is no `{key}`", advice=from_ansible.KEYS[key], where=where)
    if named:
        listed = f"besides its task an entry has {', '.join(f'`{each}`' for each in COMMON)}"
        advice = did_you_mean(key, COMMON, otherwise=listed)
        return PlaybookError(f"an entry has no `{key}`", advice=advice, where=where)
    known = (*registry.names(), *BUILT_IN, *COMMON)
    bare = from_ansible.bare(key)
    ours = f"write `{bare}`" if bare != key and bare in known else ""
    advice = from_ansible.task(key) or ours or did_you_mean(bare, known, otherwise="`subfloor tasks` lists all tasks")
    return PlaybookError(f"there is no task `{key}`", advice=advice, where=where)


def tags_of(node: Node | None) -> frozenset[str]:
    """Tags: a list of names, or names separated by commas. Raises ``PlaybookError``."""
    if node is None:
        return frozenset()
    names: set[str] = set()
    for each in node.items if isinstance(node, Listing) else (node,):
        if not isinstance(each, Scalar) or not isinstance(each.value, str):
            raise PlaybookError(
                f"tags are names, but this is {strict_yaml.kind(each)}",
                advice="write `tags: [disk, swap]`",
                where=each.where,
            )
        names |= {name.strip() for name in each.value.split(",")} - {""}
    return frozenset(names)
