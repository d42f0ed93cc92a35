"""The program: its group of commands and its exit statuses; every error ends in a message."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import click

from subfloor.cli.statuses import FAILED, USAGE, status_of

EXIT_STATUSES = """\b
Exit status: 0 in sync, or applied; 1 failed or interrupted; 2 drift that apply repairs in place;
3 drift that needs a person, or declined; 4 a host cannot be reached; 5 drift whose repair destroys data
and needs consent; 6 imported in part; 64 bad usage or playbook. Of several hosts, the worst: 1, then 4, 3, 5, 2,
0."""


class Completable(click.Command):
    """A command that also parses a line whose last option has no value yet, so that the value can be completed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words. During a completion, leave out a last word that is an option: click would need its value."""
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
    """Print the error as a JSON document on standard output, if the command line asks for JSON."""
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
