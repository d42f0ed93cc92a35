"""Inventories in Ansible's format: hosts, groups and their variables."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from subfloor.playbook import ini, inventory_programs, strict_yaml
from subfloor.playbook.connections import CONNECTION_VARS, Connection, connection_of
from subfloor.playbook.positions import PlaybookError, Position, Problems, Source, did_you_mean, nearest
from subfloor.playbook.strict_yaml import Node, Scalar, Table
from subfloor.playbook.variables import Scope, Vars, table_of_vars
from subfloor.playbook.vars_files import VarsFiles

_NOWHERE = Position(Source("", ""))


@dataclass(frozen=True)
class Target:
    """A host of the inventory: its merged variables and its groups. ``machine``: identifies the machine; empty if the
    host's name already does, or if the machine is not known."""

    name: str
    vars: Vars = field(default_factory=dict)
    groups: tuple[str, ...] = ("all",)
    where: Position = _NOWHERE
    machine: str = ""

    @property
    def all_vars(self) -> Vars:
        """The variables of the host, with ``inventory_hostname`` and ``group_names``, which every host has."""
        return {**self.vars, "inventory_hostname": self.name, "group_names": sorted(self.groups)}

    def connection(self, extra: Vars | None = None) -> Connection:
        """How to reach the host. Raises ``PlaybookError`` if its connection variables are wrong."""
        return connection_of(self.name, self.vars, self.where, Scope(extra or {}, (self.all_vars,)))


LOCALHOST = Target("localhost")


@dataclass(frozen=True)
class Inventory:
    """The hosts, in the order of the file, and the names of the groups."""

    targets: tuple[Target, ...] = (LOCALHOST,)
    groups: frozenset[str] = frozenset({"all"})
    local: Target = LOCALHOST

    def matching(self, pattern: str, where: Position | None = None) -> tuple[Target, ...]:
        """The hosts that match a pattern: names, groups and wildcards, separated by ``:`` or ``,``;
        ``!`` before such a word removes the hosts that match it, ``&`` keeps only these hosts.

        Raises ``PlaybookError`` for an unknown name. ``where`` is the position of the pattern.
        """
        where = where or Position(Source("--limit", pattern))
        chosen = list[Target]()
        words = [word.strip() for word in pattern.replace(",", ":").split(":") if word.strip()]
        wanted = [word for word in words if word[0] not in "!&"]
        for word in wanted or ["all"]:
            chosen += [each for each in self._named(word, where) if each not in chosen]
        for word in words:
            if word[0] in "!&":
                named = self._named(word[1:], where)
                chosen = [each for each in chosen if (each in named) == (word[0] == "&")]
        return tuple(chosen)

    def _named(self, word: str, where: Position) -> tuple[Target, ...]:
        found = tuple(each for each in self.targets if _means(word, each))
        known = {*self.groups, *(each.name for each in self.targets)}
        if found or fnmatch.filter(known, word):
            return found
        if word == "localhost":
            return (self.local,)  # it always exists, as in Ansible
        raise PlaybookError(
            f"there is no host and no group `{word}`",
            advice=did_you_mean(word, known, otherwise=f"the inventory has {', '.join(sorted(known))}"),
            where=where.of(word),
        )


def _means(word: str, target: Target) -> bool:
    return any(fnmatch.fnmatchcase(name, word) for name in (target.name, *target.groups))


@dataclass
class _Group:
    """A group while the file is read."""

    vars: dict[str, Node] = field(default_factory=dict)
    parents: list[str] = field(default_factory=list)
    where: Position = _NOWHERE


class _Reader:
    """Reads the tree of groups. A host or group may be in several places; their variables are merged."""

    def __init__(self) -> None:
        self.problems = Problems()
        self.groups: dict[str, _Group] = {}
        self.hosts: dict[str, dict[str, Node]] = {}
        self.members: dict[str, list[str]] = {}
        self.places: dict[str, Position] = {}

    def group(self, name: str, node: Node, where: Position, parents: tuple[str, ...]) -> None:
        group = self.groups.setdefault(name, _Group(where=where))
        if parents and parents[-1] not in group.parents:
            group.parents.append(parents[-1])
        if name in parents:
            chain = " → ".join((*parents[parents.index(name) :], name))
            self._note(f"the group `{name}` contains itself: {chain}", "remove it from its own children", where)
            return
        parts = self._parts(name, node)
        group.vars |= self._vars(parts.get("vars"))
        for host, value, place in self._named(parts.get("hosts"), "hosts"):
            self._host(host, value, place, name)
        for child, value, place in self._named(parts.get("children"), "children"):
            self.group(child, value, place, (*parents, name))

    def _note(self, what: str, advice: str, where: Position) -> None:
        self.problems.add(PlaybookError(what, advice=advice, where=where))

    def _parts(self, name: str, node: Node) -> Mapping[str, Node]:
        known = ("hosts", "vars", "children")
        if isinstance(node, Scalar) and node.value is None:
            return {}
        if not isinstance(node, Table):
            what = f"the group `{name}` is a mapping, but this is {strict_yaml.kind(node)}"
            self._note(what, "write `hosts:`, `vars:` or `children:` in it", node.where)
            return {}
        for key, where in node.keys.items():
            if key not in known:
                listed = "a group has `hosts`, `vars` and `children`"
                advice = did_you_mean(key, known, otherwise=f"{listed}; write groups of a group into `children`")
                self._note(f"the group `{name}` has no `{key}`", advice, where)
        return node.items

    def _named(self, node: Node | None, what: str) -> list[tuple[str, Node, Position]]:
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return []
        if not isinstance(node, Table):
            self._note(
                f"`{what}` is a mapping of names, but this is {strict_yaml.kind(node)}",
                "write one `NAME:` per line, with its variables below it",
                node.where,
            )
            return []
        return [(name, value, node.keys[name]) for name, value in node.items.items()]

    def _host(self, name: str, node: Node, where: Position, group: str) -> None:
        self.places.setdefault(name, where)
        if any(char in name for char in ":!&,*?[] /"):
            self._note(f"`{name}` is not a valid host name", "leave out spaces and any of `:!&,*?[]/`", where)
        self.hosts.setdefault(name, {}).update(self._vars(node))
        self.members.setdefault(name, []).append(group)

    def checked(self, node: Node) -> Mapping[str, Node]:
        """The variables in a file of variables; mistakes are added to ``problems``."""
        return self._vars(node)

    def _vars(self, node: Node | None) -> Mapping[str, Node]:
        """The variables in a mapping. Misspelt connection variables are added to ``problems``."""
        found = table_of_vars(node, self.problems)
        for name in found:
            if name.startswith("subfloor_") and name not in CONNECTION_VARS:
                assert isinstance(node, Table)
                close = nearest(name, CONNECTION_VARS)
                known = ", ".join(f"`{each}`" for each in CONNECTION_VARS if each.startswith("subfloor_"))
                advice = f"did you mean `{close}`?" if close else f"the variables are {known}"
                self._note(f"there is no variable `{name}`", advice, node.keys[name])
        return found


def load(path: Path | None, beside: Path | None = None) -> Inventory:
    """The inventory at ``path``; without ``path``, this machine only. Raises ``PlaybookError`` with all mistakes.

    ``path`` is a YAML or INI file, a program that prints the inventory, a file for an inventory plugin of Ansible, or a
    list of names such as ``web1,web2,``. ``group_vars/`` and ``host_vars/`` are read beside the inventory, and in the
    directory ``beside``.
    """
    reader = _Reader()
    listed = path is not None and "," in str(path) and not path.exists()
    directories = [path.parent] if path and not listed else []
    files = VarsFiles((*directories, *([beside] if beside and beside not in directories else ())))
    if path is not None:
        node = _listed(str(path)) if listed else _tree(path, reader.problems)
        for name, value in node.items.items():
            reader.group(name, value, node.keys[name], () if name == "all" else ("all",))
    reader.problems.settle()  # a group that contains itself has no depth
    targets = tuple(_targets(reader, files)) if path else ()
    local = _local(reader, files)
    reader.problems.settle()
    return Inventory(targets or (() if path else (local,)), frozenset({"all", *reader.groups}), local)


def _tree(path: Path, problems: Problems) -> Table:
    if inventory_programs.is_program(path):
        return inventory_programs.printed_by(path)
    source = strict_yaml.text_of(path)
    if ini.is_ini(path, source.text):
        return ini.parse(source, problems)
    found = Problems()
    try:
        node = strict_yaml.parse(source, found)
        if inventory_programs.is_for_plugin(node):
            found.taken()  # Ansible reads this file, so it may contain YAML that is not strict
            return inventory_programs.made_by_plugin(path, node)
    finally:
        for error in found.taken():
            problems.add(error)
    if not isinstance(node, Table):
        raise PlaybookError(
            f"an inventory is a mapping of groups, but this is {strict_yaml.kind(node)}",
            advice="start with `all:`, and below it `hosts:`",
            where=node.where,
        )
    for name in node.items:
        if name in ("hosts", "vars", "children"):
            raise PlaybookError(
                f"`{name}` is outside of any group",
                advice="write `all:` above it, and indent it",
                where=node.keys[name],
            )
    return node


def _listed(text: str) -> Table:
    """The inventory of names that are separated by commas."""
    where = Position(Source("-i", text))
    names = [name.strip() for name in text.split(",") if name.strip()]
    hosts = Table(dict.fromkeys(names, Scalar(None, where)), dict.fromkeys(names, where), where)
    group = Table({"hosts": hosts}, {"hosts": where}, where)
    return Table({"all": group}, {"all": where}, where)


def _targets(reader: _Reader, files: VarsFiles) -> Iterable[Target]:
    """The hosts. Variables of ``group_vars/`` and ``host_vars/`` override those of the inventory, as in Ansible."""
    for name, own in reader.hosts.items():
        depths = _depths(reader, reader.members[name])
        # From the outermost group to the innermost; on the same level, by name, as in Ansible.
        order = sorted(depths, key=lambda each: (depths[each], each))
        layers: list[Mapping[str, Node]] = [reader.groups[group].vars for group in order if group in reader.groups]
        layers += [reader.checked(each) for group in order for each in files.of_group(group, reader.problems)]
        layers += [own]
        layers += [reader.checked(each) for each in files.of_host(name, reader.problems)]
        vars_ = {key: value for layer in layers for key, value in layer.items()}
        yield Target(name, vars_, tuple(sorted(depths)), reader.places[name])


def _local(reader: _Reader, files: VarsFiles) -> Target:
    """The host ``localhost``, this machine, which every inventory has."""
    found = (*files.of_group("all", reader.problems), *files.of_host("localhost", reader.problems))
    return Target("localhost", {key: value for each in found for key, value in reader.checked(each).items()})


def _depths(reader: _Reader, groups: Iterable[str]) -> dict[str, int]:
    """These groups and their parents, each with its greatest distance from ``all``."""
    depths = {"all": 0}

    def depth(group: str) -> int:
        if group not in depths:
            depths[group] = 1 + max((depth(each) for each in reader.groups[group].parents), default=0)
        return depths[group]

    for group in groups:
        depth(group)
    return depths
