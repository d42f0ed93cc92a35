"""A power cut between two writes of LVM: the header of the metadata is there, and what it refers to is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from disks.plays import converged, refusal
from disks.test_volume_groups import name, on
from loop_disks import LoopDisk, MakeDisk, disk, run, said

pytestmark = pytest.mark.root

__all__ = ["disk", "name"]  # fixtures

HEADER, MIB = 4096, 1 << 20


def _read(node: str) -> bytes:
    """The labels and the metadata of a physical volume."""
    run("blockdev", "--flushbufs", node)
    with Path(node).open("rb") as file:
        return file.read(MIB)


def _torn(vda: LoopDisk, before: bytes, *, label: bool) -> None:
    """Only the header of the last change was kept; ``label``: and the label, which says that it is in a group."""
    after = _read(vda.partition(1))
    start = before[:HEADER] if not label else after[:HEADER]
    vda.put(MIB, start + after[HEADER : HEADER + 512] + before[HEADER + 512 :])
    run("blockdev", "--flushbufs", vda.partition(1))


def test_a_group_that_was_never_finished_is_made_again(disk: MakeDisk, name: str) -> None:
    vda = disk()
    play = on(vda, name)
    converged(play)
    run("vgremove", "-qq", "--force", "--yes", name)
    before = _read(vda.partition(1))
    converged(play)
    _torn(vda, before, label=False)
    assert name not in said("vgs", "--noheadings", "-o", "vg_name")
    converged(play)


def test_a_group_that_was_finished_is_refused_unchanged_and_restored_as_the_message_says(
    disk: MakeDisk, name: str, tmp_path: Path
) -> None:
    vda = disk()
    play = on(vda, name)
    converged(play)
    before = _read(vda.partition(1))
    run("vgchange", "-qq", "--addtag", "theirs", name)
    _torn(vda, before, label=True)
    torn = vda.digest()
    assert "is in a volume group whose metadata LVM cannot read" in refusal(play)
    assert vda.digest() == torn
    search, file = ("pvck", "--dump", "metadata_search"), str(tmp_path / "group")
    found = [line.split() for line in said(*search, vda.partition(1)).splitlines() if "seqno" in line]
    run(*search, "--settings", f"metadata_offset={found[-1][2]}", "--file", file, vda.partition(1))
    run("pvck", "--repair", "--yes", "--file", file, vda.partition(1))
    converged(play)
