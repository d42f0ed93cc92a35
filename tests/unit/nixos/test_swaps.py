"""Swap files in the configuration, evaluated by Nix: the areas, and what the installed system resumes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from subfloor.core.contributions import FileSystem, SwapDevice, SwapFile
from subfloor.nixos import filesystems
from subfloor.nixos.layout import Layout, under
from unit.nixos.test_nix import evaluate

SWAP = FileSystem("/mnt/swap", "/dev/mapper/root", "btrfs", ("subvol=@swap", "noatime"))
ROOT = FileSystem("/mnt", "/dev/mapper/root", "btrfs", ("subvol=@root",))


def evaluated(layout: Layout, home: Path) -> Any:
    return evaluate(f"({filesystems.module(layout, 'binds', {}, {})}) {{ }}", home)


def test_a_swap_file(tmp_path: Path) -> None:
    found = evaluated(under("/mnt", (ROOT, SWAP, SwapFile("/mnt/swap/swapfile", 5), SwapFile("/mnt/more"))), tmp_path)
    assert found["swapDevices"] == [{"device": "/swap/swapfile", "priority": 5}, {"device": "/more"}]
    assert "boot" not in found


def test_a_swap_file_for_hibernation(tmp_path: Path) -> None:
    layout = under("/mnt", (ROOT, SWAP, SwapDevice("/dev/vda2"), SwapFile("/mnt/swap/swapfile", None, True)))
    found = evaluated(Layout(**{**layout.__dict__, "resume_offset": 4711}), tmp_path)
    assert found["swapDevices"] == [{"device": "/dev/vda2"}, {"device": "/swap/swapfile"}]
    assert found["boot"] == {"resumeDevice": "/dev/mapper/root", "kernelParams": ["resume_offset=4711"]}


def test_a_swap_area_outside_of_the_root_is_left_out(tmp_path: Path) -> None:
    assert evaluated(under("/mnt", (ROOT, SwapFile("/elsewhere/swapfile", None, True))), tmp_path)["swapDevices"] == []


@pytest.mark.parametrize(
    ("contributions", "words"),
    [
        ((SwapFile("/mnt/a", None, True), SwapFile("/mnt/b", None, True), ROOT), "more than one swap file"),
        ((SwapFile("/mnt/a", None, True),), "no task of the play mounts its filesystem"),
    ],
)
def test_areas_that_no_system_could_resume_from(contributions: tuple[FileSystem | SwapFile, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        filesystems.module(under("/mnt", contributions), "binds", {}, {})
