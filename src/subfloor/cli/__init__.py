"""The commands about machines. `authoring` has the others, `options` the options that commands share.

Each command imports its modules when it runs, except click: if a machine is in sync, starting the program takes most
of the time of a check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from subfloor.cli import authoring, options
from subfloor.cli.program import cli

if TYPE_CHECKING:
    from subfloor.cli.running import RunOptions
    from subfloor.core.secret import Secret
    from subfloor.playbook.job import Request
    from subfloor.rehearse import Disk


@cli.command()
@options.job
@options.how
@options.report
@options.log
@click.option(
    "--destroy", multiple=True, metavar="[HOST:]DEVICE", help="Plan as if the data on this device may be destroyed."
)
@click.option("--save-plan", type=options.FILE, metavar="FILE", help="Save the plan, for `apply --plan FILE`.")
@click.option("--shallow", is_flag=True, help="Do not look into filesystems that are not mounted; report which.")
@click.pass_obj
def check(argv: list[str], /, **given: Any) -> int:
    """Report what apply would change; change nothing.

    Without PLAYBOOK it checks the playbook that this machine was installed from, with the variables of that
    installation.
    """
    from subfloor.cli import running

    if _only_lists(given):
        return _list(given)
    return running.check(_request(given), _manner(argv, given))


@cli.command()
@options.job
@options.may
@options.how
@options.report
@options.log
@click.pass_obj
def apply(argv: list[str], /, only_check: bool, **given: Any) -> int:
    """Bring the machine to the state that the playbook describes; verify each step.

    Without PLAYBOOK it applies the playbook that this machine was installed from, with the variables of that
    installation.

    On a terminal it shows the plan and asks once. It destroys data only if --destroy names the device, or
    you type its name when asked. On Ctrl-C, SIGTERM or SIGHUP it stops the running command and reports
    where it stands; run it again to resume. If the reader of its output exits, it continues without output.
    """
    from subfloor.cli import running

    if _only_lists(given):
        return _list(given)
    run = running.check if only_check else running.apply
    return run(_request(given, twice=not only_check), _manner(argv, given))


@cli.command()
@options.playbook
@options.what
@options.ask_password
@options.ask_passphrase
@options.secret
@options.how
@options.report
@options.log
@click.option(
    "--stamp",
    multiple=True,
    metavar="[HOST:]DEVICE",
    shell_complete=options.completing("disks"),
    help="Agree to new UUIDs in the partition table of this disk.",
)
@click.pass_obj
def adopt(argv: list[str], /, stamp: tuple[str, ...], **given: Any) -> int:
    """Take over disks that were laid out by hand or by another tool; leave their content as it is.

    The disks must be laid out as the playbook declares; otherwise it reports what differs and writes nothing. It
    shows which UUIDs of the partition table will change, and asks for each disk. No filesystem is written to.
    After that, check and apply treat the disks as if apply had made them.
    """
    from subfloor.cli import adopting

    return adopting.adopt(_request(given), _manner(argv, {**given, "destroy": ()}), stamp)


def _only_lists(given: Mapping[str, Any]) -> bool:
    return any(given[name] for name in ("syntax_check", "list_hosts", "list_tasks", "list_tags"))


def _list(given: dict[str, Any]) -> int:
    """Print the lists that the options name; returns the exit status.

    Secrets are neither asked for nor read, since no list shows the value of a variable.
    """
    from subfloor.cli import listing
    from subfloor.cli.secrets import name_of
    from subfloor.core.secret import Secret
    from subfloor.nixos.crypt import PLACEHOLDER

    names = (*given["passwords"], *given["passphrases"], *map(name_of, given["secrets"]))
    unasked = dict.fromkeys(names, Secret(PLACEHOLDER))
    request = _request({**given, "passwords": (), "passphrases": (), "secrets": ()}, unasked)
    return listing.show(request, listing.Wanted(given["list_hosts"], given["list_tasks"], given["list_tags"]))


def _disk(context: click.Context, option: click.Parameter, given: Sequence[str]) -> tuple[Disk, ...]:
    from subfloor.rehearse.rehearsal import DEFAULT_DISK, disk_of

    try:
        return tuple(disk_of(each) for each in given or (DEFAULT_DISK,))
    except ValueError as error:
        raise click.BadParameter(str(error), context, option) from None


@cli.command()
@options.playbook
@options.what
@options.ask_passphrase
@options.secret
@options.how
@click.option("--report", type=options.FILE, metavar="FILE", help="Also write the three reports to a file, as JSON.")
@click.option(
    "--disk",
    "disks",
    multiple=True,
    metavar="SIZE[:BUS][:SECTOR]",
    callback=_disk,
    help="A blank disk, such as 30GiB, 8GiB:nvme, 8GiB:4096; repeatable.  [default: 30GiB]",
)
@click.option("--reboot", is_flag=True, help="At the end, boot the installed system.")
@click.option("--keep", is_flag=True, help="Keep the disk images and show their paths.")
@click.option("--shell", is_flag=True, help="At the end, open a shell in the virtual machine.")
@click.option("--kernel", type=options.FILE, metavar="FILE", help="The kernel to boot: a vmlinuz-RELEASE file.")
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
    wishes = rehearsing.RehearsalOptions(
        arguments=_for_guest(given),
        passphrases=tuple(request.secrets.values()),
        again=command_line(argv),
        json=given["format"] == "json",
        **{key: given[key] for key in ("keep", "shell", "reboot", "report")},
    )
    return rehearsing.run(request, setting, wishes)


def _for_guest(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The arguments of subfloor in the guest, made from the options of the rehearsal."""
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
@click.argument("devices", nargs=-1, metavar="[DEVICE]...", shell_complete=options.completing("disks"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(devices: tuple[str, ...], as_json: bool) -> int:
    """Draw the disks as they are, without a playbook; change nothing.

    It shows partitions, free space, filesystems, how full they are and how they are used, what is not
    aligned, and work that was interrupted. Without DEVICE it shows all disks.
    """
    from subfloor.cli import showing

    return showing.show(devices, as_json=as_json)


@cli.command()
@click.argument("devices", nargs=-1, metavar="[DEVICE]...", shell_complete=options.completing("disks"))
@click.option("--root", metavar="PATH", help="Only the disks of what is mounted at or below this path, such as /mnt.")
def draft(devices: tuple[str, ...], root: str | None) -> int:
    """Write the playbook that describes the disks as they are; change nothing.

    It describes partition tables, partitions, filesystems, swap and mounts. What no task can describe is a
    comment. Without DEVICE it describes all disks. Run `subfloor adopt` with this playbook to take over the
    disks; after that, `subfloor check` finds no drift.
    """
    from subfloor.cli import drafting

    if devices and root is not None:
        raise click.UsageError("give either the disks or --root")
    return drafting.draft(devices, root)


def _request(given: dict[str, Any], secrets: Mapping[str, Secret] | None = None, *, twice: bool = False) -> Request:
    """The request of a command. ``twice``: the user types each passphrase twice, since it may become a key.

    ``secrets``: use these, and do not ask the user for any.
    """
    from subfloor.playbook.job import Request

    if given["playbook"] is None:
        from subfloor.cli.installed_playbook import given_or_own

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
        become_password=_become_password() if given.get("become_pass") and secrets is None else None,
    )


def _become_password() -> Secret:
    from subfloor.cli.passwords import become_password

    return become_password()


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


def _manner(argv: Sequence[str], given: dict[str, Any]) -> RunOptions:
    from subfloor.cli.running import RunOptions

    return RunOptions(
        argv=tuple(argv),
        json=given["format"] == "json",
        destroy=tuple(given["destroy"]),
        **{key: given.get(key, False) for key in ("diff", "verbose", "traceback", "yes", "step")},
        reports=given["reports"],
        log=given["log"],
        forks=1 if given.get("step") else given.get("forks", 1),  # one question at a time
        save_plan=given.get("save_plan"),
        plan=given.get("plan"),
        shallow=given.get("shallow", False),
    )


def _names(lists: Sequence[str]) -> tuple[str, ...]:
    """All names in ``lists``; commas separate the names of one list."""
    return tuple(name.strip() for names in lists for name in names.split(",") if name.strip())


def main() -> None:
    """Run the program and exit with its status."""
    cli.main()


__all__ = ["authoring", "cli", "main"]
