"""md arrays: names, levels and sizes. All of it is chosen, so that an array is known before it is made.

Sources: md(4), mdadm(8), and the kernel's drivers/md for the size of each level.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from subfloor.storage.sizes import MIB

HOMEHOST = "any"
"""The host that an array belongs to, in its superblock: udev names an array of any other host differently."""

LEAST = {0: 2, 1: 2, 4: 3, 5: 3, 6: 4, 10: 2}
"""How many members an array of each level has at least."""

CHUNK = 512 << 10
"""Bytes that lie together on one member, at levels with stripes: mdadm's default, given explicitly."""

DATA_OFFSET = 16 * MIB
"""Bytes of a member before its data (metadata 1.2): room for the superblock, the bitmap, and to reshape it."""

_NAME = re.compile(r"[A-Za-z]([A-Za-z0-9_.-]*[A-Za-z_])?")
_LONGEST = 32 - len(f"{HOMEHOST}:") - 1


def node_of(name: str) -> str:
    """The path of an array. The kernel numbers arrays in the order in which they appear; udev makes this link."""
    return f"/dev/md/{name}"


def check_name(name: str) -> None:
    """Raise ``ValueError`` for a name that an array cannot have, or that looks like a partition's or a number."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a letter, then letters, digits and . _ -, and a letter or _ at the end")
    if len(name) > _LONGEST:
        raise ValueError(f"{name!r} is too long for an array: {_LONGEST} characters at most")


def label_of(name: str) -> str:
    """The label of each member, as blkid shows it."""
    return f"{HOMEHOST}:{name}"


def four_groups(uuid: str) -> str:
    """A UUID as mdadm shows it."""
    digits = uuid.replace("-", "")
    return ":".join(digits[at : at + 8] for at in range(0, 32, 8))


def name_in(label: str) -> str:
    """The name of the array in the label of a member."""
    return label.rpartition(":")[2]


def data_size(member: int) -> int:
    """How many bytes of a member of that size may hold data: whole MiB."""
    return max(0, member - DATA_OFFSET) // MIB * MIB


def array_size(level: int, members: Sequence[int]) -> int:
    """The size of an array in bytes, from the bytes of its members that hold data."""
    each, count = min(members), len(members)
    if level == 0:
        return sum(size // CHUNK * CHUNK for size in members)
    if level == 10:
        return each // CHUNK * count // 2 * CHUNK
    return each * {1: 1, 4: count - 1, 5: count - 1, 6: count - 2}[level]
