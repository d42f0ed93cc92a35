"""A check looks into unmounted filesystems of all types, with udev around it, and writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crash.forked import Ran
from places import DATA
from subfloor import rehearse
from vm import zoo

Sh = Callable[..., str]

PLAY = str(DATA / "playbooks" / "unmounted.yml")
DISK = "/dev/vdf"
TYPES = ("vfat", "f2fs", "ext4", "xfs", "btrfs")

UNMOUNT = "for type in vfat f2fs ext4 xfs btrfs; do umount /srv/$type; done; udevadm settle; sync"

DRIFT = f"""
change() {{ mount -t "$1" {DISK}"$2" /run/by-hand; shift 2; (cd /run/by-hand; "$@"); umount /run/by-hand; }}
mkdir -p /run/by-hand
change vfat 1 rmdir kept
change f2fs 2 chmod 0700 kept
change ext4 3 chown 1000:100 kept
change xfs 4 rmdir kept
change btrfs 5 chmod 0711 kept
udevadm settle; sync
"""

AROUND = """
find /dev/disk -path /dev/disk/by-diskseq -prune -o -type l -printf '%p %l\\n' | sort
losetup --noheadings --output NAME,BACK-FILE
cat /proc/self/mountinfo; ls /srv /run/by-hand
"""
"""What is around the disk. Links by disk sequence number are left out: the kernel counts each use of a loop device."""


def _state(guest: rehearse.Machine, sh: Sh) -> tuple[str, int, str]:
    """What a check must not change: every byte of the disk, the kernel's count of writes, what is around it."""
    sh("udevadm settle; sync")
    return zoo.digest(guest.images[DISK]), zoo.written(sh, DISK), sh(AROUND)


def _found(host: dict[str, Any]) -> dict[str, tuple[object, object]]:
    """What differs below the mount points: found and declared."""
    return {
        f"{each['subject']}, {each['property']}".strip(", "): (each["found"], each["declared"])
        for task in host["tasks"]
        if task["task"] == "directory"
        for each in task["differences"]
    }


@pytest.mark.campaign
def test_a_check_into_unmounted_filesystems_of_all_types_writes_nothing(
    guest: rehearse.Machine, subfloor: Callable[..., list[Ran]], blank: Callable[[str], str], sh: Sh
) -> None:
    blank(DISK)
    (applied,) = subfloor(["apply", PLAY])
    assert applied.status == 0, applied.said
    sh(UNMOUNT)
    sh(DRIFT)
    before = _state(guest, sh)
    deep, shallow = subfloor(["check", PLAY, "--format", "json"], ["check", PLAY, "--format", "json", "--shallow"])
    assert _state(guest, sh) == before
    assert (deep.status, shallow.status) == (2, 2), deep.said
    seen = {each["path"]: (each["seen"], each["why_not"]) for each in deep.report["not_mounted"]}
    assert seen == {f"/srv/{each}": (True, "") for each in TYPES}
    assert not any(each["seen"] for each in shallow.report["not_mounted"])
    assert all("is not visible until" in str(found) for found, _ in _found(shallow.report).values())
    found = _found(deep.report)
    modes = {where: values for where, values in found.items() if where.endswith("mode")}
    assert modes == {"/srv/f2fs/kept, mode": ("0700", "0755"), "/srv/btrfs/kept, mode": ("0711", "0755")}
    assert {where.rpartition("/kept")[0] for where in found} == {f"/srv/{each}" for each in TYPES}
    repaired, after = subfloor(["apply", PLAY], ["check", PLAY, "--format", "json"])
    assert (repaired.status, after.status) == (0, 0), repaired.said + after.said
