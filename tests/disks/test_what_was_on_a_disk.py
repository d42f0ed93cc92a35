"""What was on a disk before: what is foreign goes with consent only, and what goes never reappears."""

from __future__ import annotations

import json

import pytest

from crash.sample import pairs
from disks.laying_out import EVERY, SMALL, blkid, judge, on
from disks.plays import converged, interrupted, refusal
from foreign_disks import FOREIGN, table_inside_a_partition
from loop_disks import LoopDisk, MakeDisk, Mounter, disk, mounted, run, said

pytestmark = pytest.mark.root

__all__ = ["disk", "mounted"]  # fixtures


@pytest.mark.parametrize(("kind", "wipe"), pairs(FOREIGN, (True, False)))
def test_a_foreign_disk_is_erased_only_with_consent(disk: MakeDisk, kind: str, wipe: bool) -> None:
    vda = disk()
    FOREIGN[kind](vda)
    play = on(vda, *SMALL, wipe=wipe)
    before = vda.digest()
    assert f"--destroy {vda.node}" in refusal(play)
    assert refusal(play, "/dev/vdz")
    assert vda.digest() == before
    converged(play, vda.node)
    judge(vda, SMALL)
    types = {each["type"] for each in json.loads(said("wipefs", "--json", "--no-act", vda.node))["signatures"]}
    assert types == {"gpt", "PMBR"}


LEFT_BEHIND = {
    65: ("mkfs.ext4", "-q", "-F"),
    129: ("mkswap", "-q"),
    193: ("cryptsetup", "-q", "luksFormat", "--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000", "--key-file=-"),
    321: ("mkfs.btrfs", "-q", "-f"),
}
"""Where in MiB, and what makes it: at starts of the partitions that are to be, and at usual distances from them."""


def made_at(disk: LoopDisk, place: int, *make: str) -> None:
    """Make something at a place of the disk, in MiB, that no partition leads to."""
    where = "--offset", f"{place}MiB", "--sizelimit", "128MiB"
    node = said("losetup", "--find", "--show", *where, disk.image)
    run(*make, node, stdin=b"secret")
    run("losetup", "--detach", node)
    run("blockdev", "--flushbufs", disk.node)


@pytest.mark.parametrize("wipe", [True, False], ids=["wipefs", "gpt-label"])
@pytest.mark.parametrize("done", range(1, 5))
def test_no_second_consent_is_needed_for_erased_data(disk: MakeDisk, done: int, wipe: bool) -> None:
    """Filesystems of partitions that an earlier system had, and that no table led to any more."""
    vda = disk("512MiB")
    run("sfdisk", "--quiet", vda.node, stdin=b"label: gpt\n,1MiB\n")
    for place, make in LEFT_BEHIND.items():
        made_at(vda, place, *make)
    play = on(vda, *SMALL, wipe=wipe)
    assert f"--destroy {vda.node}" in refusal(play)
    interrupted(play, done, vda.node)
    converged(play)
    judge(vda, SMALL)


@pytest.mark.parametrize("seed", ["seed", "another"])
def test_a_stale_filesystem_of_an_earlier_layout_never_reappears_case_29(
    disk: MakeDisk, mounted: Mounter, seed: str
) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    at = mounted(vda.partition(3))
    (at / "letter").write_text("dear")
    run("umount", at)
    run("wipefs", "--all", vda.node)
    vda.forget_partitions()
    converged(on(vda, *SMALL), vda.node, seed=seed)
    run("mount", vda.partition(3), at)
    assert [each.name for each in at.iterdir()] == ["lost+found"]


def test_a_new_raw_partition_shows_no_old_content(disk: MakeDisk) -> None:
    vda = disk("2GiB")
    converged(on(vda, *EVERY))
    run("wipefs", "--all", vda.node)
    vda.forget_partitions()
    bare = [task for task in on(vda, *EVERY) if task[0] != "mkfs"]
    converged(bare, vda.node)
    assert [blkid(vda.partition(number)).get("TYPE") for number in range(1, 7)] == [None] * 6


def test_a_table_inside_the_extent_of_a_new_partition_is_erased(disk: MakeDisk) -> None:
    """The disk looks all but blank: the outer table is gone, and a virtual machine's is left at 1 MiB."""
    vda = disk()
    table_inside_a_partition(vda)
    run("wipefs", "--all", vda.node)
    vda.forget_partitions()
    converged(on(vda, *SMALL), vda.node)
    judge(vda, SMALL)


def test_a_table_inside_a_partition_that_becomes_raw_is_erased(disk: MakeDisk) -> None:
    """A virtual machine's disk in an unfinished partition: another content than any of ours, and lost with consent."""
    vda = disk()
    bare = on(vda, ("data", "linux", "200MiB", "ext4"))[:-1]
    converged(bare)
    table = b"label: gpt\n1: start=2048,size=20M\n"
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", vda.partition(1), stdin=table)
    bare[-1][1]["raw"] = True
    converged(bare, vda.node)
    assert not said("wipefs", "--no-act", vda.partition(1))


def test_a_stale_array_at_the_end_of_a_new_partition_is_erased_case_30(disk: MakeDisk) -> None:
    vda, member = disk(), disk("64MiB")
    FOREIGN["md-case-27"](member)
    run("dd", f"if={member.node}", f"of={vda.node}", "bs=1M", "seek=65", "conv=fsync")
    converged(on(vda, *SMALL))
    judge(vda, SMALL)
    assert "linux_raid_member" not in said("wipefs", "--no-act", vda.partition(2))
