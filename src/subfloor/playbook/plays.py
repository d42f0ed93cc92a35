"""Playbooks: from YAML to the plays, and to the tasks of a play for one host.

A playbook is read completely before anything is looked at. So every mistake is found on every machine, even in
parts that a run would reach late, and is reported with file, line and column.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subfloor.core.identity import ANY, Identity
from subfloor.core.rollout import Rollout
from subfloor.playbook import scalars, strict_yaml
from subfloor.playbook.entries import Entry
from subfloor.playbook.expansion import Around, Expansion, Record
from subfloor.playbook.positions import PlaybookError, Position, Problems
from subfloor.playbook.registry import Registry
from subfloor.playbook.rollouts import rollout
from subfloor.playbook.strict_yaml import Listing, Node, Scalar, Table
from subfloor.playbook.task_list import Files, Item, check_keys, items_of, required, tags_of
from subfloor.playbook.variables import Scope, Vars, table_of_vars

if TYPE_CHECKING:
    from subfloor.playbook.inventory import Target

PLAY_KEYS = (
    "name",
    "hosts",
    "serial",
    "max_fail_percentage",
    "seed",
    "vars",
    "vars_files",
    "defaults",
    "tags",
    "tasks",
)


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
    vars_files: tuple[Node, ...] = ()
    defaults: Mapping[str, Node] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    rollout: Rollout = field(default_factory=Rollout)
    partial: bool = False
    """Whether parts of the play could not be read."""

    def entries(
        self,
        target: Target,
        extra: Vars | None = None,
        problems: Problems | None = None,
        *,
        partial: bool = False,
        record: Record | None = None,
    ) -> tuple[Entry, ...]:
        """The entries of this play for a host, with includes and loops expanded.

        ``record`` makes the recording of the play for tasks with a field for it.

        Precedence of variables, highest first: ``extra``, those of the entry and of the includes around it, the
        play's ``vars_files`` (the last one first) and ``vars``, the host's, and defaults. Raises ``PlaybookError``
        with all mistakes.

        With ``problems``, mistakes are not raised but added there, and the entries may be incomplete; ``problems`` may
        hold earlier mistakes. ``partial``: variables may be missing because they could not be read.
        """
        found = Problems() if problems is None else problems
        scope = Scope(extra or {}, (self.vars, target.all_vars), (self.defaults,), partial or self.partial)
        scope = scope.inside(*self._vars_of_files(scope, found))
        around = Around(scope, self.tags, (self.where.source.name,))
        expansion = Expansion(self.files, cache(lambda: self._identity(target, scope)), found, record)
        entries = expansion.entries(self.items, around)
        if problems is None:
            found.settle()
        return entries

    def _vars_of_files(self, scope: Scope, problems: Problems) -> list[Vars]:
        """The variables of each of the ``vars_files``, whose paths are relative to the playbook; the last one first."""
        layers: list[Vars] = []
        for node in self.vars_files:
            with problems.kept():
                path = _path(scope.render(node), node)
                try:
                    layers.insert(0, self.files.vars(path, problems))
                except PlaybookError as error:
                    if error.where.source.text:
                        raise
                    raise PlaybookError(f"{path} {error.what}", advice=error.advice, where=node.where) from None
        return layers

    def _identity(self, target: Target, scope: Scope) -> Identity:
        """The play's identity on a host. Raises ``PlaybookError`` if the play has no seed."""
        if self.seed is None:
            raise PlaybookError(
                "the play has no seed, but it has tasks that derive UUIDs from a seed",
                advice='add `seed:` to the play, with any text, such as `seed: "{{ inventory_hostname }}"`',
                where=self.where,
                follows=self.partial,
            )
        seed = scope.render(self.seed)
        if not isinstance(seed, str) or not seed:
            raise PlaybookError(
                f"a seed must be text, but this is {scalars.kind(seed)}",
                advice="put it in quotes",
                where=self.seed.where,
            )
        return Identity(seed, target.name, "" if target.machine == ANY else target.machine)


def _path(value: object, node: Node) -> str:
    if not isinstance(value, str) or not value:
        raise PlaybookError(
            f"a file of variables is a path, but this is {scalars.kind(value)}",
            advice="write it relative to this file",
            where=node.where,
        )
    return os.path.normpath(Path(node.where.source.name).parent / value)


def load(path: Path, registry: Registry, problems: Problems | None = None) -> tuple[Play, ...]:
    """The plays of a playbook. Raises ``PlaybookError`` with all mistakes in its structure.

    With ``problems``, the mistakes are added there, and the plays that could be read are returned. Then an error is
    raised only if nothing could be read.
    """
    found = Problems() if problems is None else problems
    plays = plays_of(strict_yaml.read(path, found), registry, found)
    if problems is None:
        found.settle()
    return plays


def plays_of(node: Node, registry: Registry, problems: Problems) -> tuple[Play, ...]:
    """The plays of a document. Mistakes are added to ``problems``; raises ``PlaybookError`` if there is no play."""
    if not isinstance(node, Listing) or not node.items:
        raise PlaybookError(
            f"a playbook is a list of plays, but this is {strict_yaml.kind(node)}",
            advice="start with `- hosts: all`, and below it `tasks:`",
            where=node.where,
        )
    plays: list[Play] = []
    files = Files(registry)
    for item in node.items:
        with problems.kept():
            plays.append(_play(item, files, problems))
    return tuple(plays)


def _play(node: Node, files: Files, problems: Problems) -> Play:
    if not isinstance(node, Table):
        raise PlaybookError(
            f"a play is a mapping, but this is {strict_yaml.kind(node)}",
            advice="write `hosts: all`, and below it `tasks:`",
            where=node.where,
            follows=node.where.source.partial,
        )
    given: dict[str, Any] = {"name": "", "hosts": "", "items": (), "seed": node.items.get("seed")}
    with problems.kept():
        check_keys(node, PLAY_KEYS, "a play")
    for key, read in _PARTS.items():
        with problems.kept():
            given[key] = read(node, problems)
    with problems.kept():
        given["items"] = items_of(required(node, "tasks", PLAY_KEYS, "a play"), files.registry, problems)
    hosts_where = node.items.get("hosts", node).where
    partial = node.where.source.partial or not given["hosts"]
    return Play(where=node.where, hosts_where=hosts_where, files=files, partial=partial, **given)


def _text(node: Node, what: str) -> str:
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value:
        raise PlaybookError(
            f"{what} must be text, but this is {strict_yaml.kind(node)}",
            advice="put it in quotes",
            where=node.where,
        )
    return node.value


def _play_name(node: Table, _: Problems) -> str:
    name = node.items.get("name")
    return _text(name, "a name") if name else ""


def _hosts(node: Table, _: Problems) -> str:
    hosts = required(node, "hosts", PLAY_KEYS, "a play")
    names = hosts.items if isinstance(hosts, Listing) else (hosts,)
    return ":".join(_text(name, "a host, or a pattern of hosts,") for name in names)


def _vars_files(node: Table, _: Problems) -> tuple[Node, ...]:
    given = node.items.get("vars_files")
    if given is None or (isinstance(given, Scalar) and given.value is None):
        return ()
    return given.items if isinstance(given, Listing) else (given,)


_PARTS: Mapping[str, Any] = {
    "vars_files": _vars_files,
    "name": _play_name,
    "hosts": _hosts,
    "rollout": rollout,
    "tags": lambda node, _: tags_of(node.items.get("tags")),
    "vars": lambda node, problems: table_of_vars(node.items.get("vars"), problems),
    "defaults": lambda node, problems: table_of_vars(node.items.get("defaults"), problems),
}
