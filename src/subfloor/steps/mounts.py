"""What the tasks that mount share: whether a place will do, and what is said where it does not.

All of it is pure: it makes commands and values, and touches nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from subfloor.core.errors import Refused
from subfloor.core.machine import Machine
from subfloor.core.task import Command
from subfloor.observe.mount import Mount, Mounted, MountState
from subfloor.observe.path import DIRECTORY, Blocked, Node, Path, ThroughSymlink
from subfloor.steps.paths import blocked


def place(machine: Machine, path: str, kind: str = DIRECTORY) -> MountState:
    """The mount point at a path, if something could be mounted there.

    Raises ``Refused`` where a symbolic link leads elsewhere (out of the install root, perhaps), where
    something else than a directory (or what ``kind`` says) is in the way, where more than one thing is
    mounted there, where what is mounted there is buried, and where the kernel lets nobody write to it any more.
    """
    state, there = machine[Mount(path)], machine[Path(path)]
    check_way(path, there, state.real)
    if isinstance(there, Blocked):
        raise blocked(path, there)
    if isinstance(there, Node) and there.kind != kind:
        raise Refused(f"{path} is a {there.kind}, and a {kind} is wanted", advice="move it out of the way")
    if state.buried:
        raise Refused(
            f"{_listed(state.buried)} is mounted at {path}, buried under what was later mounted over a directory above",
            advice=f"see it in /proc/self/mountinfo, and unmount what lies over it, in reverse order; {_AGAIN}",
        )
    if len(state.stack) > 1 and path != "/":
        raise Refused(
            f"{len(state.stack)} mounts are stacked at {path}: {_listed(state.stack)}",
            advice=f"take off those that should not be there, the last first: `umount {shlex.quote(path)}`; {_AGAIN}",
        )
    if state.top and state.top.halted:
        raise Refused(
            f"the filesystem mounted at {path}, on {state.top.source}, has become read-only: the kernel makes it so "
            "after an error",
            advice=f"see its log (`dmesg`) for the error, `umount {shlex.quote(path)}`, check it with its fsck, and "
            f"look to the disk's health; {_AGAIN}",
        )
    return state


_AGAIN = "then run this again"


def check_way(path: str, there: object, real: str = "") -> None:
    """Raise ``Refused`` where a path leads through a symbolic link, or ends in one."""
    real = there.real if isinstance(there, ThroughSymlink) else real or path
    if real != path:
        raise Refused(
            f"{path} leads through a symbolic link: really it is {real}",
            advice="name the real path, or replace the link by a directory",
        )


def check_free(path: str, state: MountState) -> None:
    """Raise ``Refused`` where a mount at the path would bury others, or an automount."""
    if state.below:
        raise Refused(
            f"a mount at {path} would bury those at {', '.join(state.below)}",
            advice=f"unmount them first: `umount --recursive` each of them; {_AGAIN}",
        )
    if state.automount:
        raise Refused(
            f"an automount is set up at {path}, not yet triggered",
            advice="see what it would mount (`systemctl list-units --type automount`, or the maps of autofs) and stop "
            f"it, or name another path; {_AGAIN}",
        )


def elsewhere(path: str, top: Mounted, wanted: str) -> Refused:
    """The refusal where something else is mounted."""
    return Refused(
        f"{top} is mounted at {path}, and {wanted} is wanted",
        advice=f"see what uses it (`fuser --mount {shlex.quote(path)}`), and "
        f"`umount {shlex.quote(path)}` where it should not be there; {_AGAIN}",
    )


def mount(kind: str, options: Iterable[str], source: str, path: str) -> tuple[Command, ...]:
    """Commands that mount a filesystem; the directory is made where it is not there."""
    with_options = ("-o", joined) if (joined := ",".join(options)) else ()
    return (
        Command(("mkdir", "-p", "--", path)),
        Command(("mount", "-t", kind, *with_options, "--", source, path)),
    )


def trigger(path: str) -> tuple[Command, ...]:
    """Commands that have an automounter mount what belongs at a path: to mount over it would hide it."""
    return (Command(("stat", "--", f"{path}/."), timeout=120.0),)


def remount(options: Iterable[str], path: str) -> tuple[Command, ...]:
    """Commands that change options of a mount that is there."""
    return (Command(("mount", "-o", ",".join(("remount", *options)), "--", path)),)


def _listed(mounts: Iterable[Mounted]) -> str:
    return ", ".join(map(str, mounts))
