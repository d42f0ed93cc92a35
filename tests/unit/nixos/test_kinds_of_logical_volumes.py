"""What the installed system needs for thin and RAID volumes of LVM."""

from __future__ import annotations

from subfloor.core.contributions import FileSystem, LogicalVolume
from subfloor.nixos import filesystems
from subfloor.nixos.layout import under

ROOT = FileSystem("/mnt", "/dev/mapper/pool-root", "ext4")


def text(kind: str) -> str:
    volume = LogicalVolume("pool", "root", ("/dev/vda2",), kind)
    return filesystems.module(under("/mnt", (ROOT, volume)), "binds", {}, {})


def test_stage_1_has_the_kernels_modules_of_raid_types() -> None:
    found = text("raid5")
    assert '"dm-raid"' in found and '"raid456"' in found and "thin" not in found
    assert '"raid1"' in text("raid1")


def test_thin_volumes_have_the_programs_that_check_their_pool() -> None:
    assert "thin" in text("thin") and "kernelModules" not in text("thin")


def test_linear_volumes_need_neither() -> None:
    found = text("linear")
    assert "thin" not in found and "kernelModules" not in found
