"""The size of a filesystem on its device, and how many bytes after its end it may leave unused."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from subfloor.core.machine import Output, Subject, at_least
from subfloor.observe.device_names import node_probe
from subfloor.storage import superblocks


@dataclass(frozen=True)
class FilesystemSize:
    """``size``: how many bytes of its device a filesystem takes; 0 if this is unknown, or if there is no filesystem.

    A promised ``size`` is a lower bound. ``rest``: how many bytes after the filesystem may stay unused, because its
    programs cannot use so few. ``block``: the size of a block in bytes. ``number``: the number of the device in a
    filesystem that can lie on several (btrfs).
    """

    WORDS: ClassVar[Mapping[str, str]] = {"size": ""}

    size: int = at_least(default=0)
    rest: int = field(default=0, compare=False)
    block: int = field(default=4096, compare=False)
    number: int = field(default=1, compare=False)


@dataclass(frozen=True)
class SizeOn(Subject[FilesystemSize]):
    """The size of a filesystem of this type on a device; ``device``: the path in the play.

    The size is read from the superblock. For a mounted xfs, the superblock may be out of date, so xfs_io(8) asks the
    kernel too.
    """

    device: str
    type: str

    def __str__(self) -> str:
        return f"size of the filesystem on {self.device}"

    def probes(self) -> tuple[str, ...]:
        """One probe: the bytes with the superblock, in hexadecimal; for a mounted xfs also the kernel's numbers."""
        start, length = _PLACES[self.type]
        read = f'{node_probe(self.device)}\n[ -b "$node" ] || exit 0\nblockdev --flushbufs "$node" || exit 0'
        superblock = f"od -A n -v -t x1 -j {start} -N {length} -- \"$node\" | tr -d ' \\n'; echo"
        return (f"{read}\n{superblock}" + (f"\n{_MOUNTED_XFS}" if self.type == "xfs" else ""),)

    def parse(self, *outputs: Output) -> FilesystemSize:
        """The size; 0 if there is no filesystem of this type on the device."""
        (output,) = outputs
        piece, _, more = output.text.partition("\n")
        start, length = _PLACES[self.type]
        try:
            found = bytes.fromhex(piece)
        except ValueError:
            return FilesystemSize()
        return _of(self.type, start, found, more) if len(found) == length else FilesystemSize()


_PLACES: Mapping[str, tuple[int, int]] = {
    "ext4": (1024, 512),
    "vfat": (0, 512),
    "xfs": (0, 512),
    "btrfs": (65536, 512),
    "f2fs": (1024, 512),
    "swap": (1024, 3072),
}
"""Where the superblock of each filesystem is, and how much of it is read, in bytes."""

_MIB = 1 << 20


def _of(kind: str, start: int, piece: bytes, more: str) -> FilesystemSize:
    magic, at = _MAGIC[kind]
    if piece[at : at + len(magic)] != magic:
        return FilesystemSize()
    return _READERS[kind](piece, superblocks.size_of(kind, {start: piece}), more)


_MAGIC: Mapping[str, tuple[bytes, int]] = {
    "ext4": (b"\x53\xef", 0x38),
    "vfat": (b"\x55\xaa", 510),
    "xfs": (b"XFSB", 0),
    "btrfs": (b"_BHRfS_M", 0x40),
    "f2fs": (b"\x10\x20\xf5\xf2", 0),
    # The place depends on the page size, here 4 KiB; with another page size, the size of the swap area stays unknown.
    "swap": (b"SWAPSPACE2", 3062),
}


def _number(form: str, piece: bytes, at: int) -> int:
    return int(struct.unpack_from(form, piece, at)[0])


def _ext4(piece: bytes, size: int, _: str) -> FilesystemSize:
    """The rest: mke2fs and resize2fs leave out a last block group that has only room for its own tables.

    They need ``overhead + 50`` blocks in it (e2fsprogs, lib/ext2fs/initialize.c). The overhead is the inode table, two
    bitmaps and, in some groups, the superblock, the group descriptors and the blocks reserved for further descriptors.
    """
    block = 1024 << min(_number("<I", piece, 0x18), 6)
    inodes = _number("<I", piece, 0x28) * (_number("<H", piece, 0x58) or 128)
    groups = size // block // max(1, _number("<I", piece, 0x20)) + 2
    descriptors = groups * (_number("<H", piece, 0xFE) or 32) // block + 1
    reserved = _number("<H", piece, 0xCE)
    return FilesystemSize(size, inodes + (descriptors + reserved + 60) * block, block)


def _xfs(piece: bytes, size: int, more: str) -> FilesystemSize:
    """mkfs.xfs makes no allocation group of less than 16 MiB at the end (XFS_AG_MIN_BYTES)."""
    asked = dict(line.split(" = ", 1) for line in more.splitlines() if " = " in line)
    blocks, block = asked.get("geom.datablocks", ""), _number(">I", piece, 4)
    return FilesystemSize(int(blocks) * block if blocks.isdecimal() else size, 16 * _MIB, block)


def _btrfs(piece: bytes, _: int, __: str) -> FilesystemSize:
    """The size on this device, from the device's item in the superblock (btrfs_tree.h: btrfs_dev_item)."""
    return FilesystemSize(_number("<Q", piece, 0xD1), 64 << 10, 4096, _number("<Q", piece, 0xC9))


def _swap(_: bytes, size: int, __: str) -> FilesystemSize:
    """The rest: a swap area has only whole pages, and a page has at most 64 KiB."""
    return FilesystemSize(size, 64 << 10)


def _other(_: bytes, size: int, __: str) -> FilesystemSize:
    """The rest: two segments of f2fs (2 MiB each). Less unused space than that is not worth a report."""
    return FilesystemSize(size, 4 * _MIB)


_READERS: Mapping[str, Callable[[bytes, int, str], FilesystemSize]] = {
    "ext4": _ext4,
    "vfat": _other,
    "xfs": _xfs,
    "btrfs": _btrfs,
    "f2fs": _other,
    "swap": _swap,
}

_MOUNTED_XFS = r"""
name=${node#/dev/}
case $name in */*) name=$(printf %s "$name" | tr / '!');; esac
[ -e "/sys/class/block/$name" ] || name=$block
read -r number < "/sys/class/block/$name/dev" || exit 0
while read -r _ _ device _ at _; do
    [ "$device" = "$number" ] || continue
    at=$(printf %b. "$at"); at=${at%.}
    [ "$(mountpoint -d -- "$at")" = "$number" ] || continue
    command -v xfs_io >/dev/null && xfs_io -r -c statfs -- "$at" && break
done < /proc/self/mountinfo
exit 0
"""
