"""The command line: commands, options and exit statuses.

Each command imports what it needs, except click: the start of the program is most of the time of a check of a
machine that is in sync.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from subfloor.cli.statuses import FAILED, USAGE, status_of

if TYPE_CHECKING:
    from subfloor.cli.running import Manner
    from subfloor.core.secret import Secret
    from subfloor.playbook.job import Request
    from subfloor.rehearse import Disk

_FILE = click.Path(dir_okay=False, path_type=Path)
_PLAYBOOK = click.Path(path_type=Path)

EXIT_STATUSES = """\b
Exit status: 0 in sync, or applied; 1 failed or interrupted; 2 drift that apply repairs in place;
3 drift that needs a person, or declined; 4 a host cannot be reached; 5 drift whose repair destroys data
and needs consent; 64 bad usage or playbook. Of several hosts, the worst: 1, then 4, 3, 5, 2, 0."""


def _completing(name: str) -> Callable[[click.Context, click.Parameter, str], Any]:
    """A completion of ``subfloor.cli.completing``, which is imported only when a shell asks."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> Any:
        from subfloor.cli import completing

        return getattr(completing, name)(context, parameter, incomplete)

    return complete


F = TypeVar("F", bound=Callable[..., Any])


class Completable(click.Command):
    """A command whose arguments are known to the completion of an option's value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words. While a shell completes, an option at the end has no value yet: to click, an error."""
        ends_open = ctx.resilient_parsing and args and args[-1].startswith("-")
        return super().parse_args(ctx, args[:-1] if ends_open else args)


class Program(click.Group):
    """The group of commands, with subfloor's exit statuses; every error ends in a message."""

    command_class = Completable

    def main(self, args: Sequence[str] | None = None, *_: Any, **extra: Any) -> NoReturn:
        """Run a command line, and exit with its status."""
        argv = list(sys.argv[1:] if args is None else args)
        extra |= {"prog_name": "subfloor", "standalone_mode": False, "obj": argv}
        sys.exit(_status(lambda: super(Program, self).main(argv, **extra), argv))


def _status(run: Callable[[], Any], argv: Sequence[str]) -> int:
    """The exit status of a command; an error that it raises is reported on standard error, and in JSON if asked for."""
    try:
        return int(run() or 0)
    except click.UsageError as error:
        error.show()
        _document(error, argv)
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; run the same command again to resume", err=True)
        return FAILED
    except BrokenPipeError:
        return 0  # the reader of the output has read enough
    except Exception as error:
        _document(error, argv)
        return _told(error, "--traceback" in argv)


def _document(error: Exception, argv: Sequence[str]) -> None:
    """The error as a JSON document on standard output, if the command line asks for JSON."""
    if {"json", "--format=json", "--json"} & set(argv):
        from subfloor.cli.problems import print_problem

        print_problem(error, argv)


def _told(error: Exception, traceback: bool) -> int:
    from subfloor.core.errors import SubfloorError

    if traceback:
        _print_traceback(error)
    if not isinstance(error, SubfloorError):
        click.echo(_fault(error), err=True)
        return FAILED
    _complain(str(error))
    return status_of(error)


def _fault(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"subfloor: {error}\n  → fix the cause, then run the same command again"
    return (
        f"subfloor: {type(error).__name__}: {error}\n"
        "  → this is a bug in subfloor: report it with the output of --traceback"
    )


def _print_traceback(error: BaseException) -> None:
    import traceback

    traceback.print_exception(error)


def _complain(text: str) -> None:
    from subfloor.report.screen import Screen, style_for

    Screen(sys.stderr).print([style_for(sys.stderr).clean(text)])


def _version(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"subfloor {version('subfloor')}")
        context.exit()


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_STATUSES,
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def cli() -> None:
    """Prepare a machine's disks: compare them with a playbook, and change only what differs.

    A playbook describes the desired state. check reports the drift, apply removes it, and rehearse runs both
    in a temporary virtual machine.
    """


def _all_of(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Several decorators as one; the first of them is the first in the help."""

    def decorate(function: F) -> F:
        for each in reversed(decorators):
            function = each(function)
        return function

    return decorate


_playbook, _playbook_if_not_own = (
    click.argument("playbook", type=_PLAYBOOK, required=required, shell_complete=_completing("playbooks"))
    for required in (True, False)
)

_what = _all_of(
    click.option("-i", "--inventory", type=_PLAYBOOK, help="The inventory of hosts; default: this machine."),
    click.option(
        "-l",
        "--limit",
        metavar="PATTERN",
        shell_complete=_completing("hosts"),
        help="Only these hosts: names, groups, wildcards.",
    ),
    click.option(
        "-e",
        "--extra-vars",
        "extra",
        multiple=True,
        metavar="KEY=VALUE|@FILE",
        shell_complete=_completing("variables"),
        help="Set a variable; overrides all others.",
    ),
    click.option(
        "-t",
        "--tags",
        multiple=True,
        metavar="TAGS",
        shell_complete=_completing("tags"),
        help="Only tasks with one of these tags.",
    ),
    click.option(
        "--skip-tags",
        multiple=True,
        metavar="TAGS",
        shell_complete=_completing("tags"),
        help="Skip tasks with one of these tags.",
    ),
)

_how = _all_of(
    click.option("-D", "--diff", is_flag=True, help="Show the differences, before and after."),
    click.option("-v", "--verbose", is_flag=True, help="Show the commands of each step."),
    click.option(
        "--format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="What to print."
    ),
    click.option("--traceback", is_flag=True, help="Show the Python traceback of an error."),
)

_report = click.option(
    "--report",
    "reports",
    type=_FILE,
    multiple=True,
    metavar="FILE",
    help="Also write a report: FILE.html, .md, .xml (JUnit), .prom (node exporter); otherwise JSON. Repeatable.",
)

_log = click.option(
    "--log", type=_FILE, metavar="FILE", help="Append a JSON line to a file for each look, step and command."
)

_ask_password = click.option(
    "--ask-password",
    "passwords",
    multiple=True,
    metavar="NAME",
    help="Ask for a password, and set the variable NAME to its hash.",
)

_ask_passphrase = click.option(
    "--ask-passphrase",
    "passphrases",
    multiple=True,
    metavar="NAME",
    help="Ask for a passphrase, and set the variable NAME to it; without a terminal, read a line.",
)

_secret = click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME=KIND:WHERE",
    help="Set a variable to a secret: NAME=file:PATH, NAME=env:VARIABLE or NAME=command:COMMAND.",
)

_lists = _all_of(
    click.option("--syntax-check", is_flag=True, help="Only report errors of the playbook; look at no disk."),
    click.option("--list-hosts", is_flag=True, help="Only list the hosts; look at no disk."),
    click.option("--list-tasks", is_flag=True, help="Only list the tasks; look at no disk."),
    click.option("--list-tags", is_flag=True, help="Only list the tags; look at no disk."),
)

_may = _all_of(
    click.option(
        "--destroy",
        multiple=True,
        metavar="[HOST:]DEVICE",
        shell_complete=_completing("disks"),
        help="Allow destroying the data on this device.",
    ),
    click.option("-y", "--yes", is_flag=True, help="Do not ask before applying."),
    click.option("--step", is_flag=True, help="Ask before each step."),
    click.option(
        "--start-at-task",
        "start_at",
        metavar="NAME",
        shell_complete=_completing("entries"),
        help="Start at the first task of this name.",
    ),
    click.option(
        "--plan",
        type=_FILE,
        metavar="FILE",
        help="Take the steps of a plan that `check --save-plan` wrote, and no others.",
    ),
    click.option("-C", "--check", "only_check", is_flag=True, help="Only check, like `subfloor check`."),
)


@cli.command()
@_playbook_if_not_own
@_what
@_ask_password
@_ask_passphrase
@_secret
@_lists
@_how
@_report
@_log
@click.option(
    "--destroy", multiple=True, metavar="[HOST:]DEVICE", help="Plan as if the data on this device may be destroyed."
)
@click.option("--save-plan", type=_FILE, metavar="FILE", help="Save the plan, for `apply --plan FILE`.")
@click.pass_obj
def check(argv: list[str], /, **given: Any) -> int:
    """Report what apply would change; change nothing.

    Without PLAYBOOK it takes the one that this machine was installed from, with the variables given then.
    """
    from subfloor.cli import running

    if _only_lists(given):
        return _list(given)
    return running.check(_request(given), _manner(argv, given))


@cli.command()
@_playbook_if_not_own
@_what
@_ask_password
@_ask_passphrase
@_secret
@_lists
@_may
@_how
@_report
@_log
@click.pass_obj
def apply(argv: list[str], /, only_check: bool, **given: Any) -> int:
    """Bring the machine to the state that the playbook describes; verify each step.

    Without PLAYBOOK it takes the one that this machine was installed from.

    On a terminal it shows the plan and asks once. It destroys data only if --destroy names the device, or
    you type its name when asked. On Ctrl-C, SIGTERM or SIGHUP it stops the running command and reports
    where it stands; run it again to resume. If the reader of its output exits, it continues without output.
    """
    from subfloor.cli import running

    if _only_lists(given):
        return _list(given)
    run = running.check if only_check else running.apply
    return run(_request(given, twice=not only_check), _manner(argv, given))


def _only_lists(given: Mapping[str, Any]) -> bool:
    return any(given[name] for name in ("syntax_check", "list_hosts", "list_tasks", "list_tags"))


def _list(given: dict[str, Any]) -> int:
    """List what is wanted. Nobody is asked for a secret, and none is read: its value changes no list."""
    from subfloor.cli import listing
    from subfloor.cli.secrets import name_of
    from subfloor.core.secret import Secret

    names = (*given["passwords"], *given["passphrases"], *map(name_of, given["secrets"]))
    request = _request({**given, "passwords": (), "passphrases": (), "secrets": ()}, dict.fromkeys(names, Secret("-")))
    return listing.show(request, listing.Wanted(given["list_hosts"], given["list_tasks"], given["list_tags"]))


def _disk(context: click.Context, option: click.Parameter, given: Sequence[str]) -> tuple[Disk, ...]:
    from subfloor.rehearse.rehearsal import DEFAULT_DISK, disk_of

    try:
        return tuple(disk_of(each) for each in given or (DEFAULT_DISK,))
    except ValueError as error:
        raise click.BadParameter(str(error), context, option) from None


@cli.command()
@_playbook
@_what
@_ask_passphrase
@_secret
@_how
@click.option("--report", type=_FILE, metavar="FILE", help="Also write the three reports to a file, as JSON.")
@click.option(
    "--disk",
    "disks",
    multiple=True,
    metavar="SIZE[:BUS][:SECTOR]",
    callback=_disk,
    help="A blank disk, such as 30GiB, 8GiB:nvme, 8GiB:4096; repeatable.  [default: 30GiB]",
)
@click.option("--reboot", is_flag=True, help="At the end, boot what was installed.")
@click.option("--keep", is_flag=True, help="Keep the disk images and show their paths.")
@click.option("--shell", is_flag=True, help="At the end, open a shell in the virtual machine.")
@click.option("--kernel", type=_FILE, metavar="FILE", help="The kernel to boot: a vmlinuz-RELEASE file.")
@click.option("--memory", type=click.IntRange(min=512), default=2048, show_default=True, metavar="MIB")
@click.option(
    "--timeout",
    type=click.IntRange(min=10),
    default=900,
    show_default=True,
    metavar="SECONDS",
    help="Time limit for the whole rehearsal.",
)
@click.pass_obj
def rehearse(argv: list[str], /, **given: Any) -> int:
    """Try a playbook in a virtual machine with blank disks.

    It applies the playbook, applies it again (which must change nothing) and checks it (which must find no
    drift); then it deletes the disks. The virtual machine has the programs of this machine, but cannot
    write to its files. With --format json the three reports are one document.
    """
    from subfloor.cli import rehearsing
    from subfloor.cli.resume import command_line
    from subfloor.rehearse.rehearsal import Setting

    request = _request(given)
    setting = Setting(given["disks"], given["kernel"], given["memory"], float(given["timeout"]))
    wishes = rehearsing.Wishes(
        arguments=_for_guest(given),
        passphrases=tuple(request.secrets.values()),
        again=command_line(argv),
        json=given["format"] == "json",
        **{key: given[key] for key in ("keep", "shell", "reboot", "report")},
    )
    return rehearsing.run(request, setting, wishes)


def _for_guest(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The arguments of a run in the guest, from those of the rehearsal."""
    words = [str(given["playbook"])]
    for option, value in (("--inventory", given["inventory"]), ("--limit", given["limit"])):
        words += [option, str(value)] if value is not None else []
    from subfloor.cli.secrets import name_of

    # The guest gets every secret as a line of its standard input.
    given = {**given, "passphrases": (*map(name_of, given["secrets"]), *given["passphrases"])}
    several = (("-e", "extra"), ("--tags", "tags"), ("--skip-tags", "skip_tags"), ("--ask-passphrase", "passphrases"))
    for option, values in ((option, given[name]) for option, name in several):
        words += [word for value in values for word in (option, value)]
    return (*words, *(f"--{flag}" for flag in ("diff", "verbose", "traceback") if given[flag]))


@cli.command()
@click.argument("devices", nargs=-1, metavar="[DEVICE]...", shell_complete=_completing("disks"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(devices: tuple[str, ...], as_json: bool) -> int:
    """Draw the disks as they are, without a playbook; change nothing.

    It shows partitions, free space, filesystems, how full they are and how they are used, what is not
    aligned, and work that was interrupted. Without DEVICE it shows all disks.
    """
    from subfloor.cli import showing

    return showing.show(devices, as_json=as_json)


_beside = click.option(
    "--playbook", type=_FILE, metavar="FILE", help="Include the tasks of plugins/ beside this playbook."
)


@cli.command()
@click.argument("name", required=False, shell_complete=_completing("tasks"))
@_beside
def tasks(name: str | None, playbook: Path | None) -> int:
    """List all tasks, or document the task NAME."""
    from subfloor.cli import describing

    return describing.tasks(name, playbook)


@cli.command()
@_beside
def schema(playbook: Path | None) -> int:
    """Print the JSON Schema of playbooks, for editors."""
    from subfloor.cli import describing

    return describing.schema(playbook)


@cli.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--copy", type=click.Path(file_okay=False, path_type=Path), metavar="DIRECTORY", help="Copy them there.")
def playbooks(names: tuple[str, ...], copy: Path | None) -> int:
    """List the playbooks that subfloor brings, or copy them to a directory of your own.

    Without NAME, --copy copies all of them. The parts that they include come with them. A file that exists is
    never overwritten.
    """
    from subfloor.cli import shipped

    if copy is None and names:
        raise click.UsageError("To copy these playbooks, name a directory: --copy DIRECTORY")
    return shipped.copy(names, copy) if copy else shipped.list_all()


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the script that makes a shell complete commands, playbooks, hosts, tags, tasks and disks.

    \b
    bash:  subfloor completion bash > ~/.local/share/bash-completion/completions/subfloor
    zsh:   subfloor completion zsh > ~/.zfunc/_subfloor    (with ~/.zfunc in fpath)
    fish:  subfloor completion fish > ~/.config/fish/completions/subfloor.fish
    """
    from subfloor.cli import completing

    click.echo(completing.script(cli, shell))
    return 0


@cli.group()
def new() -> None:
    """Write the start of something of your own."""


@new.command("task")
@click.argument("name")
@click.option(
    "-C",
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="The directory of your playbook; default: the current one.",
)
def new_task(name: str, directory: Path) -> int:
    """Write a task that works: plugins/NAME.py, and its test case tests/test_NAME.py."""
    from subfloor.cli import starting

    return starting.new_task(name, directory)


def _request(given: dict[str, Any], secrets: Mapping[str, Secret] | None = None, *, twice: bool = False) -> Request:
    """The request of a command. ``twice``: passphrases are typed twice, since they may become keys.

    ``secrets``: instead of those that the user gives.
    """
    from subfloor.playbook.job import Request

    if given["playbook"] is None:
        from subfloor.cli.own import given_or_own

        given = given_or_own(given)
    return Request(
        playbook=given["playbook"],
        inventory=given["inventory"],
        limit=given["limit"],
        extra=given["extra"],
        tags=_names(given["tags"]),
        skip_tags=_names(given["skip_tags"]),
        start_at=given.get("start_at"),
        secrets=_secrets(given, twice=twice) if secrets is None else secrets,
    )


def _secrets(given: dict[str, Any], *, twice: bool) -> Mapping[str, Secret]:
    names, phrases, others = given.get("passwords", ()), given.get("passphrases", ()), given.get("secrets", ())
    if not (names or phrases or others):
        return {}
    from subfloor.cli.passwords import asked_for, passphrases
    from subfloor.cli.secrets import name_of, secrets

    every = [*dict.fromkeys(names), *dict.fromkeys(phrases), *map(name_of, others)]
    if twice_given := sorted({name for name in every if every.count(name) > 1}):
        options = "--ask-password, --ask-passphrase or --secret"
        raise click.UsageError(f"{', '.join(twice_given)}: give one of {options}, once")
    found = dict(secrets(others))
    return {**found, **(asked_for(names) if names else {}), **(passphrases(phrases, twice=twice) if phrases else {})}


def _manner(argv: Sequence[str], given: dict[str, Any]) -> Manner:
    from subfloor.cli.running import Manner

    return Manner(
        argv=tuple(argv),
        json=given["format"] == "json",
        destroy=tuple(given["destroy"]),
        **{key: given.get(key, False) for key in ("diff", "verbose", "traceback", "yes", "step")},
        reports=given["reports"],
        log=given["log"],
        save_plan=given.get("save_plan"),
        plan=given.get("plan"),
    )


def _names(lists: Sequence[str]) -> tuple[str, ...]:
    """Names that are given one by one, or separated by commas."""
    return tuple(name.strip() for names in lists for name in names.split(",") if name.strip())


def main() -> None:
    """Run the program and exit with its status."""
    cli.main()
