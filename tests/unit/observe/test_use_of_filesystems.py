"""How full a filesystem is and when it was last used, from its superblock; judged by its own programs."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from loop_disks import run, said
from subfloor.core.machine import Output
from subfloor.observe.disk import Content, Remains
from subfloor.observe.disk.holdings import Holdings
from subfloor.storage import superblocks
from unit.observe.test_free_space import pieces

FILL = 120 << 20
"""Bytes of the one file in each filesystem of 400 MiB."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_bytes(b"x" * FILL)
    return tree


@pytest.fixture
def image(tmp_path: Path) -> Path:
    image = tmp_path / "image"
    run("truncate", "--size", "400M", image)
    return image


def _share(used: int, total: int) -> str:
    return f"{100 * used // total}% full"


def _number(text: str, pattern: str) -> int:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, text
    return int(found[1])


def _ext(kind: str) -> Callable[[Path, Path], str]:
    def fill(image: Path, tree: Path) -> str:
        run(f"mkfs.{kind}", "-q", "-F", "-d", tree, image)
        text = said("dumpe2fs", "-h", image)
        total, free = _number(text, r"^Block count: +(\d+)"), _number(text, r"^Free blocks: +(\d+)")
        return _share(total - free, total)

    return fill


def _xfs(image: Path, tree: Path) -> str:
    prototype = tree.parent / "prototype"
    prototype.write_text(f"/\n0 0\nd--755 0 0\nfile ---644 0 0 {tree}/file\n$\n")
    run("mkfs.xfs", "-q", "-p", prototype, image)
    text = said("xfs_db", "-r", "-c", "sb 0", "-c", "print dblocks fdblocks", image)
    total, free = _number(text, r"^dblocks = (\d+)"), _number(text, r"^fdblocks = (\d+)")
    return _share(total - free, total)


def _btrfs(image: Path, tree: Path) -> str:
    run("mkfs.btrfs", "-q", "--rootdir", tree, image)
    text = said("btrfs", "inspect-internal", "dump-super", image)
    return _share(_number(text, r"^bytes_used\s+(\d+)"), _number(text, r"^total_bytes\s+(\d+)"))


def _vfat(image: Path, tree: Path) -> str:
    run("mkfs.fat", "-F", "32", image)
    run("mcopy", "-i", image, tree / "file", "::file")
    text = said("fsck.fat", "-n", image)
    return _share(_number(text, r"(\d+)/\d+ clusters"), _number(text, r"\d+/(\d+) clusters"))


def _f2fs(image: Path, tree: Path) -> str:
    run("mkfs.f2fs", "-f", image)
    run("sload.f2fs", "-f", tree, image, check=False)
    text = said("fsck.f2fs", "-d", "1", "--dry-run", image)
    total, used = (
        _number(text, rf"^{word}\s+\[0x *[0-9a-f]+ : (\d+)\]") for word in ("user_block_count", "valid_block_count")
    )
    return _share(used, total)


FILLED = {
    "ext2": _ext("ext2"),
    "ext3": _ext("ext3"),
    "ext4": _ext("ext4"),
    "xfs": _xfs,
    "btrfs": _btrfs,
    "vfat": _vfat,
    "f2fs": _f2fs,
}


@pytest.mark.parametrize("kind", FILLED)
def test_a_superblock_says_how_full_its_filesystem_is(kind: str, image: Path, tree: Path) -> None:
    share = FILLED[kind](image, tree)
    found = superblocks.use_of(kind, pieces(image))
    assert found.startswith(share) and superblocks.says_more(kind)
    assert int(share.partition("%")[0]) >= 25, "it is too empty to tell"


def test_small_fat_and_other_types_say_nothing(image: Path) -> None:
    run("mkfs.fat", "-F", "16", image)
    assert superblocks.use_of("vfat", pieces(image)) == ""
    assert superblocks.use_of("crypto_LUKS", pieces(image)) == ""


@pytest.mark.parametrize(
    ("mounted", "written", "said_so"),
    [
        (1793664000, 1793664000 + 3600, "last mounted 2026-11-03"),
        (1793664000, 1793664000 + 3 * 86400, "last mounted 2026-11-03, last written 2026-11-06"),
        (0, 1793664000, "never mounted, last written 2026-11-03"),
        (0, 0, "never mounted"),
        ((1 << 32) - 1, 0, "last mounted 2106-02-07"),
    ],
)
def test_ext_says_when_it_was_last_mounted_and_written(mounted: int, written: int, said_so: str) -> None:
    block = bytearray(superblocks.PIECE)
    struct.pack_into("<II", block, 4, 1000, 0)
    struct.pack_into("<I", block, 0x0C, 390)
    struct.pack_into("<II", block, 0x2C, mounted, written)
    empty = dict.fromkeys(superblocks.PLACES, bytes(superblocks.PIECE))
    assert superblocks.use_of("ext4", {**empty, 1024: bytes(block)}) == f"61% full, {said_so}"


def test_impossible_counts_are_left_out() -> None:
    noise = dict.fromkeys(superblocks.PLACES, b"\xff" * superblocks.PIECE)
    zeros = dict.fromkeys(superblocks.PLACES, bytes(superblocks.PIECE))
    for kind in ("xfs", "btrfs", "vfat", "f2fs"):
        assert superblocks.use_of(kind, zeros) == ""
        assert "%" not in superblocks.use_of(kind, noise) or superblocks.use_of(kind, noise) in ("0% full", "100% full")


def test_an_unreadable_part_of_a_loss_is_reported() -> None:
    holdings = Holdings("/dev/vda", extents=((1 << 20, 1 << 30),))
    assert len(holdings.probes()) == 1
    assert [str(each) for each in holdings.parse(Output(b"", 74))] == ["what cannot be read at 1MiB"]


def test_the_use_of_a_filesystem_follows_its_name() -> None:
    photos = Content("ext4", "photos", use="61% full, last mounted 2026-11-03")
    assert str(photos) == "ext4 labelled 'photos' (61% full, last mounted 2026-11-03)"
    assert str(Remains(1 << 20, photos)) == "ext4 labelled 'photos' at 1MiB (61% full, last mounted 2026-11-03)"
