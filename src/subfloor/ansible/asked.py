"""The request of a task of Ansible. Without Ansible, subfloor makes such a request from the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from subfloor.ansible.names import SEED, full
from subfloor.core.parameters import needs_identity
from subfloor.playbook import load
from subfloor.playbook.command_line import SPECIAL, known_tags
from subfloor.playbook.inventory import Inventory, Target
from subfloor.playbook.job import Request
from subfloor.playbook.literals import literal
from subfloor.playbook.positions import PlaybookError, Position, Source
from subfloor.playbook.registry import Plugin, Registry
from subfloor.playbook.variables import Deferred, Vars

_OWN = "subfloor"
"""A directory beside a playbook of Ansible; its ``plugins`` holds plugins of subfloor. The ``plugins`` beside the
playbook itself may hold plugins of Ansible."""


@dataclass(frozen=True)
class Around:
    """The context of a task in Ansible: its host with groups and variables, all groups, the tags of task and run.

    ``folder``: the directory of the playbook. ``extra``: the extra variables of the run. ``local``: the connection
    runs programs on the controller itself.
    """

    host: str
    folder: Path
    groups: tuple[str, ...] = ()
    every_group: frozenset[str] = frozenset()
    variables: Vars = field(default_factory=dict)
    extra: Vars = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    run_tags: tuple[str, ...] = ()
    skip_tags: tuple[str, ...] = ()
    local: bool = False

    @property
    def inventory(self) -> Inventory:
        """An inventory of this host only, with its groups. The names of all other groups are known, too."""
        ways = {"subfloor_connection": "local" if self.local else "ssh"}
        target = Target(self.host, {**self.variables, **ways}, tuple(sorted({"all", *self.groups})))
        return Inventory((target,), frozenset({"all", *self.every_group}))

    def value(self, name: str) -> Any:
        """The value of a variable of the host, or of an extra variable; None if it is not defined."""
        found = {**self.variables, **self.extra}.get(name)
        return found.fetch() if isinstance(found, Deferred) else found


def single(plugin: Plugin, values: Mapping[str, Any], name: str, around: Around) -> Request:
    """The request for a play that contains only this task. Raises ``PlaybookError``."""
    key = plugin.task.key
    where = _at(full(key))
    if plugin.task.alone:
        raise PlaybookError(
            f"it {plugin.task.alone}, so it cannot be right as a task of its own",
            advice="put it into the `tasks` of `subfloor.core.play`, together with the tasks that it depends on",
            where=where,
        )
    seed = around.value(SEED)
    if needs_identity(plugin.task) and seed is None:
        raise PlaybookError(
            f"it derives UUIDs, and there is no `{SEED}`",
            advice=f"set the variable `{SEED}` for all hosts of the play, to any text; it must stay the same in every "
            "run, since disks are recognised by it",
            where=where,
        )
    seeded = {} if seed is None else {"seed": str(seed)}
    return _inline({"name": name or key, **seeded}, [{"name": name or key, key: values}], where, around)


def inline(arguments: Mapping[str, Any], name: str, around: Around) -> Request:
    """The request for a play whose tasks are written in the playbook of Ansible.

    The paths of included files are relative to the directory of that playbook.
    """
    where = _at(str(around.folder / full("play")))
    seed = arguments.get("seed") or around.value(SEED)
    seeded = {} if seed is None else {"seed": str(seed)}
    about = {"name": arguments.get("name") or name or full("play"), **seeded}
    return _inline(about, arguments["tasks"], where, around, arguments.get("vars") or {})


def from_file(arguments: Mapping[str, Any], path: Path, around: Around) -> Request | None:
    """The request for a playbook of subfloor; None if the tags of the run select nothing in it.

    If the playbook knows some tags of the run, these select among its entries. Otherwise, all entries are selected if
    the task of Ansible has a tag of the run, and none if Ansible selected the task only for its tag `always`.
    """
    several = {*around.run_tags, *around.skip_tags} - {"all"}
    known = known_tags(load(path, Registry([path.parent / "plugins"]))) | SPECIAL if several else SPECIAL
    tags = () if "all" in around.run_tags else tuple(tag for tag in around.run_tags if tag in known)
    if not tags and around.run_tags and around.tags.isdisjoint(around.run_tags) and "all" not in around.run_tags:
        return None
    return Request(
        path,
        tags=tags,
        skip_tags=tuple(tag for tag in around.skip_tags if tag in known),
        hosts=around.inventory,
        variables={**_literals(arguments.get("vars") or {}, _at(full("play"))), **around.extra},
    )


def _inline(
    about: Mapping[str, Any],
    tasks: Sequence[Mapping[str, Any]],
    where: Position,
    around: Around,
    variables: Mapping[str, Any] | None = None,
) -> Request:
    document = literal([{"hosts": "all", **about, "tasks": tasks}], where)
    return Request(
        around.folder / _OWN / "playbook",
        document=document,
        hosts=around.inventory,
        variables={**_literals(variables or {}, where), **around.extra},
    )


def _literals(variables: Mapping[str, Any], where: Position) -> Vars:
    return {name: literal(each, where) for name, each in variables.items()}


def _at(name: str) -> Position:
    return Position(Source(name, ""))
