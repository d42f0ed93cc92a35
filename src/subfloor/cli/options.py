"""The arguments and options that several commands have, to be used as decorators."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

FILE = click.Path(dir_okay=False, path_type=Path)
PLAYBOOK = click.Path(path_type=Path)


def completing(name: str) -> Callable[[click.Context, click.Parameter, str], Any]:
    """The function ``name`` of ``subfloor.cli.completing``. That module is imported only when a shell completes."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> Any:
        from subfloor.cli import completing

        return getattr(completing, name)(context, parameter, incomplete)

    return complete


_Function = TypeVar("_Function", bound=Callable[..., Any])


def _all_of(*decorators: Callable[[_Function], _Function]) -> Callable[[_Function], _Function]:
    """Several decorators as one; the first of them is the first in the help."""

    def decorate(function: _Function) -> _Function:
        for each in reversed(decorators):
            function = each(function)
        return function

    return decorate


playbook, playbook_if_not_own = (
    click.argument("playbook", type=PLAYBOOK, required=required, shell_complete=completing("playbooks"))
    for required in (True, False)
)

what = _all_of(
    click.option("-i", "--inventory", type=PLAYBOOK, help="The inventory of hosts; default: this machine."),
    click.option(
        "-l",
        "--limit",
        metavar="PATTERN",
        shell_complete=completing("hosts"),
        help="Only these hosts: names, groups, wildcards.",
    ),
    click.option(
        "-e",
        "--extra-vars",
        "extra",
        multiple=True,
        metavar="KEY=VALUE|@FILE",
        shell_complete=completing("variables"),
        help="Set a variable; overrides all others.",
    ),
    click.option(
        "-t",
        "--tags",
        multiple=True,
        metavar="TAGS",
        shell_complete=completing("tags"),
        help="Only tasks with one of these tags.",
    ),
    click.option(
        "--skip-tags",
        multiple=True,
        metavar="TAGS",
        shell_complete=completing("tags"),
        help="Skip tasks with one of these tags.",
    ),
)

how = _all_of(
    click.option("-D", "--diff", is_flag=True, help="Show the differences, before and after."),
    click.option("-v", "--verbose", is_flag=True, help="Show the commands of each step."),
    click.option(
        "--format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="What to print."
    ),
    click.option("--traceback", is_flag=True, help="Show the Python traceback of an error."),
)

report = click.option(
    "--report",
    "reports",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="Also write a report: FILE.html, .md, .xml (JUnit), .prom (node exporter); otherwise JSON. Repeatable.",
)

log = click.option(
    "--log", type=FILE, metavar="FILE", help="Append a JSON line to a file for each look, step and command."
)

ask_password = click.option(
    "--ask-password",
    "passwords",
    multiple=True,
    metavar="NAME",
    help="Ask for a password, and set the variable NAME to its hash.",
)

ask_passphrase = click.option(
    "--ask-passphrase",
    "passphrases",
    multiple=True,
    metavar="NAME",
    help="Ask for a passphrase, and set the variable NAME to it; without a terminal, read a line.",
)

secret = click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME=KIND:WHERE",
    help="Set a variable to a secret: NAME=file:PATH, NAME=env:VARIABLE or NAME=command:COMMAND.",
)

lists = _all_of(
    click.option("--syntax-check", is_flag=True, help="Only report errors of the playbook; look at no disk."),
    click.option("--list-hosts", is_flag=True, help="Only list the hosts; look at no disk."),
    click.option("--list-tasks", is_flag=True, help="Only list the tasks; look at no disk."),
    click.option("--list-tags", is_flag=True, help="Only list the tags; look at no disk."),
)

forks = click.option(
    "-f",
    "--forks",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="NUMBER",
    help="Work on this many hosts at the same time.",
)

ask_become_pass = click.option(
    "-K",
    "--ask-become-pass",
    "become_pass",
    is_flag=True,
    help="Ask for the password of sudo on the hosts; without a terminal, read a line.",
)

job = _all_of(playbook_if_not_own, what, forks, ask_become_pass, ask_password, ask_passphrase, secret, lists)
"""The arguments and options of both `check` and `apply`: what to work on, and how hosts and secrets are reached."""

may = _all_of(
    click.option(
        "--destroy",
        multiple=True,
        metavar="[HOST:]DEVICE",
        shell_complete=completing("disks"),
        help="Allow destroying the data on this device.",
    ),
    click.option("-y", "--yes", is_flag=True, help="Do not ask before applying."),
    click.option("--step", is_flag=True, help="Ask before each step."),
    click.option(
        "--start-at-task",
        "start_at",
        metavar="NAME",
        shell_complete=completing("entries"),
        help="Start at the first task of this name.",
    ),
    click.option(
        "--plan",
        type=FILE,
        metavar="FILE",
        help="Take the steps of a plan that `check --save-plan` wrote, and no others.",
    ),
    click.option("-C", "--check", "only_check", is_flag=True, help="Only check, like `subfloor check`."),
)
