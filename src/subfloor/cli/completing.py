"""What a shell completes: playbooks, hosts, tags, tasks, and disks with size and model. No error is ever shown."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

SHELLS = ("bash", "zsh", "fish")
_BY_ID, _BLOCK = Path("/dev/disk/by-id"), Path("/sys/class/block")
_NO_DISKS = ("loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd")

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def script(program: click.Command, shell: str) -> str:
    """The script that a shell sources to complete the command line. Raises ``UsageError``."""
    found = get_completion_class(shell)
    assert found is not None  # click knows all SHELLS
    try:
        return found(program, {}, "subfloor", "_SUBFLOOR_COMPLETE").source()
    except RuntimeError as error:  # bash is too old
        raise click.UsageError(str(error)) from None


def _quiet(function: Callable[[click.Context, str], Iterable[CompletionItem]]) -> Complete:
    """The function as click calls it. If it fails, there are no completions: a message would disturb the typing."""

    @wraps(function)
    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found: list[CompletionItem] = []
        with contextlib.suppress(Exception):
            found = [item for item in function(context, incomplete) if str(item.value).startswith(incomplete)]
        return found

    return complete


@_quiet
def playbooks(_: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    """YAML files below the directory that was typed, and in its subdirectories; any file if there are none."""
    start = os.path.dirname(incomplete)  # noqa: PTH120
    found = []
    for pattern in ("*.yml", "*.yaml", "*/*.yml", "*/*.yaml"):
        for path in sorted(Path(start).glob(pattern)):
            if path.parent.name not in ("parts", "group_vars", "host_vars", "vars"):
                found.append(os.path.join(start, path.relative_to(start or ".")))  # noqa: PTH118
    found = [each for each in found if each.startswith(incomplete)]
    yield from map(CompletionItem, found)
    if not found:
        yield CompletionItem(incomplete, type="file")


@_quiet
def hosts(context: click.Context, _: str) -> Iterator[CompletionItem]:
    """The hosts and groups of the inventory."""
    from subfloor.playbook import inventory

    playbook = context.params.get("playbook")
    found = inventory.load(context.params.get("inventory"), playbook.parent if playbook else None)
    yield from (CompletionItem(target.name) for target in found.targets)
    yield from (CompletionItem(group, help="group") for group in sorted(found.groups))


@_quiet
def tags(context: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    """The tags of the playbook, each after those that were typed before a comma, as in ``disk,boot``."""
    from subfloor.playbook import command_line, load
    from subfloor.playbook.positions import Problems
    from subfloor.playbook.registry import Registry

    path = context.params["playbook"]
    plays = load(path, Registry([path.parent / "plugins"]), Problems())
    before = incomplete[: incomplete.rfind(",") + 1]
    yield from (CompletionItem(before + tag) for tag in sorted(command_line.known_tags(plays)))


@_quiet
def entries(context: click.Context, _: str) -> Iterator[CompletionItem]:
    """The names of the playbook's tasks. The options that were typed select hosts and set variables."""
    from subfloor.playbook.job import Request, read_job

    given = context.params
    request = Request(given["playbook"], given.get("inventory"), given.get("limit"), tuple(given.get("extra") or ()))
    names = dict.fromkeys(entry.name for work in read_job(request).works for entry in work.entries)
    yield from map(CompletionItem, names)


@_quiet
def tasks(context: click.Context, _: str) -> Iterator[CompletionItem]:
    """The names of all tasks, with what they do."""
    from subfloor.playbook.registry import Registry

    playbook = context.params.get("playbook")
    registry = Registry([playbook.parent / "plugins"] if playbook else [])
    for name in registry.names():
        plugin = registry.get(name)
        yield CompletionItem(name, help=(plugin.task.__doc__ or "").strip().partition("\n")[0] if plugin else "")


@_quiet
def disks(_: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    """The disks, by persistent names."""
    return disks_below(_BY_ID, _BLOCK)


@_quiet
def variables(_: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    """The disks as the value of a variable, such as ``disk=/dev/disk/by-id/…``."""
    name, equals, _value = incomplete.partition("=")
    for item in disks_below(_BY_ID, _BLOCK) if equals else ():
        yield CompletionItem(f"{name}={item.value}", help=item.help)


def disks_below(by_id: Path, block: Path) -> Iterator[CompletionItem]:
    """The whole disks of these directories: links by id, or the kernel's name for a disk that has none."""
    links: dict[str, list[Path]] = {}
    for link in sorted(by_id.glob("*")) if by_id.is_dir() else ():
        links.setdefault(link.resolve().name, []).append(link)
    for disk in sorted(block.glob("*")):
        if not (disk / "partition").exists() and not disk.name.startswith(_NO_DISKS):
            for path in links.get(disk.name) or [Path("/dev") / disk.name]:
                yield CompletionItem(str(path), help=_about(disk))


def _about(disk: Path) -> str:
    """Size and model, in words."""
    with contextlib.suppress(OSError, ValueError):
        size = int((disk / "size").read_text()) * 512  # the kernel counts in 512 bytes, whatever the sector size
        words = [f"{size / (1 << 30):.1f} GiB", _text(disk / "device/vendor"), _text(disk / "device/model"), disk.name]
        return " ".join(filter(None, words))
    return disk.name


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return " ".join(path.read_text(errors="replace").split())
    return ""
