"""Playbooks: from YAML to the plays, and to the tasks of a play for one host.

A playbook is read completely before anything is looked at. So every mistake is found on every machine, even in
parts that a run would reach late, and is reported with file, line and column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subfloor.core.identity import Identity
from subfloor.playbook import scalars, strict_yaml
from subfloor.playbook.entries import Entry
from subfloor.playbook.expansion import Around, Expansion
from subfloor.playbook.positions import PlaybookError, Position, Problems
from subfloor.playbook.registry import Registry
from subfloor.playbook.strict_yaml import Listing, Node, Scalar, Table
from subfloor.playbook.task_list import Files, Item, check_keys, items_of, required, tags_of
from subfloor.playbook.variables import Scope, Vars, table_of_vars

if TYPE_CHECKING:
    from subfloor.playbook.inventory import Target  # at run time, it is the inventory that imports from here

_PLAY_KEYS = ("name", "hosts", "seed", "vars", "defaults", "tags", "tasks")


@dataclass(frozen=True)
class Play:
    """A play as it is written, for all hosts. ``hosts`` is a pattern for ``Inventory.matching``."""

    name: str
    hosts: str
    where: Position
    hosts_where: Position
    items: tuple[Item, ...]
    files: Files
    seed: Node | None = None
    vars: Mapping[str, Node] = field(default_factory=dict)
    defaults: Mapping[str, Node] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()

    def entries(self, target: Target, extra: Vars | None = None) -> tuple[Entry, ...]:
        """The entries of this play for a host, with includes and loops expanded.

        Precedence of variables, highest first: ``extra``, those of the entry and of the includes around it, the
        play's, the host's, and defaults. Raises ``PlaybookError`` with all mistakes.
        """
        scope = Scope(extra or {}, (self.vars, target.all_vars), (self.defaults,))
        around = Around(scope, self.tags, (self.where.source.name,))
        return Expansion(self.files, cache(lambda: self._identity(target, scope))).entries(self.items, around)

    def _identity(self, target: Target, scope: Scope) -> Identity:
        """The play's identity on a host. Raises ``PlaybookError`` if the play has no seed."""
        if self.seed is None:
            raise PlaybookError(
                "the play has no seed, but it has tasks that derive UUIDs from a seed",
                advice='add `seed:` to the play, with any text, such as `seed: "{{ inventory_hostname }}"`',
                where=self.where,
            )
        seed = scope.render(self.seed)
        if not isinstance(seed, str) or not seed:
            raise PlaybookError(
                f"a seed must be text, and this is {scalars.kind(seed)}",
                advice="put it in quotes",
                where=self.seed.where,
            )
        return Identity(seed, target.name)


def load(path: Path, registry: Registry) -> tuple[Play, ...]:
    """The plays of a playbook. Raises ``PlaybookError`` with all mistakes in its structure."""
    node = strict_yaml.read(path)
    if not isinstance(node, Listing) or not node.items:
        raise PlaybookError(
            f"a playbook is a list of plays, and this is {strict_yaml.kind(node)}",
            advice="start with `- hosts: all`, and below it `tasks:`",
            where=node.where,
        )
    problems = Problems()
    plays: list[Play] = []
    files = Files(registry)
    for item in node.items:
        with problems.kept():
            plays.append(_play(item, files))
    problems.settle()
    return tuple(plays)


def _play(node: Node, files: Files) -> Play:
    if not isinstance(node, Table):
        raise PlaybookError(
            f"a play is a mapping, and this is {strict_yaml.kind(node)}",
            advice="write `hosts: all`, and below it `tasks:`",
            where=node.where,
        )
    check_keys(node, _PLAY_KEYS, "a play")
    problems = Problems()
    given: dict[str, Any] = {"seed": node.items.get("seed")}
    for key, read in _PARTS.items():
        with problems.kept():
            given[key] = read(node)
    with problems.kept():
        given["items"] = items_of(required(node, "tasks", "a play"), files.registry)
    problems.settle()
    hosts_where = node.items["hosts"].where
    return Play(where=node.where, hosts_where=hosts_where, files=files, **given)


def _text(node: Node, what: str) -> str:
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value:
        raise PlaybookError(
            f"{what} must be text, and this is {strict_yaml.kind(node)}",
            advice="put it in quotes",
            where=node.where,
        )
    return node.value


def _play_name(node: Table) -> str:
    name = node.items.get("name")
    return _text(name, "a name") if name else ""


def _hosts(node: Table) -> str:
    hosts = required(node, "hosts", "a play")
    names = hosts.items if isinstance(hosts, Listing) else (hosts,)
    return ":".join(_text(name, "a host, or a pattern of hosts,") for name in names)


_PARTS: Mapping[str, Any] = {
    "name": _play_name,
    "hosts": _hosts,
    "tags": lambda node: tags_of(node.items.get("tags")),
    "vars": lambda node: table_of_vars(node.items.get("vars")),
    "defaults": lambda node: table_of_vars(node.items.get("defaults")),
}
