"""The command ``show``: draw the disks as they are, without a playbook. It changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from subfloor.act.host import Host, Shell
from subfloor.act.look import look
from subfloor.cli.signals import interruptible
from subfloor.cli.statuses import FAILED
from subfloor.core.errors import LookFailed, Refused, SubfloorError
from subfloor.core.machine import LookNeeded, Machine
from subfloor.observe.disk import Disk, DiskState, Holdings, Missing, Remains
from subfloor.report.run import Problem
from subfloor.report.screen import Screen, outcome_of, standard, style_for
from subfloor.report.show import Shown, extents, lines
from subfloor.report.style import Style
from subfloor.steps.layers import memberships
from subfloor.storage.devices import device

_NOWHERE = Disk("/dev/disk/none")
"""A disk that does not exist. A look at it returns the disks that exist."""

Seen = Shown | SubfloorError


def show(paths: Sequence[str], *, as_json: bool) -> int:
    """Show these disks, or all; returns the exit status, 1 if one of them could not be looked at."""
    disks = tuple(dict.fromkeys(map(disk_named, paths)))
    stream = standard()
    screen, style = Screen(stream), style_for(stream)
    with interruptible(), Host().shell() as shell:
        seen = [_seen(shell, path) for path in disks or present(shell)]
    status = FAILED if any(isinstance(each, SubfloorError) for each in seen) else 0
    if as_json:
        screen.write(document(seen, status, ascii=not style.unicode))
    else:
        screen.print(_text(seen, style))
    return outcome_of(screen, status)


def disk_named(path: str) -> str:
    """The path of the disk that ``path`` names; for a partition, the path of its disk. Raises ``click.UsageError``."""
    import click

    try:
        return device(path).disk
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def present(shell: Shell) -> tuple[str, ...]:
    """The paths of all disks of a host."""
    found = look(shell, {_NOWHERE})[_NOWHERE]
    return tuple(each.partition(" ")[0] for each in found.present) if isinstance(found, Missing) else ()


def _seen(shell: Shell, path: str) -> Seen:
    try:
        found = look(shell, {Disk(path)})[Disk(path)]
        if not isinstance(found, DiskState):
            there = found.present if isinstance(found, Missing) else ()
            return Refused(f"there is no device {path}", advice=f"this machine has: {'; '.join(there) or 'no disk'}")
        return Shown.of(found, _closer(shell, path, found), _part_of(shell, found))
    except LookFailed as error:
        return error


def _closer(shell: Shell, path: str, disk: DiskState) -> tuple[Remains, ...]:
    holdings = Holdings(path, extents(disk))
    return look(shell, {holdings})[holdings] if holdings.extents else ()


def _part_of(shell: Shell, disk: DiskState) -> tuple[str, ...]:
    machine = Machine()
    while True:
        try:
            return memberships(machine, disk)
        except LookNeeded as needed:
            try:
                machine = machine.updated(look(shell, {needed.subject}))
            except LookFailed as error:
                return (f"its volume group, array or filesystem cannot be shown: {error.what}",)


def _text(seen: Sequence[Seen], style: Style) -> Iterator[str]:
    if not seen:
        yield "This machine has no disk."
    for number, each in enumerate(seen):
        yield from [""] if number else []
        if isinstance(each, Shown):
            yield from lines(each, style)
        else:
            yield from style.lines(each.what, "", "red")
            yield from style.lines(f"→ {each.advice}", "  ", hanging="  ")


def document(seen: Sequence[Seen | Problem], status: int, *, ascii: bool) -> str:
    """The disks as a JSON document, whose schema is ``show.schema.json``."""
    from subfloor.report.json import VERSION
    from subfloor.report.run import Run
    from subfloor.report.show import document as disk_document
    from subfloor.report.values import spelt

    run = Run("show", status, "")
    problems = (each if isinstance(each, Problem) else Problem.of(each) for each in seen if not isinstance(each, Shown))
    told = {
        "version": VERSION,
        "subfloor": run.version,
        "time": run.time,
        "command": run.command,
        "status": status,
        "disks": [disk_document(each) for each in seen if isinstance(each, Shown)],
        "errors": [{"kind": each.kind, "what": spelt(each.what), "advice": spelt(each.advice)} for each in problems],
    }
    return json.dumps(told, indent=2, ensure_ascii=ascii) + "\n"
