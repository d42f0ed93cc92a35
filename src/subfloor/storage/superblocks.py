"""A filesystem's superblock, read from its bytes: size, how full, when last used; and whether it is a copy.

Older versions of blkid(8) report none of this. The offsets are from the kernel's headers: fs/ext4/ext4.h,
fs/xfs/libxfs/xfs_format.h, include/uapi/linux/btrfs_tree.h, include/linux/f2fs_fs.h, include/linux/swap.h; and from
Microsoft's FAT specification.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

PIECE = 512
"""The number of bytes read at each place."""

CHECKPOINTS = (2 << 20, 4 << 20)
"""Where f2fs keeps its two checkpoints, in bytes from its start; mkfs options that are unusual can move them."""

PLACES = (0, 512, 1024, 4096, 65536, *CHECKPOINTS)
"""Where pieces are read, in bytes from the filesystem's start."""

Pieces = Mapping[int, bytes]


def size_of(kind: str, pieces: Pieces) -> int:
    """The size in bytes of a filesystem of this type, from its superblock; 0 if unknown."""
    return _SIZES[kind](pieces) if kind in _SIZES else 0


def is_copy(kind: str, pieces: Pieces) -> bool:
    """Whether the superblock is one of the copies that a filesystem keeps away from its start."""
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


# How full a filesystem is, and when it was in use. The kernel writes these values only occasionally, and at unmount.


def use_of(kind: str, pieces: Pieces) -> str:
    """How full a filesystem is, and when it was last mounted and written, from its superblock; "" if unknown."""
    blocks = _BLOCKS[kind](pieces) if kind in _BLOCKS else None
    full = (f"{100 * blocks[0] // blocks[1]}% full",) if blocks and 0 <= blocks[0] <= blocks[1] and blocks[1] else ()
    times = tuple(_times(pieces[1024])) if kind.startswith("ext") else ()
    return ", ".join((*full, *times))


def says_more(kind: str) -> bool:
    """Whether the superblock of such a filesystem shows more than blkid(8) reports."""
    return kind in _BLOCKS


def _times(block: bytes) -> Iterator[str]:
    """The dates in UTC of the last mount and, if on another day, of the last write."""
    mounted, written = (_date(_number("<I", block, at)) for at in (0x2C, 0x30))
    yield f"last mounted {mounted}" if mounted else "never mounted"
    if written and written != mounted:
        yield f"last written {written}"


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if seconds else ""


_Blocks = tuple[int, int]
"""Used and total space of a filesystem, in the same unit."""


def _ext_blocks(pieces: Pieces) -> _Blocks:
    block = pieces[1024]
    wide = _number("<I", block, 0x60) & 0x80
    total, free = (
        _number("<I", block, low) | (_number("<I", block, high) << 32 if wide else 0)
        for low, high in ((4, 0x150), (0x0C, 0x158))
    )
    return total - free, total


def _fat_blocks(pieces: Pieces) -> _Blocks | None:
    """Used and total clusters, from the FSInfo sector; None without this sector, which only FAT32 has."""
    boot = pieces[0]
    info = pieces.get(_number("<H", boot, 0x30) * _number("<H", boot, 0x0B), b"")
    if _number("<H", boot, 0x16) or not (info.startswith(b"RRaA") and info[484:488] == b"rrAa"):
        return None
    sectors = _number("<I", boot, 0x20) - _number("<H", boot, 0x0E) - boot[0x10] * _number("<I", boot, 0x24)
    clusters = sectors // max(1, boot[0x0D])
    return clusters - _number("<I", info, 488), clusters


def _xfs_blocks(pieces: Pieces) -> _Blocks:
    total = _number(">Q", pieces[0], 8)
    return total - _number(">Q", pieces[0], 144), total


def _f2fs_blocks(pieces: Pieces) -> _Blocks | None:
    """Used and total blocks, from the newer of the two checkpoints; None if these are not at ``CHECKPOINTS``."""
    block = pieces[1024]
    if _number("<I", block, 76) << min(_number("<I", block, 16), 16) != CHECKPOINTS[0]:
        return None
    newest = max((pieces[at] for at in CHECKPOINTS), key=lambda piece: _number("<Q", piece, 0))
    return _number("<Q", newest, 16), _number("<Q", newest, 8)


_BLOCKS: Mapping[str, Callable[[Pieces], _Blocks | None]] = {
    "ext2": _ext_blocks,
    "ext3": _ext_blocks,
    "ext4": _ext_blocks,
    "vfat": _fat_blocks,
    "xfs": _xfs_blocks,
    "btrfs": lambda pieces: (_number("<Q", pieces[65536], 0x78), _number("<Q", pieces[65536], 0x70)),
    "f2fs": _f2fs_blocks,
}
