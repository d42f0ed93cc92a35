"""Names of block devices: from a partition's path to its disk and number, and back.

Only the name is used, because the partition may not exist yet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BY_LINK = re.compile(r"(?P<disk>/dev/disk/by-(?:id|path|diskseq)/.+)-part(?P<number>[1-9]\d*)")
_NUMBERED_DISK = re.compile(r"(?P<disk>/dev/\S*\d)p(?P<number>[1-9]\d*)")
_LETTERED_DISK = re.compile(r"(?P<disk>/dev/(?:sd|hd|vd|xvd|ubd|dasd)[a-z]+)(?P<number>[1-9]\d*)")
_ARRAY = re.compile(r"(?P<disk>/dev/md/\S*[A-Za-z_])(?P<number>[1-9]\d*)")
_LINKED = re.compile(r"/dev/disk/by-(?:id|path|diskseq)/")


@dataclass(frozen=True)
class Device:
    """A whole disk, or the partition with this number on it."""

    disk: str
    number: int | None = None

    def __str__(self) -> str:
        return self.disk if self.number is None else partition_node(self.disk, self.number)


def partition_node(disk: str, number: int) -> str:
    """The path of a disk's partition: ``/dev/vda3``, ``/dev/nvme0n1p3``, ``/dev/disk/by-id/…-part3``.

    The kernel puts a ``p`` before the number if the disk's own name ends with a digit
    (block/partitions/core.c); udev's links add ``-part`` (60-persistent-storage.rules).
    """
    if _LINKED.match(disk):
        return f"{disk}-part{number}"
    return f"{disk}p{number}" if disk[-1:].isdigit() else f"{disk}{number}"


def logical_volume(group: str, name: str) -> str:
    """The path of a logical volume by its name in device-mapper, in which a hyphen is doubled (lvm(8)).

    Its other name, ``/dev/GROUP/NAME``, is a link that udev makes.
    """
    return f"/dev/mapper/{group.replace('-', '--')}-{name.replace('-', '--')}"


def device(path: str) -> Device:
    """The disk and, if the path names a partition, its number.

    Raises ``ValueError`` if the path is not absolute, clean and below /dev.
    """
    if not re.fullmatch(r"/dev(/[^/\s]+)+", path) or {".", ".."} & set(path.split("/")):
        raise ValueError(
            f"{path!r} is not a normalised path below /dev, such as /dev/vda or /dev/disk/by-id/virtio-1234"
        )
    for form in (_BY_LINK, _NUMBERED_DISK, _LETTERED_DISK, _ARRAY):
        if found := form.fullmatch(path):
            return Device(found["disk"], int(found["number"]))
    return Device(path)


def whole_disk(path: str) -> str:
    """``path``, unchanged. Raises ``ValueError`` if it names a partition."""
    if (named := device(path)).number is not None:
        raise ValueError(f"{path} is a partition; its disk is {named.disk}")
    return path


def partition_of(path: str) -> tuple[str, int]:
    """The disk and number of a partition's path. Raises ``ValueError`` for anything else."""
    named = device(path)
    if named.number is None:
        example = partition_node(path, 1)
        raise ValueError(f"{path} is a whole disk, but a partition is required, such as {example}")
    return named.disk, named.number
