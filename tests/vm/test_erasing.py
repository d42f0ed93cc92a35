"""Disks with partitions that the kernel has, and udev: erased and laid out by the first run that is given consent."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import odd_tables
from crash.forked import Ran
from crash.sample import sample
from places import ROOT
from subfloor import rehearse

DATA_DISK = str(ROOT / "playbooks" / "data-disk.yml")
HOME = json.dumps([{"name": "home", "label": "home", "type": "ext4", "size": "rest", "path": "/srv/home"}])
PUT = """
gzip -dc | dd of="$1" bs=1M conv=fsync status=none
udevadm settle; blockdev --rereadpt "$1" || :; udevadm settle
"""

Sh = Callable[..., str]
Blank = Callable[[str], str]
Subfloor = Callable[..., list[Ran]]


def puts(guest: rehearse.Machine, disk: str, image: Path) -> None:
    packed = gzip.compress(image.read_bytes(), 1)
    done = guest.run(["/bin/sh", "-c", PUT, "put", disk], stdin=packed, timeout=120)
    assert done.returncode == 0, done.stderr.decode()


def erased_and_laid_out(subfloor: Subfloor, sh: Sh, disk: str, partition: str) -> None:
    arguments = [DATA_DISK, "-e", f"disk={disk}", "-e", f"volumes={HOME}"]
    before = sh('head -c 64M "$1" | sha256sum', disk)
    (refused,) = subfloor(["apply", *arguments])
    assert refused.status == 5 and f"--destroy {disk}" in refused.said, refused
    assert sh('head -c 64M "$1" | sha256sum', disk) == before
    done, again = subfloor(["apply", *arguments, "--destroy", disk], ["check", *arguments])
    assert (done.status, again.status) == (0, 0), (done, again)
    assert "No errors detected" in sh('sfdisk --verify "$1"', disk)
    assert sh("findmnt -no SOURCE,FSTYPE /srv/home").split() == [partition, "ext4"]


# Of a chain of tables in a circle a kernel makes hundreds of partitions, which keep udev busy for minutes. The others
# are all erased on loop devices, too; and those that are met every day are in the zoo.
@pytest.mark.parametrize(
    "kind", sample([*sorted(odd_tables.ODD.keys() - {"chain-of-tables-in-a-circle"})], 1, seed="odd")
)
def test_any_table_is_erased_by_the_first_run(
    kind: str, subfloor: Subfloor, guest: rehearse.Machine, blank: Blank, sh: Sh, tmp_path: Path
) -> None:
    disk = blank("/dev/vdg")
    puts(guest, disk, odd_tables.make(kind, tmp_path / "odd"))
    erased_and_laid_out(subfloor, sh, disk, f"{disk}1")


@pytest.mark.campaign
@pytest.mark.parametrize("kind", sample(["plain-gpt", "plain-mbr-with-logical-partitions"], 1, seed="names"))
def test_partitions_with_p_in_their_names_are_erased_by_the_first_run(
    kind: str, subfloor: Subfloor, guest: rehearse.Machine, blank: Blank, sh: Sh, tmp_path: Path
) -> None:
    disk = blank("/dev/nvme0n1")
    puts(guest, disk, odd_tables.make(kind, tmp_path / "odd"))
    assert sh("ls /dev/nvme0n1p1").strip()
    erased_and_laid_out(subfloor, sh, disk, f"{disk}p1")
