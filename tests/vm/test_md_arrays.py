"""md arrays over partitions, with udev and the kernel's own md around them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from counting import Count
from crash.forked import Ran
from places import DATA
from vm import zoo
from vm.conftest import BLANK, Forkserver
from vm.kills import rerun_after_every_kill

Sh = Callable[..., str]
Blank = Callable[[str], str]
Subfloor = Callable[..., list[Ran]]

MIRROR = str(DATA / "playbooks" / "layers" / "mirror.yml")
A, B = "/dev/vdd", "/dev/vdf"

STOPPED = """
umount /mnt; udevadm settle; mdadm --quiet --wait /dev/md/data || :
mdadm --quiet --stop /dev/md/data; udevadm settle; test ! -e /dev/md/data
"""
"""What a reboot leaves where nothing assembles arrays."""

SOUND = """
mdadm --quiet --wait /dev/md/data || :
mdadm --detail /dev/md/data | grep -E '^ *State : (clean|active) *$'
grep -F '[UU]' /proc/mdstat
umount /mnt; e2fsck -fn /dev/md/data; mount /dev/md/data /mnt
"""


@pytest.fixture
def disks(blank: Blank) -> tuple[str, str]:
    """Two blank disks."""
    return blank(A), blank(B)


def test_a_mirror_is_made_assembled_again_and_mended(subfloor: Subfloor, disks: tuple[str, str], sh: Sh) -> None:
    planned, made, again, after = subfloor(["check", MIRROR], ["apply", MIRROR], ["apply", MIRROR], ["check", MIRROR])
    assert planned.status == 2 and "Make /dev/md/data, RAID 1" in planned.said, planned
    assert made.status == 0 and again.status == 0 and "in sync" in again.said and after.status == 0, (
        made,
        again,
        after,
    )
    assert sh("findmnt -no FSTYPE,LABEL /mnt").split() == ["ext4", "data"]
    assert "any:data" in sh("mdadm --examine /dev/vdd1") and sh(SOUND)
    sh("echo dear > /mnt/letter")

    sh(STOPPED)
    before = [zoo.written(sh, disk) for disk in disks]
    (closed,) = subfloor(["check", MIRROR])
    assert [zoo.written(sh, disk) for disk in disks] == before, "a check has written"
    assert closed.status == 2 and "Assemble /dev/md/data" in closed.said, closed
    assembled, after = subfloor(["apply", MIRROR], ["check", MIRROR])
    assert assembled.status == 0 and "Make" not in assembled.said and after.status == 0, (assembled, after)
    assert sh("cat /mnt/letter").strip() == "dear"

    sh(f"mdadm --quiet /dev/md/data --fail {B}1; udevadm settle")
    (faulty,) = subfloor(["check", MIRROR])
    assert faulty.status == 3 and "is degraded" in faulty.said and f"--remove {B}1" in faulty.said, faulty
    sh(f"mdadm --quiet /dev/md/data --remove {B}1; udevadm settle; echo more > /mnt/more; sync")
    degraded, mended, after = subfloor(["check", MIRROR], ["apply", MIRROR], ["check", MIRROR])
    assert degraded.status == 2 and "which was degraded" in degraded.said, degraded
    assert mended.status == 0 and after.status == 0, (mended, after)
    assert sh(SOUND) and sh("cat /mnt/letter /mnt/more").split() == ["dear", "more"]
    sh(STOPPED)


@pytest.mark.campaign
def test_a_replaced_disk_is_laid_out_and_added(subfloor: Subfloor, disks: tuple[str, str], sh: Sh) -> None:
    assert subfloor(["apply", MIRROR])[0].status == 0
    sh("echo dear > /mnt/letter; mdadm --quiet --wait /dev/md/data || :")
    sh(f"""
    mdadm --quiet /dev/md/data --fail {B}1; mdadm --quiet /dev/md/data --remove {B}1
    mdadm --zero-superblock {B}1; wipefs -qa {B}1 {B}; blkdiscard -f {B}; partx -d {B} || :; udevadm settle
    mkfs.ext4 -q -L photos {B}; udevadm settle
    """)
    asked, added, after = subfloor(["apply", MIRROR], ["apply", MIRROR, "--destroy", B], ["check", MIRROR])
    assert asked.status == 5 and "photos" in asked.said, asked
    assert added.status == 0 and f"Add {B}1 to /dev/md/data as a new member" in added.said, added
    assert after.status == 0 and sh(SOUND) and sh("cat /mnt/letter").strip() == "dear", after
    sh(STOPPED)


@pytest.mark.campaign
def test_a_member_that_was_used_apart_is_asked_about(subfloor: Subfloor, disks: tuple[str, str], sh: Sh) -> None:
    assert subfloor(["apply", MIRROR])[0].status == 0
    sh(STOPPED)
    sh(f"""
    mdadm --quiet --assemble --run /dev/md/apart {B}1; mount /dev/md/apart /mnt; echo theirs > /mnt/letter
    umount /mnt; mdadm --quiet --stop /dev/md/apart; udevadm settle
    mdadm --quiet --assemble --run /dev/md/data {A}1; udevadm settle
    """)
    asked, added = subfloor(["apply", MIRROR], ["apply", MIRROR, "--destroy", B])
    assert asked.status == 5 and "changed since" in asked.said, asked
    assert added.status == 0 and sh(SOUND), added
    sh(STOPPED)


STATE = f"""
sfdisk --dump {A}; sfdisk --dump {B}
for n in {A}1 {B}1 /dev/md/data; do blkid -p -s TYPE -s LABEL -s UUID -o export $n; done
mdadm --quiet --wait /dev/md/data || :
mdadm --detail /dev/md/data | grep -E 'State :|Array Size|UUID|active sync'
findmnt -rno TARGET,FSTYPE /mnt
e2fsck -fn /dev/md/data >/dev/null 2>&1 || [ $? -eq 4 ]
"""


@pytest.mark.campaign
def test_a_rerun_after_a_kill_at_any_moment_finishes_a_mirror(
    forkserver: Forkserver, disks: tuple[str, str], count: Count
) -> None:
    starts = [f"set -- {disk}; {BLANK}" for disk in disks]
    rerun_after_every_kill(forkserver, [MIRROR], starts, STATE, count, "arrays")
