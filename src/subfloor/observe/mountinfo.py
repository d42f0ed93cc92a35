"""The kernel's list of mounts, read from /proc/self/mountinfo (proc_pid_mountinfo(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from subfloor.observe.device_names import CANONICAL

PROBE = rf"""
{CANONICAL}
mounts=$(cat /proc/self/mountinfo) || exit
printf '%s\n' "$mounts"
while IFS= read -r line; do
    source=${{line##* - }}; source=${{source#* }}; source=${{source%% *}}
    case "$source" in *\\*) continue;; /dev/*) ;; *) continue;; esac
    case "$source" in /dev/dm-* | /dev/md[0-9]*) ;; *)
        [ -L "$source" ] || [ ! -e "/sys/class/block/${{source#/dev/}}" ] || continue
    esac
    line=${{line#* }}; line=${{line#* }}
    canonical "$source" "${{line%% *}}"
    [ "$node" = "$source" ] || printf '@ %s %s\n' "$source" "$node"
done <<LIST
$mounts
LIST
"""
"""Prints the kernel's list of mounts, then ``@ SOURCE NODE`` for each device that the list shows by another name than
the canonical one: the list shows a source as mount(2) received it."""

_OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True)
class MountInfo:
    """One mount in the kernel's list; ``root`` is the path inside the filesystem that is mounted.

    ``halted``: the mount is writable, but the filesystem is not. The kernel does this after an error: then the
    filesystem's own options contain ``ro`` or, for ext4 since Linux 6.15, ``emergency_ro`` or ``shutdown``.
    """

    id: int
    parent: int
    device: str
    root: str
    path: str
    type: str
    source: str
    options: frozenset[str]
    halted: bool = False


@lru_cache(maxsize=2)  # all mount points of a play parse the same list
def parse(text: bytes) -> tuple[MountInfo, ...]:
    """The mounts, in the kernel's order. Of several mounts at one path only the last one is visible."""
    lines = [line for line in text.split(b"\n") if line]
    links = dict(_link(line) for line in lines if line.startswith(b"@ "))
    mounts = (_mount(line) for line in lines if not line.startswith(b"@ "))
    return tuple(replace(mount, source=links.get(mount.source, mount.source)) for mount in mounts)


def _link(line: bytes) -> tuple[str, str]:
    _, link, node = line.split(b" ")
    return unescaped(link), unescaped(node)


def way(mounts: tuple[MountInfo, ...], path: str) -> tuple[MountInfo, ...]:
    """The mounts that are crossed from the root to ``path``, which has no symbolic links and lies on the last one.

    A mount that another one hides is not crossed, though the kernel still lists it, under its old path.
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
    """The mount at ``path`` that lies on the mount crossed last; None if there is none.

    In a chroot the parent of the first mount is not listed.
    """
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
    kind, source = fields[dash + 1 : dash + 3]
    own, within = _split(fields[5]), _split(fields[dash + 3])
    return MountInfo(
        id=int(fields[0]),
        parent=int(fields[1]),
        device=fields[2].decode("ascii"),
        root=unescaped(fields[3]),
        path=unescaped(fields[4]),
        type=unescaped(kind),
        source=unescaped(source),
        options=_options(own, within),
        halted="ro" not in own and bool(within & _HALTED),
    )


_HALTED = frozenset({"ro", "emergency_ro", "shutdown"})


def _options(own: frozenset[str], within: frozenset[str]) -> frozenset[str]:
    """The options of a mount, ``own``, and of its filesystem, ``within``; read-only if one of the two is."""
    read_only = "ro" in own or within & _HALTED
    return own - {"ro", "rw"} | within - {"ro", "rw"} | {"ro" if read_only else "rw"}


def _split(options: bytes) -> frozenset[str]:
    return frozenset(unescaped(option) for option in options.split(b",") if option)


def escaped(path: str) -> str:
    """A path in the kernel's notation; see ``unescaped``."""
    return "".join(f"\\{ord(char):03o}" if char in " \t\n\\" else char for char in path)


def unescaped(field: bytes) -> str:
    """A path from the kernel's notation, which writes white space and backslashes in octal (seq_path)."""
    raw = _OCTAL.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), field)
    return raw.decode("utf-8", "surrogateescape")
