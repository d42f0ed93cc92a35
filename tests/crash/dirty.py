"""Disks that are not blank: what a play may find on them, whose it is, and whether it must ask before it goes on.

Those of `foreign_disks`, and more: with files on them, and such as a play of ours has laid out once.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from crash.bench import MIB, Bench
from disk_oracle import mounted, put_files
from foreign_disks import FOREIGN
from loop_disks import LoopDisk, run

FILES = {"letter.txt": b"dear", "photo.bin": random.Random("photo").randbytes(70_000)}
"""What somebody has put on the disk."""

ANOTHER = "another seed"


@dataclass(frozen=True)
class Dirty:
    """``asks``: whether it holds what only consent lets go. ``holds``: on which of its partitions (0: the whole
    disk) there are the files, and in which filesystem."""

    make: Callable[[Bench], None]
    asks: bool = True
    holds: tuple[tuple[int, str], ...] = ()

    def letters(self, disk: LoopDisk) -> list[dict[str, bytes]]:
        """The files that can be read from it."""
        return [_read(disk.partition(number) if number else disk.node, kind) for number, kind in self.holds]


def _read(node: str, kind: str) -> dict[str, bytes]:
    with mounted(node, kind) as at:
        return {path.name: path.read_bytes() for path in at.iterdir() if path.is_file()}


def _foreign(make: Callable[[LoopDisk], None]) -> Dirty:
    return Dirty(lambda place: make(place.disk))


def _whole(kind: str, *argv: str) -> Dirty:
    """A filesystem on the whole disk."""

    def make(place: Bench) -> None:
        run(*argv, place.disk.node)
        put_files(place.disk.node, kind, FILES)

    return Dirty(make, holds=((0, kind),) if kind in ("ext4", "xfs", "btrfs") else ())


def _with_esp(place: Bench) -> None:
    """Another system's disk: its ESP, and its data."""
    disk = place.disk
    disk.sfdisk("label: gpt\n1: start=1MiB,size=40MiB,type=U,name=ESP\n2: start=41MiB,size=300MiB,type=L,name=data\n")
    run("mkfs.fat", "-F", "32", "-n", "EFI", disk.partition(1))
    put_files(disk.partition(1), "vfat", FILES)
    run("mkfs.ext4", "-q", "-F", "-L", "data", disk.partition(2))
    put_files(disk.partition(2), "ext4", FILES)


def _random_ends(place: Bench) -> None:
    """Nothing that any program would know, as on a disk that is encrypted without a header."""
    for at in (0, -MIB):
        place.disk.put(at, random.Random(at).randbytes(MIB))


def _laid_out(place: Bench) -> None:
    done = place.ran("apply")
    assert done.status == 0, done.said
    for part in place.layout.parts:
        put_files(place.disk.partition(part.number), part.type, FILES)


def _by_another(place: Bench) -> None:
    """The same layout, made with another seed: the same extents, types and labels."""
    _laid_out(replace(place, seed=ANOTHER))


def _wiped_by_hand(place: Bench) -> None:
    """Our own, with files; and then `wipefs` of the disk alone, which leaves all that its partitions held."""
    _laid_out(place)
    _forgotten(place)


def _wiped_by_hand_of_another(place: Bench) -> None:
    _by_another(place)
    _forgotten(place)


def _forgotten(place: Bench) -> None:
    place.disk.forget_partitions()
    run("wipefs", "--all", place.disk.node)


def _ours_unfinished(place: Bench) -> None:
    """Our own, and every partition says that it was never finished."""
    _laid_out(place)
    for part in place.layout.parts:
        name = f"{part.name}.unfinished"
        run("sfdisk", "--no-reread", "--no-tell-kernel", "--part-label", place.disk.node, part.number, name)


def _pool_beside_ours(place: Bench) -> None:
    """A pool's old superblocks, which our label has not overwritten."""
    _laid_out(place)
    FOREIGN["zfs-case-27"](place.disk)


DIRTY = {
    **{name: _foreign(make) for name, make in FOREIGN.items()},
    "whole-ext4-with-files": _whole("ext4", "mkfs.ext4", "-q", "-F", "-L", "photos"),
    "whole-xfs-with-files": _whole("xfs", "mkfs.xfs", "-q", "-f", "-L", "photos"),
    "whole-btrfs-with-files": _whole("btrfs", "mkfs.btrfs", "-q", "-f", "-L", "photos"),
    "whole-f2fs-with-files": _whole("f2fs", "mkfs.f2fs", "-q", "-f", "-l", "photos"),
    "whole-vfat-with-files": _whole("vfat", "mkfs.fat", "-F", "32", "-I", "-n", "PHOTOS"),
    "whole-swap": _whole("swap", "mkswap", "-q"),
    "gpt-with-esp-and-data": Dirty(_with_esp, holds=((2, "ext4"),)),
    "the-same-layout-by-another-seed-case-38": Dirty(_by_another),
    "the-same-layout-wiped-by-hand-case-29": Dirty(_wiped_by_hand),
    "by-another-seed-and-wiped-by-hand-case-29": Dirty(_wiped_by_hand_of_another),
    "ours-unfinished": Dirty(_ours_unfinished, asks=False),
    "random-at-both-ends": Dirty(_random_ends),
}
"""By name. All but our own finished work, which nothing is done to."""
