"""Free space that is not empty: where it is looked at, what superblocks say, and what nobody fills."""

from __future__ import annotations

from pathlib import Path

import pytest

from disks.plays import entries
from loop_disks import run
from subfloor.act.host import Host
from subfloor.act.look import look
from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output
from subfloor.observe.disk import Content, FreeSpace, Remains
from subfloor.storage import superblocks
from subfloor.storage.sizes import MIB

GIB = 1 << 30
MAKE = {
    "ext4": ("mkfs.ext4", "-q", "-F"),
    "vfat": ("mkfs.fat", "-F", "32"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
    "f2fs": ("mkfs.f2fs", "-f"),
    "swap": ("mkswap", "-q"),
}


def pieces(image: Path, at: int = 0) -> dict[int, bytes]:
    with image.open("rb") as file:
        found = {}
        for place in superblocks.PLACES:
            file.seek(at + place)
            found[place] = file.read(superblocks.PIECE)
        return found


@pytest.mark.parametrize("kind", MAKE)
def test_the_size_of_a_filesystem_is_read_from_its_superblock(kind: str, tmp_path: Path) -> None:
    image = tmp_path / "image"
    run("truncate", "--size", "320M", image)
    run(*MAKE[kind], image)
    size = superblocks.size_of(kind, pieces(image))
    assert 320 * MIB - 4 * MIB < size <= 320 * MIB
    assert not superblocks.is_copy(kind, pieces(image))


def test_copies_of_a_superblock_are_distinguished_from_the_first(tmp_path: Path) -> None:
    image = tmp_path / "image"
    run("truncate", "--size", "512M", image)
    run("mkfs.ext4", "-q", "-F", "-b", "1024", image)
    assert all(superblocks.is_copy("ext4", pieces(image, at * MIB)) for at in (8, 24, 40))
    run("mkfs.xfs", "-q", "-f", image)
    assert all(superblocks.is_copy("xfs", pieces(image, at * MIB)) for at in (128, 256, 384))


@pytest.mark.parametrize("size", [0, 1 << 9, 1 << 12])
def test_random_bytes_never_raise_when_a_size_is_read(size: int) -> None:
    noise = {at: (b"\xff" * size).ljust(superblocks.PIECE, b"\0") for at in superblocks.PLACES}
    for kind in (*MAKE, "ext2", "ntfs"):
        assert superblocks.size_of(kind, noise) >= 0
        superblocks.is_copy(kind, noise)
        assert isinstance(superblocks.use_of(kind, noise), str)


def test_free_space_is_probed_at_its_starts_and_at_usual_distances() -> None:
    space = FreeSpace("/dev/vda", (34 * 512, 16 << 40), (MIB, 16 << 40))
    assert {34 * 512, 40 * 512, 63 * 512, MIB, 513 * MIB, GIB + MIB, 8 * GIB + MIB} <= set(space.places())
    assert len(space.places()) < 100
    narrow = FreeSpace("/dev/vda", (0, GIB), (300 * MIB, 301 * MIB))
    assert {0, 300 * MIB} <= set(narrow.places()) and max(narrow.places()) == 300 * MIB


def test_a_filesystem_that_reaches_into_an_extent_overlaps_it() -> None:
    holds = Content("ext4")
    assert Remains(0, holds, 10).overlaps(9, 12) and not Remains(0, holds, 9).overlaps(9, 12)
    assert Remains(0, holds).overlaps(9, 12), "nobody knows how far it reaches"
    assert Remains(11, holds, 99).overlaps(9, 12) and not Remains(12, holds).overlaps(9, 12)


def test_unreadable_free_space_is_not_reported_as_empty() -> None:
    space = FreeSpace("/dev/vda", (0, GIB), (MIB, GIB))
    assert space.parse(Output(b"")) == ()
    with pytest.raises(LookFailed, match="free space of /dev/vda, 1023MiB at 1MiB cannot be read"):
        space.parse(Output(b"", 74))


def test_a_missing_device_has_no_free_space() -> None:
    space = FreeSpace("/dev/nowhere", (0, GIB), (MIB, GIB))
    with Host().shell() as shell:
        assert look(shell, {space})[space] == ()


@pytest.mark.parametrize(
    ("other", "warns"),
    [
        (("mkfs", {"device": "/dev/vda2", "type": "ext4"}), False),
        (("mkfs", {"device": "/dev/vda3", "type": "ext4"}), True),
        (("mkfs", {"device": "/dev/vdb2", "type": "ext4"}), True),
        (("swap", {"device": "/dev/vda2"}), True),
        (("mount", {"source": "/dev/vda2", "path": "/mnt", "type": "ext4"}), True),
    ],
    ids=str,
)
def test_a_partition_that_nothing_fills_is_reported(other: tuple[str, dict[str, str]], warns: bool) -> None:
    part = {"device": "/dev/vda", "number": 2, "name": "data", "type": "linux", "size": "rest"}
    made, _ = entries([("aligned-partition", part), other])
    assert made.task and bool(made.task.warnings()) == warns
    raw, _ = entries([("aligned-partition", part | {"raw": True}), other])
    assert raw.task and not raw.task.warnings()
