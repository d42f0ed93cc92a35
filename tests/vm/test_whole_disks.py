"""Whole disks without a partition table, with udev and device-mapper around them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crash.forked import Ran
from places import DATA
from vm import zoo

Sh = Callable[..., str]
Blank = Callable[[str], str]
Subfloor = Callable[..., list[Ran]]

PLAY = str(DATA / "playbooks" / "layers" / "whole-disk.yml")
PLAIN, ENCRYPTED = "/dev/vdd", "/dev/vde"
MARK = "dd if=$1 bs=512 skip=$(($(blockdev --getsz $1) - 2048)) count=1 status=none | head -c 8"


@pytest.mark.campaign
def test_whole_disks_are_filled_opened_again_and_checked(subfloor: Subfloor, blank: Blank, sh: Sh) -> None:
    for disk in (PLAIN, ENCRYPTED):
        blank(disk)
    with_key = [PLAY, "-e", "passphrase=correct horse"]
    planned, made, again = subfloor(["check", *with_key], ["apply", *with_key], ["apply", PLAY])
    assert planned.status == 2 and made.status == 0, (planned, made)
    assert again.status == 0 and "in sync" in again.said, again
    assert sh("findmnt -no SOURCE,FSTYPE /mnt").split() == [PLAIN, "f2fs"]
    assert sh(f"blkid -p -s TYPE -o value {ENCRYPTED}").strip() == "crypto_LUKS"
    assert sh(MARK, PLAIN).strip("\0") == ""
    sh("echo dear > /mnt/letter; echo dear > /srv/data/letter")

    sh("umount /mnt /srv/data; cryptsetup close data; udevadm settle")
    before = [zoo.written(sh, disk) for disk in (PLAIN, ENCRYPTED)]
    (closed,) = subfloor(["check", PLAY])
    assert closed.status == 3 and "passphrase is needed to open" in closed.said, closed
    assert [zoo.written(sh, disk) for disk in (PLAIN, ENCRYPTED)] == before, "a check has written"
    opened, after = subfloor(["apply", *with_key], ["check", PLAY])
    assert opened.status == 0 and "Make" not in opened.said and after.status == 0, (opened, after)
    assert sh("cat /mnt/letter /srv/data/letter").split() == ["dear", "dear"]

    (busy,) = subfloor(["apply", PLAY, "-e", "type=xfs", "--destroy", PLAIN])
    assert busy.status == 3 and "is in use: mounted at /mnt" in busy.said, busy
    sh("umount /mnt /srv/data; cryptsetup close data; udevadm settle")
