"""Partition tables that are damaged, or that this disk cannot read: our own are repaired, others need consent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from disks.laying_out import SMALL, judge, on
from disks.plays import applied, converged, outcomes, refusal
from loop_disks import MakeDisk, Mounter, disk, mounted, run, said

pytestmark = pytest.mark.root

__all__ = ["disk", "mounted"]  # fixtures

DAMAGES: Mapping[str, tuple[int, bytes]] = {
    "primary-header": (512, b"\xff" * 64),
    "primary-entries": (1024, b"\xff" * 64),
    "primary-gone": (512, bytes(33 * 512)),
    "backup-header": (-512, b"\xff" * 64),
    "backup-entries": (-33 * 512, b"\xff" * 64),
    "backup-gone": (-33 * 512, bytes(33 * 512)),
    "protective-mbr": (446, bytes(66)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_table_is_repaired_and_nothing_else_is_changed_case_24(disk: MakeDisk, damage: str) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    before = vda.digest()
    vda.put(*DAMAGES[damage])
    assert vda.digest() != before
    assert outcomes(applied(on(vda, *SMALL)))[:2] == ["ok", "changed"]
    assert set(outcomes(applied(on(vda, *SMALL)))) == {"ok"}
    assert vda.digest() == before
    judge(vda, SMALL)


def test_a_table_is_repaired_while_a_partition_is_mounted_case_53(disk: MakeDisk, mounted: Mounter) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    at = mounted(vda.partition(3))
    vda.put(*DAMAGES["protective-mbr"])
    converged(on(vda, *SMALL))
    assert at.is_mount()


@pytest.mark.parametrize("damage", [*DAMAGES, "both"])
def test_a_foreign_damaged_table_is_erased_only_with_consent_case_25(disk: MakeDisk, damage: str) -> None:
    vda = disk()
    converged(on(vda, *SMALL), seed="another")
    for each in ("primary-header", "backup-header") if damage == "both" else (damage,):
        vda.put(*DAMAGES[each])
    before = vda.digest()
    assert f"--destroy {vda.node}" in refusal(on(vda, *SMALL))
    assert vda.digest() == before
    converged(on(vda, *SMALL), vda.node)
    judge(vda, SMALL)


@pytest.mark.parametrize("damages", [("primary-header", "backup-header"), ("primary-header", "backup-gone")])
def test_a_disk_with_only_a_damaged_header_is_not_blank_case_25(disk: MakeDisk, damages: tuple[str, str]) -> None:
    """Nobody else finds a thing on it: and its partitions are there, every one."""
    vda = disk()
    converged(on(vda, *SMALL))
    vda.put(0, bytes(512))
    for damage in damages:
        at, data = DAMAGES[damage]
        vda.put(at + 16, data[16:])
    assert json.loads(said("wipefs", "--json", "--no-act", vda.node) or '{"signatures": []}')["signatures"] == []
    before = vda.digest()
    for wipe in (True, False):
        assert "a GPT that cannot be read" in refusal(on(vda, *SMALL, wipe=wipe))
    assert vda.digest() == before
    converged(on(vda, *SMALL), vda.node)
    judge(vda, SMALL)


def test_a_table_for_another_sector_size_is_not_blank_case_40(disk: MakeDisk, tmp_path: Path) -> None:
    layout = SMALL[1:]  # a FAT of such sectors would want more room
    vda = disk()
    converged(on(vda, *layout))
    vda.put(0, bytes(512))
    vda.forget_partitions()
    again = disk(sector=4096)
    run("dd", f"if={vda.node}", f"of={again.node}", "bs=1M", "conv=fsync")
    assert "a GPT that cannot be read" in refusal(on(again, *layout))
    converged(on(again, *layout), again.node)
    judge(again, layout)
