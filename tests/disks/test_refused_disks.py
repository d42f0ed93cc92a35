"""A disk that can only be the wrong one: read-only, by two names in a play, or by the name of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from disks.laying_out import SMALL, on, untouched
from disks.plays import Play, converged, refusal
from loop_disks import LoopDisk, MakeDisk, disk

pytestmark = pytest.mark.root

__all__ = ["disk"]  # fixtures


def test_a_read_only_disk_is_refused_case_21(disk: MakeDisk) -> None:
    vda = disk(read_only=True)
    untouched(vda, on(vda, *SMALL), "is read-only")


def test_two_names_of_one_disk_are_refused_case_22(disk: MakeDisk, tmp_path: Path) -> None:
    vda = disk()
    link = Path(f"/dev/subfloor-test-{Path(vda.node).name}")
    link.symlink_to(vda.node)
    try:
        play: Play = [("wipefs", {"device": vda.node}), ("gpt-label", {"device": str(link)})]
        untouched(vda, play, f"2 names for one disk, {vda.node}: {vda.node} and {link}")
    finally:
        link.unlink()


def test_swapped_names_of_disks_are_refused_case_20(disk: MakeDisk) -> None:
    def play(system: LoopDisk, data: LoopDisk) -> Play:
        return [
            (key, {"device": each.node, "disk": name})
            for each, name in ((system, "system"), (data, "data"))
            for key in ("wipefs", "gpt-label")
        ]

    one, other = disk(), disk()
    converged(play(one, other))
    assert "is the disk “data” of this play" in refusal(play(other, one), one.node, other.node)
