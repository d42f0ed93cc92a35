"""A disk in use is described and taken over, with the kernel's vfat and swap on it, and udev around it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crash.forked import Ran
from places import ROOT

PLAYBOOK = str(ROOT / "playbooks" / "nixos-tmpfs-root.yml")
DISK = "/dev/vdf"
LAID_OUT = (PLAYBOOK, "-e", f"disk={DISK}", "-e", "esp_size=40MiB", "-e", "swap=16MiB", "--tags", "disk")

USED = """
mkdir -p /media/adopted && mount "$1"3 /media/adopted && mkdir -p /media/adopted/boot && mount "$1"1 /media/adopted/boot
echo dear > /media/adopted/boot/letter && swapon "$1"2 && sync
"""
LINKS = """
udevadm settle
for part in "$1"1 "$1"2 "$1"3; do
    readlink -f "/dev/disk/by-partuuid/$(blkid --probe -s PART_ENTRY_UUID -o value "$part")"
done
"""
UNUSED = 'swapoff "$1"2; umount -R /media/adopted'


@pytest.mark.campaign
def test_a_disk_in_use_is_described_and_taken_over(
    subfloor: Callable[..., list[Ran]], blank: Callable[[str], str], sh: Callable[..., str]
) -> None:
    disk = blank(DISK)
    (made,) = subfloor(["apply", *LAID_OUT])
    assert made.status == 0, made
    sh(USED, disk)
    try:
        (drafted,) = subfloor(["draft", "--root", "/media"])
        assert (
            drafted.status == 0 and f"mount: {{source: {disk}1, path: /media/adopted/boot, type: vfat" in drafted.said
        )
        sh('printf %s "$1" > /tmp/drafted.yml', drafted.said)
        before = sh('sha256sum "$1"2; sfdisk --dump "$1" | sed "s/uuid=[^,]*//; /label-id/d"', disk)
        adopted, checked = subfloor(["adopt", "/tmp/drafted.yml", "--stamp", disk], ["check", "/tmp/drafted.yml"])
        assert adopted.status == 0 and checked.status == 0, (adopted, checked)
        assert sh('sha256sum "$1"2; sfdisk --dump "$1" | sed "s/uuid=[^,]*//; /label-id/d"', disk) == before
        assert sh(LINKS, disk).split() == [f"{disk}{number}" for number in (1, 2, 3)]
        assert sh("cat /media/adopted/boot/letter").strip() == "dear"
    finally:
        sh(UNUSED, disk)
