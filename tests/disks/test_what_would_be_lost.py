"""What the consent text tells: every filesystem that would be lost, how full it is, and what no table leads to."""

from __future__ import annotations

from pathlib import Path

import pytest

from disks.laying_out import EVERY, SMALL, on
from disks.plays import converged, refusal
from loop_disks import LoopDisk, MakeDisk, Mounter, disk, mounted, released, run

pytestmark = pytest.mark.root

__all__ = ["disk", "mounted"]  # fixtures


def _without_table(vda: LoopDisk, at: int, length: int) -> None:
    vda.put(at, bytes(length))
    vda.forget_partitions()
    vda.resize("2GiB")


@pytest.mark.parametrize("lost", ["all of the first copy", "its header and the protective MBR"])
def test_filesystems_without_a_table_entry_are_named(disk: MakeDisk, lost: str) -> None:
    """Their sizes are no usual ones: each is found behind the one before it."""
    vda = disk("1536MiB")
    converged(on(vda, *EVERY), seed="another")
    _without_table(vda, 0, 34 * 512 if lost.startswith("all") else 1024)
    words = refusal(on(vda, *SMALL))
    assert "outside of any partition: vfat labelled 'BOOT' at 1MiB (0% full), swap labelled 'swap' at" in words
    for each in ("ext4 labelled 'nixos'", "xfs labelled 'lake'", "btrfs labelled 'butter'", "f2fs labelled 'flash'"):
        assert each in words


def test_deleted_partitions_beside_existing_ones_are_named(disk: MakeDisk) -> None:
    vda = disk()
    converged(on(vda, *SMALL), seed="another")
    run("sfdisk", "--quiet", "--delete", vda.node, 3)
    words = refusal(on(vda, *SMALL))
    assert "'ESP' vfat labelled 'BOOT' (0% full)" in words
    assert "outside of any partition: ext4 labelled 'nixos' at 129MiB" in words


def test_the_use_and_the_last_mount_of_a_filesystem_are_shown(disk: MakeDisk, mounted: Mounter) -> None:
    vda = disk()
    converged(on(vda, *SMALL), seed="another")
    place = mounted(vda.partition(3))
    (place / "file").write_bytes(b"x" * (200 << 20))
    run("umount", place)
    released(vda.partition(3))
    for play in (on(vda, *SMALL), [("mkfs", {"device": vda.partition(3), "type": "xfs"})]):
        words = refusal(play)
        assert "ext4 labelled 'nixos' (6" in words or "ext4 labelled 'nixos' (7" in words, words
        assert "% full, last mounted 20" in words
        assert "0.5 GiB" in words, "the disk that it lies on"


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_the_use_of_a_filesystem_on_the_whole_disk_is_shown(disk: MakeDisk, kind: str) -> None:
    vda = disk()
    run(f"mkfs.{kind}", "-q", "-L", "photos", vda.node)
    words = refusal(on(vda, *SMALL))
    assert f"{kind} labelled 'photos' (" in words and "% full" in words
    assert "outside" not in words


def test_a_volume_group_and_a_btrfs_over_two_disks_are_named_with_the_other_disk(disk: MakeDisk) -> None:
    """Wiping one of the disks loses data of both; nothing that names them is active."""
    vda, vdb = disk(), disk()
    run("vgcreate", "-qq", "--autobackup", "n", "photos", vda.node, vdb.node)
    words = refusal(on(vda, *SMALL))
    assert f"LVM2_member (volume group 'photos'; its other devices may lose data too: {vdb.node} (" in words
    run("wipefs", "--all", "--quiet", vda.node, vdb.node)
    run("mkfs.btrfs", "-q", "-f", "-L", "photos", vda.node, vdb.node)
    words = refusal(on(vda, *SMALL))
    assert f"full; on 2 devices; its other devices may lose data too: {vdb.node} (" in words


def test_the_content_of_a_locked_container_is_reported_as_unknown(disk: MakeDisk, tmp_path: Path) -> None:
    vda = disk()
    (key := tmp_path / "key").write_bytes(b"key")
    run("cryptsetup", "luksFormat", "-q", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", 1000, vda.node, key)
    assert ", what is in it cannot be seen) on the whole disk" in refusal(on(vda, *SMALL))
