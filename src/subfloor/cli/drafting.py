"""The command ``draft``: print the playbook that describes the disks as they are. It changes nothing."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence

import click

from subfloor.act.host import Host, Shell
from subfloor.act.look import look
from subfloor.cli.showing import disk_named, present
from subfloor.cli.signals import interruptible
from subfloor.core.errors import Refused
from subfloor.observe.disk import Disk, DiskState, Missing
from subfloor.observe.mount import DevicesMounted, InUse, Mount, Mounted
from subfloor.observe.swap import Swap, SwapState
from subfloor.playbook.drafting import Drafted, mounted_within
from subfloor.playbook.drafting import draft as drafted
from subfloor.report.screen import Screen, outcome_of, standard
from subfloor.storage.devices import device


def draft(paths: Sequence[str], root: str | None) -> int:
    """Print the playbook for the disks at ``paths``; returns the exit status.

    Without ``paths``, for the disks of all filesystems that are mounted at or below ``root``; without either, for all
    disks.
    """
    named, root = tuple(dict.fromkeys(map(disk_named, paths))), _clean(root)
    screen = Screen(standard())
    with interruptible(), Host().shell() as shell:
        seen = _seen(shell, named, root)
    screen.write(drafted(seen))
    return outcome_of(screen, 0)


def _clean(root: str | None) -> str | None:
    """The root as a clean path. Raises ``click.UsageError``."""
    if root is not None and not root.startswith("/"):
        raise click.UsageError(f"--root {root}: give an absolute path, such as /mnt")
    return None if root is None else "/" + posixpath.normpath(root).lstrip("/")


def _seen(shell: Shell, named: Sequence[str], root: str | None) -> Drafted:
    """The disks, mounts and swap areas to describe. Raises ``Refused`` if there is no such disk, and ``LookFailed``."""
    in_use = look(shell, {DevicesMounted()})[DevicesMounted()]
    within = mounted_within((path for _, path, _ in in_use.mounts), root)
    found = named or (present(shell) if root is None else _disks_of(in_use, within))
    disks = _disks(shell, found)
    disks = {**_disks(shell, _below(disks) if root is not None else ()), **disks}
    if root is not None and not disks:
        raise Refused(
            f"no disk has a filesystem mounted at or below {root}", advice="mount it there, or name the disks"
        )
    nodes = {disk.partition_node(volume.number) for disk in disks.values() for volume in disk.volumes}
    own = {path for source, path, _ in in_use.mounts if path in within and (root is not None or source in nodes)}
    return Drafted(disks, _mounts(shell, own | ({root} if root else set())), _swaps(shell, nodes))


def _disks_of(in_use: InUse, paths: Iterable[str]) -> tuple[str, ...]:
    wanted = set(paths)
    sources = [source for source, path, _ in in_use.mounts if path in wanted and source.startswith("/dev/")]
    return tuple(dict.fromkeys(device(source).disk for source in sources))


def _below(disks: Mapping[str, DiskState]) -> tuple[str, ...]:
    """The disks that mapped devices lie on, such as the disk of an open container. ``disks`` are left out."""
    nodes = [node for disk in disks.values() if disk.mapped for node in disk.mapped.below]
    return tuple(dict.fromkeys(device(node).disk for node in nodes if device(node).disk not in disks))


def _disks(shell: Shell, paths: Sequence[str]) -> Mapping[str, DiskState]:
    seen, found = look(shell, map(Disk, paths)), {}
    for path in paths:
        disk = seen[Disk(path)]
        if not isinstance(disk, DiskState):
            there = "; ".join(disk.present) if isinstance(disk, Missing) else ""
            raise Refused(f"there is no device {path}", advice=f"this machine has: {there or 'no disk'}")
        found[path] = disk
    return found


def _mounts(shell: Shell, paths: Iterable[str]) -> Mapping[str, Mounted]:
    seen = look(shell, map(Mount, paths))
    tops = {subject.path: state.top for subject, state in seen.items() if isinstance(subject, Mount)}
    return {path: top for path, top in tops.items() if top}


def _swaps(shell: Shell, nodes: Iterable[str]) -> Mapping[str, SwapState]:
    seen = look(shell, map(Swap, nodes))
    return {subject.device: state for subject, state in seen.items() if isinstance(subject, Swap)}
