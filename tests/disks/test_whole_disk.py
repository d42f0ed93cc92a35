"""Filesystems on whole disks: made, kept, relabelled, and refused, as on a partition."""

from __future__ import annotations

from pathlib import Path

import pytest
from subfloor_plugins.mkfs import Mkfs

from disk_oracle import FSCK, mounted, put_files
from disks.laying_out import blkid
from disks.plays import Play, applied, converged, entries, outcomes, refusal
from loop_disks import LoopDisk, MakeDisk, disk, run
from subfloor.storage.end_mark import EndMark

pytestmark = pytest.mark.root

__all__ = ["disk"]  # fixtures

KINDS = ("ext4", "xfs", "btrfs", "f2fs", "swap")
LETTER = {"letter": b"the only copy\n"}
MIB = 1 << 20


def on(vdb: LoopDisk, kind: str, label: str = "data", **more: object) -> Play:
    return [("mkfs", {"device": vdb.node, "type": kind, "label": label, **more})]


def marked(vdb: LoopDisk) -> bytes:
    """What is in the sector of the mark."""
    with Path(vdb.node).open("rb") as file:
        file.seek(-MIB, 2)
        return file.read(512).strip(b"\0")


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize("kind", KINDS)
def test_every_filesystem_on_a_whole_disk(disk: MakeDisk, kind: str, sector: int) -> None:
    vdb = disk(sector=sector)
    converged(on(vdb, kind))
    assert (blkid(vdb.node)["TYPE"], blkid(vdb.node)["LABEL"], marked(vdb)) == (kind, "data", b"")
    if kind in FSCK:
        run(*FSCK[kind], vdb.node)


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_changes_in_place(disk: MakeDisk, kind: str) -> None:
    vdb = disk()
    converged(on(vdb, kind))
    if kind in ("ext4", "xfs", "btrfs"):
        put_files(vdb.node, kind, LETTER)
    assert outcomes(applied(on(vdb, kind, "other"))) == ["changed"]
    assert (blkid(vdb.node)["LABEL"], marked(vdb)) == ("other", b"")
    if kind in ("ext4", "xfs", "btrfs"):
        with mounted(vdb.node, kind) as at:
            assert (at / "letter").read_bytes() == LETTER["letter"]


def test_a_filesystem_that_reaches_the_end_of_the_disk_is_not_marked(disk: MakeDisk) -> None:
    """Its owner made it larger: the place of the mark may be in use."""
    vdb = disk()
    converged(on(vdb, "ext4"))
    run("e2fsck", "-f", "-p", vdb.node)
    run("resize2fs", vdb.node)
    before = vdb.digest()
    assert "fills the disk to its end" in refusal(on(vdb, "ext4", "other"))
    assert vdb.digest() == before
    assert outcomes(applied(on(vdb, "ext4"))) == ["ok"]


@pytest.mark.parametrize("content", ["ext4", "gpt", "noise", "end"])
def test_content_on_the_disk_needs_consent(disk: MakeDisk, content: str) -> None:
    vdb = disk()
    if content == "ext4":
        run("mkfs.ext4", "-q", "-F", "-L", "photos", vdb.node)
    elif content == "gpt":
        vdb.sfdisk("label: gpt\n1: start=1MiB,size=40MiB,name=theirs,type=L\n")
        run("mkfs.ext4", "-q", "-F", "-L", "photos", vdb.partition(1))
    else:
        vdb.put(0 if content == "noise" else -MIB, b"someone's data" * 40)
    before = vdb.digest()
    (error,) = [report.error for report in applied(on(vdb, "ext4"))]
    assert error is not None and ("photos" in str(error) or content in ("noise", "end")), error
    assert vdb.digest() == before
    converged(on(vdb, "ext4"), vdb.node)


def test_a_finished_filesystem_of_ours_needs_consent_for_another_type(disk: MakeDisk) -> None:
    vdb = disk()
    converged(on(vdb, "ext4"))
    before = vdb.digest()
    assert applied(on(vdb, "xfs"))[0].error is not None
    assert vdb.digest() == before
    converged(on(vdb, "xfs"), vdb.node)


def test_nothing_is_made_on_a_disk_in_use(disk: MakeDisk) -> None:
    vdb = disk()
    run("mkfs.ext4", "-q", "-F", vdb.node)
    with mounted(vdb.node, "ext4"):
        before = vdb.digest()
        assert "is in use: mounted at" in refusal(on(vdb, "ext4"), vdb.node)
        assert vdb.digest() == before


@pytest.mark.parametrize("whose", ["ours", "another's"])
def test_our_own_unfinished_content_is_made_again_without_consent(disk: MakeDisk, whose: str) -> None:
    """The tool was killed after it wrote something without a known signature."""
    vdb, seed = disk(), "seed" if whose == "ours" else "other"
    (entry,) = entries(on(vdb, "ext4"), seed)
    assert isinstance(entry.task, Mkfs)
    converged(on(vdb, "ext4"))
    vdb.put(-MIB, EndMark(entry.task.identity.disk("disk"), ".unfinished").bytes)
    mount: Play = [("mount", {"source": vdb.node, "path": "/mnt", "type": "ext4"})]
    assert "is unfinished: it has the mark '.unfinished'" in refusal(mount)
    mount[0][1]["source"] = f"UUID={blkid(vdb.node)['UUID']}"
    assert "is unfinished: it has the mark '.unfinished'" in refusal(mount)
    vdb.put(0, bytes(MIB))
    before = vdb.digest()
    if whose == "ours":
        converged(on(vdb, "ext4"))
    else:
        error = applied(on(vdb, "ext4"))[0].error
        assert "content on the whole disk that subfloor did not finish" in str(error)
        assert vdb.digest() == before


def test_a_filesystem_of_the_owner_s_needs_consent_even_with_our_stale_mark(disk: MakeDisk) -> None:
    """A run was interrupted, and the owner used the disk for something else: ext4 without discard keeps the mark."""
    vdb = disk()
    (entry,) = entries(on(vdb, "xfs"), "seed")
    assert isinstance(entry.task, Mkfs)
    mark = EndMark(entry.task.identity.disk("disk"), ".unfinished").bytes
    vdb.put(-MIB, mark)
    run("mkfs.ext4", "-q", "-F", "-E", "nodiscard", vdb.node)
    assert marked(vdb) == mark
    before = vdb.digest()
    assert "not made by this play" in refusal(on(vdb, "xfs"))
    assert vdb.digest() == before


def test_wipefs_leaves_a_disk_that_the_play_fills(disk: MakeDisk) -> None:
    vdb = disk()
    run("mkfs.ext4", "-q", "-F", vdb.node)
    converged([("wipefs", {"device": vdb.node}), *on(vdb, "btrfs")], vdb.node)
    assert "btrfs labelled 'data'" in str(applied([("wipefs", {"device": vdb.node})])[0].error)


def test_a_disk_has_one_name_and_one_layout(disk: MakeDisk) -> None:
    vdb, vdc = disk(), disk()
    assert "they would get the same identity" in refusal([*on(vdb, "ext4"), *on(vdc, "ext4")])
    assert "makes a partition table" in refusal([("gpt-label", {"device": vdb.node}), *on(vdb, "ext4")])
    converged([*on(vdb, "ext4", disk="one"), *on(vdc, "ext4", disk="two")])
    swapped = [*on(vdb, "ext4", disk="two"), *on(vdc, "ext4", disk="one")]
    assert "the device names have changed" in refusal(swapped, vdb.node, vdc.node)
    assert "vfat is not supported on a whole disk" in refusal(on(disk(), "vfat"))
