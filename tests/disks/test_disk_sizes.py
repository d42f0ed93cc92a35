"""Disks that have grown or shrunk, that are too small by a sector, or larger than an MBR can tell."""

from __future__ import annotations

import pytest

from disks.laying_out import SMALL, judge, on, untouched
from disks.plays import applied, converged, outcomes, refusal
from loop_disks import MakeDisk, Mounter, disk, mounted

pytestmark = pytest.mark.root

__all__ = ["disk", "mounted"]  # fixtures


GROWING = (*SMALL[:2], ("nix", "linux", "rest", "btrfs nixos"))


def test_a_grown_disk_gets_its_backup_at_the_end_and_the_rest_grows_case_43(disk: MakeDisk) -> None:
    vda = disk()
    converged(on(vda, *GROWING))
    vda.resize("768MiB")
    assert outcomes(applied(on(vda, *GROWING))) == ["ok", "changed", "ok", "ok", "changed", "ok", "ok", "changed"]
    assert set(outcomes(applied(on(vda, *GROWING)))) == {"ok"}
    judge(vda, GROWING)


def test_a_mounted_partition_grows_too(disk: MakeDisk, mounted: Mounter) -> None:
    vda = disk()
    converged(on(vda, *GROWING))
    at = mounted(vda.partition(3))
    vda.resize("768MiB")
    converged(on(vda, *GROWING))
    assert at.is_mount()


def test_a_shrunk_disk_is_refused_case_44(disk: MakeDisk) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    vda.forget_partitions()
    vda.resize("256MiB")
    before = vda.digest()
    assert "the disk has shrunk" in refusal(on(vda, *SMALL, wipe=False))
    assert vda.digest() == before


def test_a_large_sparse_disk_is_laid_out_case_46(disk: MakeDisk) -> None:
    vda = disk("3TiB")
    converged(on(vda, ("one", "linux", "2500GiB", "xfs one"), ("two", "linux", "64MiB", "ext4 two")))
    judge(vda, [("one", "", "", "xfs one"), ("two", "", "", "ext4 two")])


def test_a_disk_that_is_one_sector_too_small_is_refused_case_42(disk: MakeDisk) -> None:
    needed = 1024 + 100 * 1024 + 16.5  # KiB: the first grain, the partition, the backup of the table
    layout = ("nix", "linux", "100MiB", "ext4 nixos")
    exact = disk(f"{int(needed * 1024)}B".removesuffix("B"))
    short = disk(f"{int(needed * 1024) - 512}")
    converged(on(exact, layout))
    untouched(short, on(short, layout), "1MiB less than needed", seed="short")
