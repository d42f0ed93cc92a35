"""The commands that help to write playbooks and tasks: they look at files, and at no machine."""

from __future__ import annotations

from pathlib import Path

import click

from subfloor.cli import options
from subfloor.cli.program import cli


@cli.group("import")
def import_() -> None:
    """Write a playbook from the configuration of another tool."""


@import_.command("disko")
@click.argument("file", type=options.FILE)
@click.option("--root", metavar="PATH", help="Where the system is mounted; / for the running one.  [default: /mnt]")
@click.option("--arg", "arguments", nargs=2, multiple=True, metavar="NAME VALUE", help="Pass an argument, as Nix.")
@click.option("--argstr", "texts", nargs=2, multiple=True, metavar="NAME TEXT", help="Pass an argument, as a text.")
@click.option(
    "-I",
    "--include",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A further path that the configuration may read.",
)
def import_disko(file: Path, root: str | None, include: tuple[Path, ...], **given: tuple[tuple[str, str], ...]) -> int:
    """Write the playbook for a disko configuration; change nothing.

    FILE is in Nix, which `nix-instantiate` evaluates, or in JSON (.json). The playbook declares the same disks,
    filesystems, mounts and options. If no task can describe a part of FILE, that part is listed with its place, and
    the exit status is 6.
    """
    from subfloor.cli import importing

    quoted = {name: importing.as_nix(text) for name, text in given["texts"]}
    return importing.disko(file, root, {**dict(given["arguments"]), **quoted}, include)


_beside = click.option(
    "--playbook", type=options.FILE, metavar="FILE", help="Include the tasks of plugins/ beside this playbook."
)


@cli.command()
@click.argument("name", required=False, shell_complete=options.completing("tasks"))
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
    """List the playbooks that come with subfloor, or copy them to a directory of your own.

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
    """Write a new file to start from, such as a task."""


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
    from subfloor.cli import task_template

    return task_template.new_task(name, directory)


@cli.group()
def export() -> None:
    """Write what other tools use, such as Ansible."""


@export.command("ansible")
@options.playbook
def export_ansible(playbook: Path) -> int:
    """Print the playbook of Ansible that does what PLAYBOOK does.

    It uses the collection subfloor.core, and reads PLAYBOOK when it runs.
    """
    from subfloor.cli import exporting

    return exporting.ansible(playbook)


@export.command("collection")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def export_collection(directory: Path) -> int:
    """Write the Ansible collection subfloor.core, with the tasks of all installed plugins, below DIRECTORY.

    \b
    ANSIBLE_COLLECTIONS_PATH=DIRECTORY ansible-playbook site.yml
    ansible-galaxy collection build DIRECTORY/ansible_collections/subfloor/core
    """
    from subfloor.cli import exporting

    return exporting.collection(directory)
