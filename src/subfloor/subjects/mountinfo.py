"""The kernel's list of mounts, read from /proc/self/mountinfo (proc_pid_mountinfo(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass

PROBE = "cat /proc/self/mountinfo"
_OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True)
class MountInfo:
    """One mount, as the kernel lists it; ``root`` is the path inside the filesystem that is mounted."""

    id: int
    parent: int
    device: str
    root: str
    path: str
    type: str
    source: str
    options: frozenset[str]


def parse(text: bytes) -> tuple[MountInfo, ...]:
    """The mounts, in the kernel's order: of several on one path the last one is what is there."""
    return tuple(_mount(line) for line in text.split(b"\n") if line)


def way(mounts: tuple[MountInfo, ...], path: str) -> tuple[MountInfo, ...]:
    """The mounts that are crossed on the way to a path without symbolic links; the last one is where it lies.

    A mount that another one has buried is listed under its old path still, and is on no way.
    """
    ids = {mount.id for mount in mounts}
    crossed: list[MountInfo] = []
    for prefix in _prefixes(path):
        while found := _next(mounts, ids, crossed, prefix):
            crossed.append(found)
    return tuple(crossed)


def _prefixes(path: str) -> tuple[str, ...]:
    parts = [part for part in path.split("/") if part]
    return ("/", *("/" + "/".join(parts[: length + 1]) for length in range(len(parts))))


def _next(mounts: tuple[MountInfo, ...], ids: set[int], crossed: list[MountInfo], path: str) -> MountInfo | None:
    """What is mounted at ``path``, on the mount crossed last. (In a chroot the first one's parent is not listed.)"""
    parents = (
        {crossed[-1].id}
        if crossed
        else {mount.parent for mount in mounts} - ids | {mount.id for mount in mounts if mount.id == mount.parent}
    )
    found = [m for m in mounts if m.path == path and m.parent in parents and m not in crossed]
    return found[-1] if found else None


def _mount(line: bytes) -> MountInfo:
    fields = line.split(b" ")
    dash = fields.index(b"-", 6)
    kind, source, super_options = fields[dash + 1 : dash + 4]
    return MountInfo(
        id=int(fields[0]),
        parent=int(fields[1]),
        device=fields[2].decode("ascii"),
        root=_unescaped(fields[3]),
        path=_unescaped(fields[4]),
        type=_unescaped(kind),
        source=_unescaped(source),
        options=_options(fields[5], super_options),
    )


def _options(own: bytes, super_options: bytes) -> frozenset[str]:
    """The mount's own options win over the filesystem's: a read-only bind of a writable one is read-only."""
    mine = {_unescaped(option) for option in own.split(b",")}
    theirs = {_unescaped(option) for option in super_options.split(b",") if option}
    return frozenset(mine | theirs - {"ro", "rw"})


def _unescaped(field: bytes) -> str:
    raw = _OCTAL.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), field)
    return raw.decode("utf-8", "surrogateescape")
