"""From the request of the command line to the job: the work on each host.

Nothing is looked at here, so every mistake in a playbook is reported before anything happens.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from subfloor import playbook
from subfloor.act.host import Host
from subfloor.act.ssh import is_ssh, over_ssh
from subfloor.act.sudo import Password
from subfloor.act.work import Work
from subfloor.core.rollout import Batch, batches
from subfloor.core.secret import MASK, Secret
from subfloor.playbook import Entry, Play, command_line, inventory
from subfloor.playbook.connections import CONNECTION_VARS, Connection
from subfloor.playbook.inventory import LOCALHOST, Inventory, Target
from subfloor.playbook.plays import plays_of
from subfloor.playbook.positions import PlaybookError, Position, Problems, Source, did_you_mean
from subfloor.playbook.recording import Recorder
from subfloor.playbook.registry import Registry
from subfloor.playbook.selection import select
from subfloor.playbook.strict_yaml import Node
from subfloor.playbook.variables import Vars, extra_vars

Present = Callable[[], Sequence[str]]
"""Returns the existing disks, in words; called only if a variable for a disk is undefined."""


@dataclass(frozen=True)
class Request:
    """The request of the command line. ``secrets`` are variables that override all others. ``become_password`` is the
    password for sudo on the hosts."""

    playbook: Path
    inventory: Path | None = None
    limit: str | None = None
    extra: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    skip_tags: tuple[str, ...] = ()
    start_at: str | None = None
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    become_password: Secret | None = None
    document: Node | None = None
    """The playbook itself, if it is in no file. Then the path ``playbook`` only shows where ``plugins/`` is: beside."""
    hosts: Inventory | None = None
    """The hosts, instead of those of an inventory file."""
    variables: Vars = field(default_factory=dict)
    """Variables that override all but ``extra``."""


@dataclass(frozen=True)
class Job:
    """The names of the plays, and the work on each host. ``batches``: the order in which hosts are applied to.

    ``typed``: the secrets of the request. They were typed or fetched, so no argument of the command line gave them.
    """

    play: str
    works: tuple[Work, ...]
    batches: tuple[Batch, ...]
    typed: frozenset[Secret] = frozenset()

    def without_secrets(self, text: str) -> str:
        """An argument of the command line, with every secret of a task replaced by dots.

        The secrets in ``typed`` are not replaced: the argument contains such a text only by chance, and the user needs
        the whole argument.
        """
        tasks = (entry.task for work in self.works for entry in work.entries if entry.task)
        secrets = {value for task in tasks for value in vars(task).values() if isinstance(value, Secret)} - self.typed
        for secret in sorted(filter(None, (each.reveal() for each in secrets)), key=len, reverse=True):
            text = text.replace(secret, MASK)
        return text


def read_job(request: Request, present: Present = tuple, this_machine: Callable[[], str] = str) -> Job:
    """Read playbook and inventory. ``this_machine`` returns a text that identifies this machine; empty if not known.

    Raises ``PlaybookError`` with all mistakes, ``PluginError`` for a broken plugin.
    """
    problems = Problems()
    read = _read(request, problems)
    chosen = _targets(read, request.limit, problems)
    works = [_work(target, own, read, request, problems, this_machine) for target, own in chosen]
    _check_names(request, read, [target for target, _ in chosen], problems)
    _settle(problems, works, present)
    if request.start_at is not None:
        works = list(_from_task(works, request.start_at))
    names = ", ".join(_name(play, request.playbook) for play in read.plays)
    return Job(names, tuple(works), _batches(read.plays, chosen), frozenset(request.secrets.values()))


@dataclass(frozen=True)
class _Read:
    """The parts of a request that could be read. ``partial``: variables or hosts may be missing, because some could not
    be read."""

    plays: tuple[Play, ...]
    hosts: Inventory
    extra: Vars
    partial: bool = False


def _read(request: Request, problems: Problems) -> _Read:
    """The files and variables of a request; the mistakes in them are added to ``problems``."""
    registry = Registry([request.playbook.parent / "plugins"])
    plays: tuple[Play, ...] = ()
    with problems.kept():
        plays = _plays(request, registry, problems)
    others = Problems()
    hosts = Inventory()
    with others.kept():
        hosts = request.hosts or inventory.load(request.inventory, request.playbook.parent)
    extra = {**request.variables, **extra_vars(request.extra, others), **request.secrets}
    partial = bool(others)
    for error in others.taken():
        problems.add(error)
    return _Read(plays, hosts, extra, partial)


def _plays(request: Request, registry: Registry, problems: Problems) -> tuple[Play, ...]:
    if request.document:
        return plays_of(request.document, registry, problems)
    return playbook.load(request.playbook, registry, problems)


def _settle(problems: Problems, works: Iterable[Work], present: Present) -> None:
    """Raise the errors. If a variable for a disk is undefined, the advice names the disks of this machine."""
    try:
        problems.settle()
    except PlaybookError as error:
        if all(isinstance(work.host, Host) and not is_ssh(work.host.prefix) for work in works):
            _name_disks(error, present)
        raise


def _check_names(request: Request, read: _Read, targets: Sequence[Target], problems: Problems) -> None:
    """Add to ``problems`` the tags and variables of the command line that these plays do not use."""
    if not targets:
        return
    for option, tags in (("--tags", request.tags), ("--skip-tags", request.skip_tags)):
        with problems.kept():
            command_line.check_tags(read.plays, option, tags)
    with problems.kept():
        command_line.check_variables(read.plays, [target.vars for target in targets], read.extra, CONNECTION_VARS)


def _name(play: Play, path: Path) -> str:
    return play.name or path.stem


_Chosen = tuple[tuple[Target, dict[int, Play]], ...]
"""The hosts, and the plays of each by their numbers in the playbook."""


def _targets(read: _Read, limit: str | None, problems: Problems) -> _Chosen:
    """The selected hosts, in the order of the plays and the inventory, with the plays of each.

    If the hosts of a play are wrong, the play is checked as if it were for this machine.
    """
    found: dict[str, tuple[Target, dict[int, Play]]] = {}
    allowed: set[str] | None = None
    with problems.kept():
        allowed = None if limit is None or read.partial else {target.name for target in read.hosts.matching(limit)}
    for number, play in enumerate(read.plays):
        targets: tuple[Target, ...] = (LOCALHOST,)
        own = replace(play, partial=True)
        with problems.kept():
            if play.hosts and not read.partial:
                targets, own = read.hosts.matching(play.hosts, play.hosts_where), play
        for target in targets:
            if allowed is None or target.name in allowed or own.partial:
                found.setdefault(target.name, (target, {}))[1][number] = own
    if not found and read.plays:
        problems.add(_no_host(read.plays[0], limit))
        return ((LOCALHOST, {number: replace(play, partial=True) for number, play in enumerate(read.plays)}),)
    return tuple(found.values())


def _batches(plays: Sequence[Play], chosen: _Chosen) -> tuple[Batch, ...]:
    hosts = ([target.name for target, own in chosen if number in own] for number in range(len(plays)))
    return batches([(play.rollout, names) for play, names in zip(plays, hosts, strict=True)])


class NoHost(PlaybookError):
    """No host is selected: no play is for any of the hosts."""


def _no_host(play: Play, limit: str | None) -> NoHost:
    return NoHost(
        "no host is selected",
        advice="select hosts of the inventory that the plays are for (-i, --limit, and `hosts` of the play)",
        where=Position(Source("--limit", limit)) if limit else play.hosts_where,
    )


def _work(
    target: Target,
    plays: Mapping[int, Play],
    read: _Read,
    request: Request,
    problems: Problems,
    this_machine: Callable[[], str],
) -> Work:
    connection = Connection("local", target.name)
    with problems.kept():
        connection = target.connection(read.extra)
    target = replace(target, machine=_machine(target.name, connection, this_machine))
    record = partial(Recorder(request.playbook, read.plays).record, target, read.extra)
    entries: list[Entry] = []
    numbers: list[int] = []
    for number, play in plays.items():
        with problems.kept():
            own = play.entries(target, read.extra, problems, partial=read.partial, record=record)
            entries += select(own, request.tags, request.skip_tags)
            numbers += [number] * (len(entries) - len(numbers))
    return Work(host_of(target.name, connection, request.become_password), tuple(entries), tuple(numbers))


def _machine(name: str, connection: Connection, this_machine: Callable[[], str]) -> str:
    """A text that identifies the machine of a host; empty if the host's name does that, or if it is not known."""
    if connection.machine is not None:
        return connection.machine
    return "" if connection.names_machine(name) else this_machine()


def host_of(name: str, connection: Connection, become_password: Secret | None = None) -> Host:
    """The host that a connection leads to."""
    to, password = connection, Password(become_password) if become_password else None
    way = over_ssh(to.host, to.arguments, user=to.user, port=to.port, key=to.key_file) if to.kind == "ssh" else ()
    become = password.asking(to.become) if password else to.become
    return Host(name, (*way, *become), password if become != to.become else None)


_LIKE_DISKS = ("disk", "device", "drive")


def _name_disks(error: PlaybookError, present: Present) -> None:
    """Add the existing disks to the advice if a variable for a disk is undefined."""
    for each in error.all:
        if each.undefined and any(word in each.undefined.lower() for word in _LIKE_DISKS):
            disks = "; ".join(present()) or "none"
            each.advice = f"{each.advice}; the disks here: {disks}"


def _from_task(works: Sequence[Work], name: str) -> Iterator[Work]:
    """The work on each host, from the first task of this name; ``*`` and ``?`` are wildcards as in file names.

    Raises ``PlaybookError`` if there is no such task.
    """
    names = [entry.name for work in works for entry in work.entries]
    if not any(_is_named(each, name) for each in names):
        raise PlaybookError(
            f"there is no task named “{name}” to start at",
            advice=did_you_mean(
                name, dict.fromkeys(names), otherwise=f"the tasks are {'; '.join(dict.fromkeys(names))}"
            ),
            where=Position(Source("--start-at-task", "")),
        )
    for work in works:
        start = next((at for at, entry in enumerate(work.entries) if _is_named(entry.name, name)), len(work.entries))
        yield Work(work.host, work.entries[start:], work.plays[start:])


def _is_named(entry: str, name: str) -> bool:
    return entry == name or fnmatch.fnmatchcase(entry, name)
