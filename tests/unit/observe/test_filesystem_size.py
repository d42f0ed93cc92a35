"""From a superblock to how much of its device a filesystem takes."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import pytest

from subfloor.core.machine import Machine, Output, broken_promises
from subfloor.observe.filesystem_size import FilesystemSize, SizeOn

MIB = 1 << 20


def piece(length: int, fields: Mapping[int, tuple[str, int]], magic: tuple[int, bytes]) -> bytes:
    made = bytearray(length)
    for at, (form, value) in fields.items():
        struct.pack_into(form, made, at, value)
    made[magic[0] : magic[0] + len(magic[1])] = magic[1]
    return bytes(made)


EXT4 = piece(
    512,
    {
        4: ("<I", 102400),  # blocks
        0x18: ("<I", 0),  # of 1 KiB
        0x20: ("<I", 8192),  # blocks of a group
        0x28: ("<I", 2048),  # inodes of a group
        0x58: ("<H", 128),
        0xCE: ("<H", 256),  # reserved for descriptors
        0xFE: ("<H", 64),
    },
    (0x38, b"\x53\xef"),
)
XFS = piece(512, {4: (">I", 4096), 8: (">Q", 102400)}, (0, b"XFSB"))
BTRFS = piece(512, {0x70: ("<Q", 900 * MIB), 0xC9: ("<Q", 3), 0xD1: ("<Q", 400 * MIB)}, (0x40, b"_BHRfS_M"))
SWAP = piece(3072, {4: ("<I", 25599)}, (3062, b"SWAPSPACE2"))


def parsed(kind: str, stdout: bytes) -> FilesystemSize:
    return SizeOn("/dev/vda1", kind).parse(Output(stdout))


def of(kind: str, superblock: bytes, more: bytes = b"") -> tuple[int, int, int, int]:
    found = parsed(kind, superblock.hex().encode() + b"\n" + more)
    return found.size, found.rest, found.block, found.number


def test_the_size_is_that_of_the_superblock() -> None:
    assert of("ext4", EXT4) == (100 * MIB, 2048 * 128 + (1 + 256 + 60) * 1024, 1024, 1)
    assert of("xfs", XFS) == (400 * MIB, 16 * MIB, 4096, 1)
    assert of("swap", SWAP) == (100 * MIB, 65536, 4096, 1)


def test_the_size_of_a_btrfs_is_that_on_this_device() -> None:
    assert of("btrfs", BTRFS) == (400 * MIB, 65536, 4096, 3)


def test_of_a_mounted_xfs_the_kernel_is_asked() -> None:
    assert of("xfs", XFS, b"statfs.f_blocks = 9\ngeom.bsize = 4096\ngeom.datablocks = 179200\n")[0] == 700 * MIB


@pytest.mark.parametrize("kind", ["ext4", "vfat", "xfs", "btrfs", "f2fs", "swap"])
def test_what_is_no_filesystem_of_this_type_has_no_size(kind: str) -> None:
    for stdout in (
        b"",
        b"\n",
        bytes(512).hex().encode(),
        bytes(3072).hex().encode(),
        b"unreadable",
        EXT4[:100].hex().encode(),
    ):
        assert parsed(kind, stdout) == FilesystemSize()


def test_a_promised_size_is_a_lower_bound() -> None:
    subject = SizeOn("/dev/vda1", "ext4")
    promised = Machine({subject: FilesystemSize(100)})
    assert not broken_promises(promised, Machine({subject: FilesystemSize(101, rest=5)}))
    assert broken_promises(promised, Machine({subject: FilesystemSize(99)}))
