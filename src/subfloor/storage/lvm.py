"""LVM: the names that it accepts, and the tags by which a play recognises its groups and volumes (lvm(8))."""

from __future__ import annotations

import re
from collections.abc import Iterable
from uuid import UUID

from subfloor.storage.devices import logical_volume
from subfloor.storage.marks import STAGES
from subfloor.storage.sizes import MIB

EXTENT = 4 * MIB
"""The size of the extents of a new group, in bytes: LVM's default, passed explicitly so that sizes are known."""

DATA_OFFSET = MIB
"""Where the extents of a new physical volume begin, in bytes: LVM's default, passed explicitly."""

_OURS = "subfloor."
"""How our tags begin."""

NEW = ".new"
"""The stage of a new volume that is not emptied yet: its extents may show data of former volumes."""

_NAME = re.compile(r"[A-Za-z0-9+_.][A-Za-z0-9+_.-]*")
_RESERVED = re.compile(
    r"(snapshot|pvmove).*|.*_(cdata|cmeta|corig|mlog|mimage|pmspare|[rtv](data|image|meta|origin)).*"
)
_LIKE_A_PARTITION = re.compile(r".*\dp[1-9]\d*")
_LONGEST = 127

_DIRECTORY = re.compile(
    "amiraid|ataraid|block|bsg|bus|bcache|cciss|char|cpu|disk|dm|dri|etherd|fd|hugepages|i2o|ida|input|loop|mapper|md|"
    "mqueue|mtd|nbd|net|pts|rd|shm|snd|ubd|usb|vfio|zvol"
)
"""Directories below /dev that the kernel, udev and other drivers use."""


def tag(uuid: UUID, stage: str = "") -> str:
    """The tag of a group or volume with this UUID. ``stage``: of its content, written as in a partition's name."""
    return f"{_OURS}{uuid}{stage}"


def stage_of(tags: Iterable[str], uuid: UUID) -> str | None:
    """The stage in the tag with this UUID, "" if it has no stage; None if there is no such tag."""
    found = set(tags)
    return next((stage for stage in (NEW, *STAGES, "") if tag(uuid, stage) in found), None)


def stage_in(tags: Iterable[str]) -> str:
    """The stage of unfinished content in any tag of subfloor, whatever its UUID; "" if there is none."""
    return next((stage for stage in STAGES for each in tags if each.startswith(_OURS) and each.endswith(stage)), "")


def check_group(name: str) -> None:
    """Raise ``ValueError`` for a name that a volume group cannot have."""
    _check(name)
    if _DIRECTORY.fullmatch(name):
        raise ValueError(f"{name!r} is a directory below /dev, where links to the volumes would be")


def check_volume(group: str, name: str) -> None:
    """Raise ``ValueError`` for a name that a logical volume of this group cannot have."""
    _check(name)
    if _RESERVED.fullmatch(name):
        raise ValueError(f"{name!r} is a name that LVM keeps for its own volumes")
    if _LIKE_A_PARTITION.fullmatch(name):
        raise ValueError(f"{name!r} ends like the name of a partition")
    if len(logical_volume(group, name).removeprefix("/dev/mapper/")) > _LONGEST:
        raise ValueError(f"{name!r} is too long: at most {_LONGEST} characters, together with the name of the group")


def _check(name: str) -> None:
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise ValueError(
            f"{name!r} is not a valid name for LVM: use letters, digits and + _ . -, and no hyphen at the start"
        )
