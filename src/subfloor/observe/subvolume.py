"""Btrfs subvolumes: whether one is at a path, and its properties."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output, Unknown, at_least
from subfloor.observe.path import Absent, Located, NotYetVisible
from subfloor.storage import sizes

COMPRESSIONS = ("zlib", "lzo", "zstd", "none")
"""The values of the property ``compression`` (btrfs-property(8)). ``none``: no compression, whatever the mount options.
"""


@dataclass(frozen=True)
class SubvolumeState:
    """A subvolume. ``nodatacow`` and ``compression`` are those of its root directory, which new files inherit.

    ``compression``: one of ``COMPRESSIONS``, "" if the mount options decide. ``default``: a mount without ``subvol``
    shows this one. ``quotas``: the filesystem counts the space that each subvolume uses; another program may enable
    that at any time. ``limit``: the most space for this one, such as ``64MiB``; None without a limit. ``empty``:
    nothing is in it; other programs may change that at any time, so promises leave it out.
    """

    WORDS: ClassVar[Mapping[str, str]] = {"nodatacow": "NoCOW", "default": "default subvolume"}
    FOLLOWS: ClassVar[frozenset[str]] = frozenset({"quotas"})  # a limit enables them

    read_only: bool = False
    nodatacow: bool = False
    compression: str | Unknown = ""
    default: bool = False
    quotas: bool = at_least(default=False)
    limit: str | None = None
    empty: bool = field(default=True, compare=False)

    def __str__(self) -> str:
        return "a read-only subvolume" if self.read_only else "a subvolume"


Found = SubvolumeState | Absent | NotYetVisible


@dataclass(frozen=True)
class Subvolume(Located[Found]):
    """The btrfs subvolume at a path. Anything else there, also a plain directory, counts as absent."""

    path: str

    def __str__(self) -> str:
        return f"subvolume {self.path}"

    def probes(self) -> tuple[str, ...]:
        """One probe, by stat(1), btrfs(8) and lsattr(1)."""
        return (f"p={shlex.quote(self.path)}\n{_PROBE}",)

    def parse(self, *outputs: Output) -> Found:
        """The subvolume, or ``Absent``. Raises ``LookFailed`` if its properties cannot be read."""
        (found,) = outputs
        if found.status == _ABSENT:
            return Absent()
        lines = found.text.splitlines()
        said = dict(line.partition("=")[::2] for line in lines)
        if found.status or not {"id", "ro", "flags", "default", "end"} <= said.keys():
            raise LookFailed(
                f"the subvolume {self.path} cannot be inspected",
                advice="run this as root, check that `btrfs` and `lsattr` are installed, and check the filesystem",
            )
        return SubvolumeState(
            read_only=said["ro"] == "true",
            nodatacow="C" in said["flags"].split(" ")[0],
            compression=_compression(said.get("compression", "")),
            default=said["default"].split(" ")[1:2] == [said["id"]],
            quotas="quotas" in said,
            limit=_limit(lines, said["id"]),
            empty="filled" not in said,
        )

    def in_empty(self) -> Found:
        """``Absent``: an empty filesystem has no subvolume at a path."""
        return Absent()


_ABSENT = 3

# Only the root directory of a subvolume has the inode number 256 (BTRFS_FIRST_FREE_OBJECTID).
_PROBE = rf"""
[ -d "$p" ] && [ ! -L "$p" ] || exit {_ABSENT}
type=$(stat -f -c %T -- "$p") && inode=$(stat -c %i -- "$p") || exit 1
[ "$type" = btrfs ] && [ "$inode" = 256 ] || exit {_ABSENT}
id=$(btrfs inspect-internal rootid "$p") && printf 'id=%s\n' "$id" || exit 1
btrfs property get -t subvol "$p" ro || exit 1
btrfs property get -t inode "$p" compression || exit 1
flags=$(lsattr -d -- "$p") && printf 'flags=%s\n' "$flags" || exit 1
default=$(btrfs subvolume get-default "$p") && printf 'default=%s\n' "$default" || exit 1
if groups=$(btrfs qgroup show -rf --raw "$p" 2>/dev/null); then printf 'quotas=\n%s\n' "$groups"; fi
held=$(ls -A -- "$p") || exit 1
[ -z "$held" ] || printf 'filled=\n'
printf 'end=\n'
"""


def _compression(said: str) -> str:
    """The value of the property without its level; ``no`` means ``none``."""
    name = said.partition(":")[0]
    return "none" if name == "no" else name


def _limit(lines: list[str], id_: str) -> str | None:
    """The limit, from the column ``Max referenced`` of the subvolume's quota group, ``0/ID``; None if there is none."""
    fields = next((line.split() for line in lines if line.startswith(f"0/{id_} ")), [])
    return sizes.show(int(fields[3])) if len(fields) > 3 and fields[3].isdecimal() else None
