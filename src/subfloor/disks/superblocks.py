"""What a filesystem's superblock says of its extent, from its bytes: how large it is, and whether it is a copy.

Older versions of blkid(8) say neither. The places are from the kernel's headers: fs/ext4/ext4.h,
fs/xfs/libxfs/xfs_format.h, include/uapi/linux/btrfs_tree.h, include/linux/f2fs_fs.h, include/linux/swap.h;
and from Microsoft's FAT specification.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

PIECE = 512
"""How many bytes are read at each place."""

PLACES = (0, 512, 1024, 4096, 65536)
"""Where the pieces are, in bytes from the filesystem's start."""

Pieces = Mapping[int, bytes]


def size_of(kind: str, pieces: Pieces) -> int:
    """How many bytes a filesystem of this type takes, as its superblock says; 0 where that is unknown."""
    return _SIZES[kind](pieces) if kind in _SIZES else 0


def is_copy(kind: str, pieces: Pieces) -> bool:
    """Whether this is one of the copies that a filesystem keeps of its superblock, away from its start."""
    if kind.startswith("ext"):
        return _number("<H", pieces[1024], 0x5A) != 0  # s_block_group_nr
    if kind == "xfs":
        headers = (pieces[at] for at in (512, 4096) if pieces[at].startswith(b"XAGF"))
        return any(_number(">I", header, 8) for header in headers)  # agf_seqno
    return False


def _number(form: str, piece: bytes, at: int) -> int:
    return int(struct.unpack_from(form, piece, at)[0])


def _ext(pieces: Pieces) -> int:
    block = pieces[1024]
    high = _number("<I", block, 0x150) if _number("<I", block, 0x60) & 0x80 else 0
    return (_number("<I", block, 4) | high << 32) * (1024 << min(_number("<I", block, 0x18), 6))


def _fat(pieces: Pieces) -> int:
    sectors = _number("<H", pieces[0], 0x13) or _number("<I", pieces[0], 0x20)
    return sectors * _number("<H", pieces[0], 0x0B)


_SIZES: Mapping[str, Callable[[Pieces], int]] = {
    "ext2": _ext,
    "ext3": _ext,
    "ext4": _ext,
    "vfat": _fat,
    "xfs": lambda pieces: _number(">I", pieces[0], 4) * _number(">Q", pieces[0], 8),
    "btrfs": lambda pieces: _number("<Q", pieces[65536], 0x70),
    "f2fs": lambda pieces: _number("<Q", pieces[1024], 36) << min(_number("<I", pieces[1024], 16), 16),
    "swap": lambda pieces: (_number("<I", pieces[1024], 4) + 1) * 4096,
}
