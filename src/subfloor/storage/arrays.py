"""md arrays: names, and the room in their members. subfloor sets all values, so an array is known before it is made."""

from __future__ import annotations

import re

from subfloor.storage.sizes import MIB

HOMEHOST = "any"
"""The home host in the superblock of an array (mdadm(8)): with another one, udev may name the array differently."""

DATA_OFFSET = 16 * MIB
"""Bytes of a member before its data (metadata 1.2): room for the superblock, the bitmap, and a later reshape."""

AT_THE_END = "1.0"
"""The metadata version with the superblock after the data, so a member of a mirror looks like the array's content."""

_RESERVED = {"1.2": DATA_OFFSET, AT_THE_END: MIB}
"""Bytes of a member that hold no data, by metadata version. With 1.0, the superblock and the bitmap take 256 KiB at
most (super1.c)."""

_NAME = re.compile(r"[A-Za-z]([A-Za-z0-9_.-]*[A-Za-z_])?")
_LONGEST = 32 - len(f"{HOMEHOST}:") - 1


def node_of(name: str) -> str:
    """The path of an array: a link that udev makes. The kernel numbers arrays in the order in which they appear."""
    return f"/dev/md/{name}"


def check_name(name: str) -> None:
    """Raise ``ValueError`` for a name that an array cannot have, or that looks like a partition's or a number."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is not a valid name for an array: "
            "start with a letter, continue with letters, digits and . _ -, end with a letter or _"
        )
    if len(name) > _LONGEST:
        raise ValueError(f"{name!r} is too long for an array: {_LONGEST} characters at most")


def label_of(name: str) -> str:
    """The label of each member of the array with this name, as blkid shows the label."""
    return f"{HOMEHOST}:{name}"


def four_groups(uuid: str) -> str:
    """A UUID as mdadm shows it: four groups of eight digits, with colons."""
    digits = uuid.replace("-", "")
    return ":".join(digits[at : at + 8] for at in range(0, 32, 8))


def name_in(label: str) -> str:
    """The name of the array in the label of a member."""
    return label.rpartition(":")[2]


def data_size(member: int, metadata: str = "1.2") -> int:
    """How many bytes of a member may hold data; ``member``: the size of the member in bytes."""
    return max(0, member - _RESERVED[metadata])
