"""Volumes that lie on others, with udev and the kernel's own device-mapper around them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crash.forked import Ran
from places import DATA

Sh = Callable[..., str]
Blank = Callable[[str], str]
Subfloor = Callable[..., list[Ran]]

LUKS = str(DATA / "playbooks" / "layers" / "luks-ext4.yml")
PASSPHRASE = "correct horse battery staple"
DISK = "/dev/vdd"

CLOSED = "umount /mnt; swapoff -a; cryptsetup close data; cryptsetup close swap; udevadm settle"
"""What a reboot leaves of the stack."""


@pytest.fixture
def secrets(sh: Sh) -> str:
    """A file of variables with the passphrase."""
    sh('printf \'passphrase: "%s"\n\' "$1" > /run/secrets.yml; chmod 600 /run/secrets.yml', PASSPHRASE)
    return "@/run/secrets.yml"


def test_containers_are_made_filled_opened_again_and_checked(
    subfloor: Subfloor, blank: Blank, sh: Sh, secrets: str
) -> None:
    blank(DISK)
    with_key = [LUKS, "-e", secrets]
    planned, made, again, checked = subfloor(
        ["check", *with_key], ["apply", *with_key], ["apply", *with_key], ["check", LUKS]
    )
    assert planned.status == 2 and "Make an ext4 filesystem on /dev/mapper/data" in planned.said, planned
    assert made.status == 0 and again.status == 0 and "in sync" in again.said, (made, again)
    assert checked.status == 0, checked
    assert sh("cryptsetup isLuks --type luks2 /dev/vdd1 && blkid -p -s LABEL -o value /dev/vdd1").strip() == "crypt"
    assert sh("findmnt -no SOURCE,FSTYPE,LABEL /mnt").split() == ["/dev/mapper/data", "ext4", "data"]
    assert len(sh("swapon --show --noheadings").splitlines()) == 1
    sh("echo dear > /mnt/letter")

    sh(CLOSED)
    before = sh("sha256sum /dev/vdd")
    closed, without, opened, after = subfloor(["check", LUKS], ["apply", LUKS], ["apply", *with_key], ["check", LUKS])
    assert closed.status != 0 and "passphrase is needed to open" in closed.said, closed
    assert without.status != 0, without
    assert opened.status == 0 and "Make" not in opened.said, opened
    assert after.status == 0 and sh("cat /mnt/letter").strip() == "dear", after
    assert before
    assert PASSPHRASE not in "".join(each.said for each in (planned, made, again, closed, opened))
