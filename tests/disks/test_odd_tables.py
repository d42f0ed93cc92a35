"""Disks that other tools left: tables that overlap, nest, or reach beyond the disk; data that no program knows."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

import odd_tables
from crash.sample import pairs
from disks.laying_out import blkid, judge, on
from disks.plays import applied, converged, refusal
from loop_disks import LoopDisk, MakeDisk, disk, run, said
from subfloor.act.host import Host
from subfloor.act.look import look
from subfloor.observe.disk import Disk, DiskState

pytestmark = pytest.mark.root

__all__ = ["disk"]  # a fixture

WIPES = (True, False)
"""Whether `wipefs` erases the disk, or `gpt-label`."""

HOME = (("home", "linux", "rest", "ext4 home"),)


def with_table(disk: MakeDisk, kind: str, tmp_path: Path) -> LoopDisk:
    """A disk of that kind, whose partitions the kernel has as far as it takes them."""
    vda = disk("64MiB")
    made = odd_tables.make(kind, tmp_path / "odd")
    run("dd", f"if={made}", f"of={vda.node}", "bs=1M", "conv=fsync", "status=none")
    run("partx", "--add", vda.node, check=False)
    return vda


def state(disk: LoopDisk) -> DiskState:
    subject = Disk(disk.node)
    with Host().shell() as shell:
        found = look(shell, {subject})[subject]
    assert isinstance(found, DiskState)
    return found


@pytest.mark.parametrize(("kind", "wipe"), pairs(odd_tables.ODD, WIPES))
def test_an_odd_table_is_erased_by_the_first_run_with_consent(
    disk: MakeDisk, kind: str, wipe: bool, tmp_path: Path
) -> None:
    vda = with_table(disk, kind, tmp_path)
    play = on(vda, *HOME, wipe=wipe)
    before = vda.digest()
    assert f"--destroy {vda.node}" in refusal(play)
    assert vda.digest() == before
    converged(play, vda.node)
    judge(vda, HOME)
    types = {each["type"] for each in json.loads(said("wipefs", "--json", "--no-act", vda.node))["signatures"]}
    assert types == {"gpt", "PMBR"}


@pytest.mark.parametrize("kind", odd_tables.ODD)
def test_erased_content_does_not_reappear(disk: MakeDisk, kind: str, tmp_path: Path) -> None:
    """The disk is erased, and then the same partitions are made on it again."""
    vda = with_table(disk, kind, tmp_path)
    seen = state(vda)
    reports = applied([("wipefs", {"device": vda.node})], vda.node)
    assert not [str(report.error) for report in reports if report.error]
    assert "blank: " in state(vda).describe()
    for number, volume in enumerate(seen.volumes, 1):
        size = min(volume.size, seen.size - volume.start)
        if size > 4096:
            vda.forget_partitions()
            run("addpart", vda.node, number, volume.start // 512, size // 512)
            assert blkid(vda.partition(number)) == {}, volume


@pytest.mark.parametrize("kind", ["mbr-of-a-larger-disk", "gpt-of-a-larger-disk"])
def test_partitions_beyond_the_end_of_the_disk_are_reported(disk: MakeDisk, kind: str, tmp_path: Path) -> None:
    found = state(with_table(disk, kind, tmp_path)).describe()
    assert "(its last" in found and "(lies beyond the end of the disk)" in found, found


def test_updating_the_kernel_succeeds_if_it_is_already_updated(disk: MakeDisk, tmp_path: Path) -> None:
    """udev, or wipefs(8) itself, makes the kernel read the table again."""
    vda = with_table(disk, "plain-gpt", tmp_path)
    vda.forget_partitions()
    converged(on(vda, *HOME), vda.node)


# What no program knows.


def _btrfs_without_its_first_superblock(disk: LoopDisk) -> None:
    run("mkfs.btrfs", "-q", disk.node)
    disk.put(64 * 1024, bytes(4096))


def _random_between_the_ends(disk: LoopDisk) -> None:
    for at in range(4, 500, 2):
        disk.put(at << 20, random.Random(at).randbytes(1 << 20))


def _one_byte_in_the_first_mib(disk: LoopDisk) -> None:
    disk.put(1_000_000, b"x")


def _an_empty_table_over_data(disk: LoopDisk) -> None:
    _random_between_the_ends(disk)
    disk.sfdisk("label: gpt\n")


def _image_at(mib: int, *mkfs: str) -> Callable[[LoopDisk], None]:
    """A fresh filesystem that was written to an offset, as a partition without its table."""

    def make(disk: LoopDisk) -> None:
        image = disk.image.with_suffix(".fs")
        run("truncate", "--size", "400M", image)
        run(*mkfs, image)
        run("dd", f"if={image}", f"of={disk.node}", "bs=1M", f"seek={mib}", "conv=sparse,fsync", "status=none")

    return make


UNKNOWN = {
    "ext4-at-3-mib": _image_at(3, "mkfs.ext4", "-q", "-F"),
    "btrfs-at-5-mib": _image_at(5, "mkfs.btrfs", "-q"),
    "xfs-at-16-mib": _image_at(16, "mkfs.xfs", "-q", "-f"),
    "swap-at-63-mib": _image_at(63, "mkswap", "-q"),
    "btrfs-without-its-first-superblock": _btrfs_without_its_first_superblock,
    "random-between-the-ends": _random_between_the_ends,
    "one-byte-in-the-first-mib": _one_byte_in_the_first_mib,
    "an-empty-table-over-data": _an_empty_table_over_data,
}


@pytest.mark.parametrize(("kind", "wipe"), pairs(UNKNOWN, WIPES))
def test_unknown_data_is_erased_only_with_consent(disk: MakeDisk, kind: str, wipe: bool) -> None:
    vda = disk()
    UNKNOWN[kind](vda)
    play = on(vda, *HOME, wipe=wipe)
    before = vda.digest()
    assert f"--destroy {vda.node}" in refusal(play)
    assert vda.digest() == before
    converged(play, vda.node)
    judge(vda, HOME)


@pytest.mark.parametrize(
    ("size", "sector"),
    [
        *product(["48MiB", "2MiB", "2101248", "3MiB", "96KiB"], [512, 4096]),
        *product(["2097664", "4608"], [512]),  # no whole number of larger sectors
    ],
)
def test_an_erased_disk_counts_as_blank(disk: MakeDisk, size: str, sector: int) -> None:
    vda = disk(size, sector=sector)
    length = vda.image.stat().st_size
    vda.put(0, random.Random(1).randbytes(length))
    play = [("wipefs", {"device": vda.node})]
    assert f"--destroy {vda.node}" in refusal(play)
    converged(play, vda.node)
