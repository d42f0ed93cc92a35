"""The entries of a task list as they are written: each file is read once for all hosts.

``expansion`` evaluates the conditions, loops and expressions of an entry for each host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from subfloor.playbook import strict_yaml
from subfloor.playbook.positions import PlaybookError, Position, Problems, did_you_mean
from subfloor.playbook.registry import Registry
from subfloor.playbook.strict_yaml import Listing, Node, Scalar, Table
from subfloor.playbook.variables import plain_condition, table_of_vars

INCLUDE = "include"
COMMON = ("name", "when", "loop", "tags", "vars")
"""The keys that every entry may have besides the key of its task."""

_FROM_ANSIBLE: Mapping[str, str] = {
    "include_tasks": "write `include: FILE`",
    "import_tasks": "write `include: FILE`",
    "import_playbook": "name several playbooks on the command line, or `include` their tasks",
    "with_items": "write `loop:`",
    "register": "remove it: each task looks at the machine itself; tasks pass no values to each other",
    "notify": "put the task where it is needed; it does nothing if it is already in sync",
    "handlers": "put the task where it is needed; it does nothing if it is already in sync",
    "block": "put the tasks into a separate file, and `include` it",
    "roles": "write `include: FILE` in `tasks`",
    "gather_facts": "remove it: no facts are gathered, tasks look at what they need",
    "become": "set `subfloor_become: sudo` for the host in the inventory",
    "vars_files": "give the file on the command line: `-e @FILE`",
    "ignore_errors": "remove it: after an error the state of a disk is not safe to continue from",
    "changed_when": "remove it: a task counts as changed if it takes a step",
}


@dataclass(frozen=True)
class Item:
    """One entry: a task's key with its parameters, or ``include`` with a path."""

    key: str
    params: Node
    where: Position
    name: Node | None = None
    when: Node | None = None
    loop: Node | None = None
    tags: frozenset[str] = frozenset()
    vars: Mapping[str, Node] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """An included file: tasks, with defaults for the variables that they use."""

    items: tuple[Item, ...]
    defaults: Mapping[str, Node] = field(default_factory=dict)


class Files:
    """The included files of a playbook; each is read once."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._parts: dict[str, Part] = {}

    @property
    def read(self) -> tuple[Part, ...]:
        """The contents of the files that were read so far."""
        return tuple(self._parts.values())

    def part(self, path: str) -> Part:
        """The tasks in the file at ``path``. Raises ``PlaybookError``."""
        if path not in self._parts:
            self._parts[path] = read_part(Path(path), self.registry)
        return self._parts[path]


def read_part(path: Path, registry: Registry) -> Part:
    """The tasks in a file: a list, or a mapping with ``tasks`` and ``defaults``. Raises ``PlaybookError``."""
    node = strict_yaml.read(path)
    if not isinstance(node, Table):
        return Part(items_of(node, registry))
    check_keys(node, ("tasks", "defaults"), "a file of tasks")
    problems = Problems()
    defaults: Mapping[str, Node] = {}
    items: tuple[Item, ...] = ()
    with problems.kept():
        defaults = table_of_vars(node.items.get("defaults"))
    with problems.kept():
        items = items_of(required(node, "tasks", "a file of tasks"), registry)
    problems.settle()
    return Part(items, defaults)


def required(table: Table, key: str, what: str) -> Node:
    """The value of a key that must be there. Raises ``PlaybookError``."""
    if key not in table.items:
        raise PlaybookError(f"{what} needs `{key}`", advice=f"add `{key}: …`", where=table.where)
    return table.items[key]


def check_keys(table: Table, known: tuple[str, ...], what: str) -> None:
    """Raise ``PlaybookError`` for unknown keys, which may be misspelt."""
    problems = Problems()
    for key, where in table.keys.items():
        if key not in known:
            otherwise = _FROM_ANSIBLE.get(key) or f"it has {', '.join(f'`{each}`' for each in known)}"
            advice = otherwise if key in _FROM_ANSIBLE else did_you_mean(key, known, otherwise=otherwise)
            problems.add(PlaybookError(f"{what} has no `{key}`", advice=advice, where=where))
    problems.settle()


def items_of(node: Node, registry: Registry) -> tuple[Item, ...]:
    """The entries of a list of tasks. Raises ``PlaybookError`` with all mistakes."""
    if isinstance(node, Scalar) and node.value is None:
        return ()
    if not isinstance(node, Listing):
        raise PlaybookError(
            f"tasks are a list, and this is {strict_yaml.kind(node)}",
            advice="start each task with `- `",
            where=node.where,
        )
    problems = Problems()
    items: list[Item] = []
    for entry in node.items:
        with problems.kept():
            items.append(_item(entry, registry))
    problems.settle()
    return tuple(items)


def _item(entry: Node, registry: Registry) -> Item:
    if not isinstance(entry, Table):
        raise PlaybookError(
            f"a task is a mapping, and this is {strict_yaml.kind(entry)}",
            advice="write the task's key with its parameters, such as `wipefs: {device: /dev/vda}`",
            where=entry.where,
        )
    key = _key(entry, registry)
    problems = Problems()
    tags: frozenset[str] = frozenset()
    vars_: Mapping[str, Node] = {}
    with problems.kept():
        tags = tags_of(entry.items.get("tags"))
    with problems.kept():
        vars_ = table_of_vars(entry.items.get("vars"))
    when = entry.items.get("when")
    with problems.kept():
        _check_condition(when)
    problems.settle()
    parts = {name: entry.items.get(name) for name in ("name", "loop")}
    return Item(key, entry.items[key], entry.keys[key], when=when, tags=tags, vars=vars_, **parts)


def _check_condition(when: Node | None) -> None:
    for each in when.items if isinstance(when, Listing) else (when,):
        if each is not None:
            plain_condition(each)


def _key(entry: Table, registry: Registry) -> str:
    """The key of an entry that names its task."""
    candidates = [key for key in entry.items if key not in COMMON]
    if not candidates:
        raise PlaybookError(
            "this entry names no task",
            advice="add one, such as `wipefs: {device: /dev/vda}`; `subfloor tasks` lists them",
            where=entry.where,
        )
    problems = Problems()
    known = [key for key in candidates if key == INCLUDE or registry.get(key)]
    for key in candidates:
        if key not in known:
            problems.add(_unknown(key, entry.keys[key], bool(known), registry))
    for key in known[1:]:
        what = f"this entry names a second task, `{key}` beside `{known[0]}`"
        problems.add(PlaybookError(what, advice="start a new entry with `- `", where=entry.keys[key]))
    problems.settle()
    return known[0]


def _unknown(key: str, where: Position, named: bool, registry: Registry) -> PlaybookError:
    """The error for an unknown key; ``named``: the entry already has a task, so the key is no misspelt task."""
    if key in _FROM_ANSIBLE:
        return PlaybookError(f"there is no `{key}`", advice=_FROM_ANSIBLE[key], where=where)
    if named:
        listed = f"besides its task an entry has {', '.join(f'`{each}`' for each in COMMON)}"
        advice = did_you_mean(key, COMMON, otherwise=listed)
        return PlaybookError(f"an entry has no `{key}`", advice=advice, where=where)
    known = (*registry.names(), INCLUDE, *COMMON)
    advice = did_you_mean(key, known, otherwise="`subfloor tasks` lists all tasks")
    return PlaybookError(f"there is no task `{key}`", advice=advice, where=where)


def tags_of(node: Node | None) -> frozenset[str]:
    """Tags: a list of names, or names separated by commas. Raises ``PlaybookError``."""
    if node is None:
        return frozenset()
    names: set[str] = set()
    for each in node.items if isinstance(node, Listing) else (node,):
        if not isinstance(each, Scalar) or not isinstance(each.value, str):
            raise PlaybookError(
                f"tags are names, and this is {strict_yaml.kind(each)}",
                advice="write `tags: [disk, swap]`",
                where=each.where,
            )
        names |= {name.strip() for name in each.value.split(",")} - {""}
    return frozenset(names)
