"""Code of the tasks that mount: checks of the mount point, refusals, and commands.

All of it is pure: it returns commands and values, and changes nothing.
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
    """The mount point at a path, if it is usable.

    Raises ``Refused`` if a symbolic link leads elsewhere (for example out of the install root), if the path is not
    a directory (or of this ``kind``), if mounts are stacked there or hidden under another mount, and if the kernel
    has made the filesystem read-only after an error.
    """
    state, there = machine[Mount(path)], machine[Path(path)]
    check_way(path, there, state.real)
    if isinstance(there, Blocked):
        raise blocked(path, there)
    if isinstance(there, Node) and there.kind != kind:
        raise Refused(f"{path} is a {there.kind}, but must be a {kind}", advice="move it out of the way")
    if state.buried:
        raise Refused(
            f"{_listed(state.buried)} is mounted at {path}, hidden under a mount above it",
            advice=f"see /proc/self/mountinfo, and unmount what hides it, the last mount first; {_AGAIN}",
        )
    if len(state.stack) > 1 and path != "/":
        raise Refused(
            f"{len(state.stack)} mounts are stacked at {path}: {_listed(state.stack)}",
            advice=f"unmount what should not be there, the last first: `umount {shlex.quote(path)}`; {_AGAIN}",
        )
    if state.top and state.top.halted:
        raise Refused(
            f"the filesystem mounted at {path}, on {state.top.source}, became read-only: the kernel does that "
            "after an error",
            advice=f"see the kernel log (`dmesg`), `umount {shlex.quote(path)}`, check it with its fsck, and "
            f"check the health of the disk; {_AGAIN}",
        )
    return state


_AGAIN = "then run subfloor again"


def check_way(path: str, there: object, real: str = "") -> None:
    """Raise ``Refused`` if a path leads through a symbolic link, or ends in one."""
    real = there.real if isinstance(there, ThroughSymlink) else real or path
    if real != path:
        raise Refused(
            f"{path} leads through a symbolic link to {real}",
            advice="name the real path, or replace the link with a directory",
        )


def check_free(path: str, state: MountState) -> None:
    """Raise ``Refused`` if a mount at the path would hide other mounts or an automount."""
    if state.below:
        raise Refused(
            f"a mount at {path} would hide the mounts at {', '.join(state.below)}",
            advice=f"unmount them first: `umount --recursive` each of them; {_AGAIN}",
        )
    if state.automount:
        raise Refused(
            f"{path} is an automount that is not mounted yet",
            advice="stop it, or name another path (`systemctl list-units --type automount`, or the autofs maps, show "
            f"what it mounts); {_AGAIN}",
        )


def elsewhere(path: str, top: Mounted, wanted: str) -> Refused:
    """The error if something else than ``wanted`` is mounted at the path."""
    return Refused(
        f"{top} is mounted at {path}, but {wanted} is declared",
        advice=f"see what uses it (`fuser --mount {shlex.quote(path)}`), and "
        f"`umount {shlex.quote(path)}` if it should not be there; {_AGAIN}",
    )


def mount(kind: str, options: Iterable[str], source: str, path: str) -> tuple[Command, ...]:
    """Commands that mount a filesystem; a missing directory is made."""
    with_options = ("-o", joined) if (joined := ",".join(options)) else ()
    return (
        Command(("mkdir", "-p", "--", path)),
        Command(("mount", "-t", kind, *with_options, "--", source, path)),
    )


def trigger(path: str) -> tuple[Command, ...]:
    """Commands that trigger the automount at a path: a mount over it would hide it."""
    return (Command(("stat", "--", f"{path}/."), timeout=120.0),)


def remount(options: Iterable[str], path: str) -> tuple[Command, ...]:
    """Commands that change the options of an existing mount."""
    return (Command(("mount", "-o", ",".join(("remount", *options)), "--", path)),)


def _listed(mounts: Iterable[Mounted]) -> str:
    return ", ".join(map(str, mounts))
