"""Logical volumes, with udev and the kernel's own device-mapper around them."""

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

LVM = str(DATA / "playbooks" / "layers" / "lvm.yml")
DISK = "/dev/vdd"

CLOSED = "umount /mnt; swapoff -a; vgchange -qq --activate n po-ol; udevadm settle"
"""What a reboot leaves of the stack."""


@pytest.fixture(autouse=True)
def nothing_left(sh: Sh) -> Iterator[None]:
    """No other test finds the group."""
    yield
    sh(f"umount /mnt || :; swapoff -a; vgchange -qq --activate n po-ol || :; udevadm settle; blkdiscard -f {DISK}")


def _volumes(sh: Sh) -> dict[str, tuple[int, str]]:
    """The sizes and tags of the logical volumes, as LVM lists them."""
    listed = json.loads(sh("lvs --reportformat json --units m --nosuffix -o lv_name,lv_size,lv_tags po-ol"))
    found = listed["report"][0]["lv"]
    return {each["lv_name"]: (int(float(each["lv_size"])), each["lv_tags"]) for each in found}


def test_logical_volumes_are_made_filled_activated_again_and_checked(subfloor: Subfloor, blank: Blank, sh: Sh) -> None:
    blank(DISK)
    planned, made, again = subfloor(["check", LVM], ["apply", LVM], ["apply", LVM])
    assert planned.status == 2 and "Make an ext4 filesystem on /dev/mapper/po--ol-data" in planned.said, planned
    assert made.status == 0 and again.status == 0 and "in sync" in again.said, (made, again)
    volumes = _volumes(sh)
    assert {name: size for name, (size, _) in volumes.items()} == {"data": 244, "swap": 64}
    assert all(tags.startswith("subfloor.") and not tags.endswith("ed") for _, tags in volumes.values()), volumes
    assert sh("vgs --noheadings -o pv_count,vg_tags po-ol").split()[0] == "2"
    assert sh("findmnt -no SOURCE,FSTYPE,LABEL /mnt").split() == ["/dev/mapper/po--ol-data", "ext4", "data"]
    assert len(sh("swapon --show --noheadings").splitlines()) == 1
    sh("echo dear > /mnt/letter")

    sh(CLOSED)
    before = zoo.written(sh, DISK)
    (closed,) = subfloor(["check", LVM])
    assert zoo.written(sh, DISK) == before, "a check has written"
    assert closed.status == 2 and "Activate the logical volume po-ol/data" in closed.said, closed
    assert not sh("ls /dev/mapper").count("po--ol"), "a check has activated a volume"
    opened, after = subfloor(["apply", LVM], ["check", LVM])
    assert opened.status == 0 and "Make" not in opened.said, opened
    assert after.status == 0 and sh("cat /mnt/letter").strip() == "dear", after


@pytest.mark.campaign
def test_a_logical_volume_grows_while_it_is_mounted_and_never_shrinks(subfloor: Subfloor, blank: Blank, sh: Sh) -> None:
    blank(DISK)
    made, larger, smaller = subfloor(
        ["apply", LVM], ["apply", LVM, "-e", "data=60%"], ["apply", LVM, "-e", "data=8MiB"]
    )
    assert made.status == 0, made
    assert larger.status == 0 and _volumes(sh)["data"][0] == 292, larger
    assert smaller.status == 3 and "subfloor never does" in smaller.said, smaller


@pytest.mark.campaign
def test_a_foreign_group_keeps_every_byte_without_consent(subfloor: Subfloor, blank: Blank, sh: Sh) -> None:
    blank(DISK)
    sh("""
    printf '%s\n' 'label: gpt' 'size=400MiB' | sfdisk --quiet /dev/vdd; udevadm settle
    pvcreate -qq /dev/vdd1; vgcreate -qq po-ol /dev/vdd1; lvcreate -qq -y -n data -L 100M po-ol
    mkfs.ext4 -q -L photos /dev/po-ol/data; udevadm settle
    """)
    before = zoo.written(sh, DISK)
    (busy,) = subfloor(["apply", LVM, "--destroy", DISK])
    assert busy.status == 3 and "vgchange --activate n po-ol" in busy.said, busy
    sh("vgchange -qq --activate n po-ol; udevadm settle")
    before = zoo.written(sh, DISK)
    (asked,) = subfloor(["apply", LVM])
    assert asked.status == 5 and "volume group 'po-ol'" in asked.said and "photos" in asked.said, asked
    assert zoo.written(sh, DISK) == before
    done, again = subfloor(["apply", LVM, "--destroy", DISK], ["check", LVM])
    assert done.status == 0 and again.status == 0, (done, again)


STATE = f"""
sfdisk --dump {DISK}
for n in {DISK}1 {DISK}2 /dev/mapper/po--ol-data /dev/mapper/po--ol-swap; do blkid -p -o export $n; done
lvs --noheadings -o lv_name,lv_size,lv_tags,lv_active po-ol; vgs --noheadings -o vg_tags,vg_free,pv_count po-ol
findmnt -rno TARGET,SOURCE,FSTYPE /mnt
e2fsck -fn /dev/mapper/po--ol-data >/dev/null 2>&1 || [ $? -eq 4 ]
tail -n +2 /proc/swaps | wc -l
"""


@pytest.mark.campaign
def test_a_rerun_after_a_kill_at_any_moment_finishes_logical_volumes(
    forkserver: Forkserver, blank: Blank, count: Count
) -> None:
    blank(DISK)
    rerun_after_every_kill(forkserver, [LVM], [f"set -- {DISK}; {BLANK}"], STATE, count, "logical volumes")
