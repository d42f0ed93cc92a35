"""Single partitions, where udev looks into each that appears: entries that were deleted, and another system's disk."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crash.forked import Ran
from crash.sample import sample
from places import DATA, ROOT

PLAYBOOK = str(ROOT / "playbooks" / "nixos-tmpfs-root.yml")
ONE = str(DATA / "playbooks" / "one-partition.yml")
DISK = "/dev/vdf"
LAID_OUT = (PLAYBOOK, "-e", f"disk={DISK}", "-e", "esp_size=40MiB", "-e", "swap=16MiB", "--tags", "disk")

Sh = Callable[..., str]
Blank = Callable[[str], str]
Subfloor = Callable[..., list[Ran]]

FILL = 'mount "$1" /media && echo dear > /media/letter && umount /media'
READ = 'mount "$1" /media && cat /media/letter && umount /media'
DELETE = 'disk=$1; shift; udevadm settle; sfdisk --quiet --delete "$disk" "$@" && udevadm settle'


@pytest.mark.campaign
@pytest.mark.parametrize("numbers", sample([("1",), ("3",), ("1", "2", "3")], 1, seed="deleted"), ids="-".join)
def test_deleted_entries_are_put_back_with_their_content(
    numbers: tuple[str, ...], subfloor: Subfloor, blank: Blank, sh: Sh
) -> None:
    blank(DISK)
    (made,) = subfloor(["apply", *LAID_OUT])
    assert made.status == 0, made
    for number in ("1", "3"):
        sh(FILL, f"{DISK}{number}")
    sh(DELETE, DISK, *numbers)

    checked, done, again = subfloor(["check", *LAID_OUT], ["apply", *LAID_OUT], ["check", *LAID_OUT])
    assert checked.status == 2 and all(f"Put partition {number}" in checked.said for number in numbers), checked
    assert done.status == 0 and "Make " not in done.said, done
    assert again.status == 0, again
    assert [sh(READ, f"{DISK}{number}").strip() for number in ("1", "3")] == ["dear", "dear"]


FOREIGN = """
printf '%s\n' 'label: gpt' 'size=64MiB, type=U, name=ESP' 'size=200MiB, name=root' 'name=home' | sfdisk --quiet "$1"
udevadm settle
mkfs.fat -F 32 -n EFI "$1"1 && mkfs.ext4 -q -L oldroot "$1"2 && mkfs.ext4 -q -L home "$1"3
udevadm settle
"""


def test_one_foreign_partition_is_taken_over_and_the_rest_is_kept(subfloor: Subfloor, blank: Blank, sh: Sh) -> None:
    disk = blank(DISK)
    sh(FOREIGN, disk)
    for number in (1, 3):
        sh(FILL, f"{disk}{number}")
    arguments = [ONE, "-e", f"disk={disk}"]
    before = sh('sfdisk --dump "$1"; sha256sum "$1"1 "$1"2', disk)
    for ran in subfloor(["check", *arguments], ["apply", *arguments], ["apply", *arguments, "--destroy", f"{disk}3"]):
        assert ran.status == 5 and f"--destroy {disk}2" in ran.said, ran
    assert sh('sfdisk --dump "$1"; sha256sum "$1"1 "$1"2', disk) == before
    done, again = subfloor(["apply", *arguments, "--destroy", f"{disk}2"], ["check", *arguments])
    assert done.status == 0 and again.status == 0, (done, again)
    assert sh("cat /mnt/boot/letter /mnt/home/letter").split() == ["dear", "dear"]
    assert sh("findmnt -no LABEL /mnt").strip() == "nixos" and "letter" not in sh("ls /mnt")
