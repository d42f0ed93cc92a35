"""Logical volumes of RAID types, thin ones, and sizes in percent in any order; judged by LVM and fsck."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

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

PLAY = str(DATA / "playbooks" / "layers" / "lvm-raid.yml")
DISKS = ("/dev/vdd", "/dev/vde", "/dev/vdf")
CLOSED = "umount /mnt/home /mnt; swapoff -a; vgchange -qq --activate n po-ol; udevadm settle"
LISTED = "lvs --reportformat json --units m --nosuffix -o lv_name,lv_size,lv_tags,lv_layout,lv_health_status po-ol"


@pytest.fixture
def disks(blank: Blank, sh: Sh) -> Iterator[None]:
    """Three blank disks; no other test finds the group."""
    for each in DISKS:
        blank(each)
    yield
    sh("umount /mnt/home || :; umount /mnt || :; swapoff -a; vgchange -qq --activate n po-ol || :; udevadm settle")
    for each in DISKS:
        sh(f"blkdiscard -f {each}")


@pytest.mark.campaign
@pytest.mark.usefixtures("disks")
def test_volumes_of_all_kinds_are_made_activated_again_and_checked(subfloor: Subfloor, sh: Sh) -> None:
    planned, made, again, after = subfloor(["check", PLAY], ["apply", PLAY], ["apply", PLAY], ["check", PLAY])
    assert planned.status == 2 and "Make the thin pool po-ol/pool" in planned.said, planned
    assert (made.status, again.status, after.status) == (0, 0, 0), (made, again, after)
    assert "in sync" in again.said, again
    listed = {each["lv_name"]: each for each in json.loads(sh(LISTED))["report"][0]["lv"]}
    kinds = {name: each["lv_layout"] for name, each in listed.items()}
    assert kinds["root"].startswith("raid,raid5") and kinds["swap"] == "raid,raid1", kinds
    assert (kinds["pool"], kinds["home"], kinds["fast"]) == ("thin,pool", "thin,sparse", "striped"), kinds
    assert all(each["lv_tags"].startswith("subfloor.") and each["lv_tags"][-1] != "d" for each in listed.values())
    assert sh("vgs --noheadings -o vg_free_count po-ol").strip() in ("0", "1", "2"), "rest is what is left"
    assert sh("blkid -p -s TYPE -o value /dev/mapper/po--ol-home").strip() == "ext4"
    sh("echo dear > /mnt/letter; echo far > /mnt/home/letter; sync")

    sh(CLOSED)
    before = [zoo.written(sh, disk) for disk in DISKS]
    (closed,) = subfloor(["check", PLAY])
    assert [zoo.written(sh, disk) for disk in DISKS] == before, "a check has written"
    assert closed.status == 2 and "Activate the logical volume po-ol/home" in closed.said, closed
    opened, after = subfloor(["apply", PLAY], ["check", PLAY])
    assert opened.status == 0 and "Make" not in opened.said and after.status == 0, (opened, after)
    assert sh("cat /mnt/letter /mnt/home/letter").split() == ["dear", "far"]
    sh("umount /mnt/home /mnt; e2fsck -fn /dev/po-ol/root; e2fsck -fn /dev/po-ol/home")


STATE = """
for n in vdd vde vdf; do sfdisk --dump /dev/$n; done
for n in root home swap fast; do blkid -p -o export /dev/mapper/po--ol-$n; done
lvs -a --noheadings -o lv_name,lv_size,lv_tags,lv_layout po-ol; vgs --noheadings -o vg_tags,vg_free,pv_count po-ol
findmnt -rno TARGET,SOURCE,FSTYPE /mnt; findmnt -rno TARGET,SOURCE,FSTYPE /mnt/home; tail -n +2 /proc/swaps | wc -l
"""


@pytest.mark.campaign
@pytest.mark.usefixtures("disks")
def test_a_rerun_after_a_kill_at_any_moment_finishes_volumes_of_all_kinds(forkserver: Forkserver, count: Count) -> None:
    starts = [f"set -- {disk}; {BLANK}" for disk in DISKS]
    rerun_after_every_kill(forkserver, [PLAY], starts, STATE, count, "logical volumes of all kinds", inside=1)
