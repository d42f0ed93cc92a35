"""A UUID belongs to one device of the machine: with udev, which knows what every other device carries."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from crash.forked import Ran
from crash.sample import everything
from places import ROOT
from vm.zoo import written

DATA_DISK = str(ROOT / "playbooks" / "data-disk.yml")
HOME = json.dumps([{"name": "home", "label": "home", "type": "ext4", "size": "rest", "path": "/srv/home"}])
DISK, OTHER = "/dev/vdf", "/dev/vdd"

Sh = Callable[..., str]
Blank = Callable[[str], str]
Subfloor = Callable[..., list[Ran]]

COPIES = {
    "label-id": ('dd if="$1" of="$2" bs=1M count=1 conv=fsync status=none', OTHER),
    "PARTUUID": (
        'id=$(blkid -p -s PART_ENTRY_UUID -o value "$1"1); '
        'printf \'label: gpt\\nsize=100MiB,uuid=%s\\n\' "$id" | sfdisk -q "$2"',
        f"{OTHER}1",
    ),
    "UUID": ('dd if="$1"1 of="$2" bs=1M count=64 conv=fsync status=none', OTHER),
}
"""What puts a copy of it on a second disk, and the device that then carries it."""

MADE_OF_IT = {
    "loop device": ('losetup --read-only --partscan /dev/loop7 "$1"', "losetup --detach /dev/loop7"),
    "mapping": ('echo "0 $(blockdev --getsz "$1"1) linear ${1}1 0" | dmsetup create copy', "dmsetup remove copy"),
}
"""What shows the same bytes as another device, and what undoes it."""

KNOWS = 'cat "/run/udev/data/b$(cat "/sys/class/block/${1#/dev/}/dev")"'
READS = 'read -r reads _ <"/sys/class/block/${1#/dev/}/stat"; echo "$reads"'
CLEAR = 'blkdiscard -f "$1"; blockdev --rereadpt "$1"; udevadm settle'


def words(disk: str) -> list[str]:
    return [DATA_DISK, "-e", f"disk={disk}", "-e", f"volumes={HOME}"]


@pytest.fixture(scope="module")
def finished(subfloor: Subfloor, blank: Blank) -> Iterator[None]:
    """A disk that the play has laid out, beside one that is blank."""
    blank(OTHER)
    (done,) = subfloor(["apply", *words(blank(DISK))])
    assert done.status == 0, done
    yield
    blank(DISK)


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize("kind", COPIES if everything() else ["PARTUUID"])
def test_a_copy_on_another_disk_is_refused_until_it_is_removed_case_57(kind: str, subfloor: Subfloor, sh: Sh) -> None:
    """udev knows of the copy, so the other disk is not read; and forgets it once it is erased."""
    copy, carrier = COPIES[kind]
    sh(f"{copy}; udevadm settle", DISK, OTHER)
    assert "E:ID_" in sh(KNOWS, OTHER)
    before = sh(READS, OTHER)
    refused = subfloor(["check", *words(DISK)], ["apply", *words(DISK)])
    reads = sh(READS, OTHER)
    sh(CLEAR, OTHER)
    (ok,) = subfloor(["check", *words(DISK)])
    for ran in refused:
        assert ran.status == 3 and f"{carrier} has the {kind} that this play gives to {DISK}" in ran.said, ran
    assert reads == before
    assert ok.status == 0, ok


@pytest.mark.usefixtures("finished")
def test_a_second_disk_under_the_same_name_is_refused_case_57(subfloor: Subfloor, sh: Sh) -> None:
    before = written(sh, OTHER)
    for ran in subfloor(["check", *words(OTHER)], ["apply", *words(OTHER), "--destroy", OTHER]):
        assert ran.status == 3 and f"{DISK} has the label-id that this play gives to {OTHER}" in ran.said, ran
        assert "`disk:`" in ran.said, ran
    assert written(sh, OTHER) == before


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize("what", MADE_OF_IT)
def test_a_device_made_of_the_disk_may_carry_its_uuids(what: str, subfloor: Subfloor, sh: Sh) -> None:
    """udev tells of it as of any other device."""
    make, undo = MADE_OF_IT[what]
    sh(f"umount /srv/home; {make}; udevadm settle", DISK)
    (ran,) = subfloor(["check", *words(DISK)])
    sh(f"{undo}; udevadm settle")
    (mounted,) = subfloor(["apply", *words(DISK)])
    assert "this play gives to" not in ran.said, ran
    assert mounted.status == 0, mounted
