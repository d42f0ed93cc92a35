"""From the request of the command line to the job: the work on each host.

Nothing is looked at here, so every mistake in a playbook is reported before anything happens.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from subfloor import playbook
from subfloor.act.host import Host, over_ssh
from subfloor.act.run import Work
from subfloor.core.secret import MASK, Secret
from subfloor.playbook import Play, command_line, inventory
from subfloor.playbook.inventory import CONNECTION_VARS, Connection, Inventory, Target
from subfloor.playbook.positions import PlaybookError, Position, Problems, Source, did_you_mean
from subfloor.playbook.registry import Registry
from subfloor.playbook.selection import select
from subfloor.playbook.variables import Vars, extra_vars

Present = Callable[[], Sequence[str]]
"""Returns the existing disks, in words; called only if a variable for a disk is undefined."""


@dataclass(frozen=True)
class Request:
    """The request of the command line. ``secrets`` are variables that override all others."""

    playbook: Path
    inventory: Path | None = None
    limit: str | None = None
    extra: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    skip_tags: tuple[str, ...] = ()
    start_at: str | None = None
    secrets: Mapping[str, Secret] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """The names of the plays, and the work on each host. ``typed``: the secrets that no argument contains."""

    play: str
    works: tuple[Work, ...]
    typed: frozenset[Secret] = frozenset()

    def without_secrets(self, text: str) -> str:
        """An argument with every secret of a task replaced by dots.

        Secrets that were typed stay: if an argument contains one, that is chance, and the user needs the argument.
        """
        tasks = (entry.task for work in self.works for entry in work.entries if entry.task)
        secrets = {value for task in tasks for value in vars(task).values() if isinstance(value, Secret)} - self.typed
        for secret in sorted(filter(None, (each.reveal() for each in secrets)), key=len, reverse=True):
            text = text.replace(secret, MASK)
        return text


def read_job(request: Request, present: Present = tuple) -> Job:
    """Read playbook and inventory. Raises ``PlaybookError`` with all mistakes, ``PluginError`` for a broken plugin."""
    registry = Registry([request.playbook.parent / "plugins"])
    plays = playbook.load(request.playbook, registry)
    hosts = inventory.load(request.inventory) if request.inventory else Inventory()
    extra = {**extra_vars(request.extra), **request.secrets}
    chosen = _targets(plays, hosts, request.limit)
    problems = Problems()
    works = []
    for target, own in chosen:
        with problems.kept():
            works.append(_work(target, own, extra, request, present))
    problems.settle()
    _check_names(request, plays, [target for target, _ in chosen], extra)
    if request.start_at is not None:
        works = list(_from_task(works, request.start_at))
    names = ", ".join(_name(play, request.playbook) for play in plays)
    return Job(names, tuple(works), frozenset(request.secrets.values()))


def _check_names(request: Request, plays: Sequence[Play], targets: Iterable[Target], extra: Vars) -> None:
    """Raise ``PlaybookError`` for tags and variables of the command line that these plays do not use."""
    problems = Problems()
    for option, tags in (("--tags", request.tags), ("--skip-tags", request.skip_tags)):
        with problems.kept():
            command_line.check_tags(plays, option, tags)
    with problems.kept():
        command_line.check_variables(plays, [target.vars for target in targets], extra, CONNECTION_VARS)
    problems.settle()


def _name(play: Play, path: Path) -> str:
    return play.name or path.stem


def _targets(plays: Iterable[Play], hosts: Inventory, limit: str | None) -> tuple[tuple[Target, list[Play]], ...]:
    """The selected hosts, in the order of the plays and the inventory, with the plays of each."""
    found: dict[str, tuple[Target, list[Play]]] = {}
    allowed = None if limit is None else {target.name for target in hosts.matching(limit)}
    for play in plays:
        for target in hosts.matching(play.hosts, play.hosts_where):
            if allowed is None or target.name in allowed:
                found.setdefault(target.name, (target, []))[1].append(play)
    if not found:
        where = Position(Source("--limit", limit)) if limit else next(iter(plays)).hosts_where
        raise PlaybookError(
            "no host is selected",
            advice="select hosts of the inventory that the plays are for (-i, --limit, and `hosts` of the play)",
            where=where,
        )
    return tuple(found.values())


def _work(target: Target, plays: Iterable[Play], extra: Vars, request: Request, present: Present) -> Work:
    connection = target.connection(extra)
    try:
        entries = tuple(entry for play in plays for entry in play.entries(target, extra))
    except PlaybookError as error:
        if connection.kind == "local":
            _name_disks(error, present)
        raise
    return Work(host_of(target.name, connection), select(entries, request.tags, request.skip_tags))


def host_of(name: str, connection: Connection) -> Host:
    """The host that a connection leads to."""
    way = over_ssh(connection.host, user=connection.user, port=connection.port) if connection.kind == "ssh" else ()
    return Host(name, (*way, *connection.become))


_LIKE_DISKS = ("disk", "device", "drive")


def _name_disks(error: PlaybookError, present: Present) -> None:
    """Add the existing disks to the advice if a variable for a disk is undefined."""
    for each in error.all:
        if each.undefined and any(word in each.undefined.lower() for word in _LIKE_DISKS):
            disks = "; ".join(present()) or "none"
            each.advice = f"{each.advice}; the disks here: {disks}"


def _from_task(works: Sequence[Work], name: str) -> Iterator[Work]:
    """The work from the first task with that name; ``*`` and ``?`` are wildcards as in file names."""
    names = [entry.name for work in works for entry in work.entries]
    if not any(_is_named(each, name) for each in names):
        raise PlaybookError(
            f"there is no task named “{name}” to start at",
            advice=did_you_mean(name, dict.fromkeys(names), otherwise=f"there are {'; '.join(dict.fromkeys(names))}"),
            where=Position(Source("--start-at-task", "")),
        )
    for work in works:
        start = next((at for at, entry in enumerate(work.entries) if _is_named(entry.name, name)), len(work.entries))
        yield Work(work.host, work.entries[start:])


def _is_named(entry: str, name: str) -> bool:
    return entry == name or fnmatch.fnmatchcase(entry, name)
