"""A partition that is declared larger: container, physical and logical volume and filesystem grow with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from counting import Count
from crash.forked import Ran
from places import DATA
from vm.conftest import Forkserver
from vm.kills import rerun_after_every_kill

Sh = Callable[..., str]
Blank = Callable[[str], str]
Subfloor = Callable[..., list[Ran]]

PLAY = [str(DATA / "playbooks" / "layers" / "growing.yml"), "-e", "passphrase=correct horse"]
LARGER = [*PLAY, "-e", "size=rest"]
DISK, COPY = "/dev/vdf", "/dev/vdd"
CONTAINER, DATA_NODE = "/dev/mapper/crypt", "/dev/mapper/po--ol-data"
MIB = 1 << 20

STEPS = (
    "Grow partition 1 of /dev/vdf to 1022MiB at 1MiB",
    "Grow the container on /dev/vdf1 from 284MiB to 1006MiB",
    "Grow the physical volume on /dev/mapper/crypt to",
    "Grow the logical volume po-ol/data to",
    "Grow the ext4 filesystem on /dev/mapper/po--ol-data from",
)

CLOSED = "umount /mnt || :; vgchange -qq --activate n po-ol; cryptsetup close crypt; udevadm settle"

SIZES = f"""
blockdev --getsize64 {DISK}1 {CONTAINER} {DATA_NODE}
dumpe2fs -h {DATA_NODE} 2>/dev/null | sed -n 's/^Block \\(count\\|size\\): *//p'
"""


@pytest.fixture(autouse=True)
def nothing_left(sh: Sh) -> Iterator[None]:
    """No other test finds the group."""
    yield
    sh(f"{CLOSED} || :; blkdiscard -f {DISK}")


def _filled(sh: Sh) -> str:
    """Put files on the filesystem; their digest."""
    sh("dd if=/dev/urandom of=/mnt/photo bs=1M count=20 status=none; echo dear > /mnt/letter; sync -f /mnt")
    return _digest(sh)


def _digest(sh: Sh) -> str:
    return sh("cat /mnt/letter /mnt/photo | sha256sum")


def _check_grown(sh: Sh) -> None:
    partition, container, volume, blocks, block = map(int, sh(SIZES).split())
    assert (partition, container) == (1022 * MIB, 1006 * MIB)
    assert volume >= 1000 * MIB and volume - blocks * block < 8 * MIB


@pytest.mark.campaign
def test_a_filesystem_grows_with_all_that_it_lies_on_and_keeps_its_files(
    subfloor: Subfloor, blank: Blank, sh: Sh
) -> None:
    blank(DISK)
    (made,) = subfloor(["apply", *PLAY])
    assert made.status == 0, made
    digest = _filled(sh)
    (planned,) = subfloor(["check", *LARGER])
    assert planned.status == 2 and all(each in planned.said for each in STEPS), planned
    grown, after = subfloor(["apply", *LARGER], ["check", *LARGER[:1], "-e", "size=rest"])
    assert grown.status == 0 and all(each in grown.said for each in STEPS), grown
    assert after.status == 0 and _digest(sh) == digest, after
    _check_grown(sh)
    sh(f"umount /mnt; e2fsck -fn {DATA_NODE}; mount {DATA_NODE} /mnt")


@pytest.mark.campaign
def test_what_was_closed_meanwhile_grows_once_it_is_open(subfloor: Subfloor, blank: Blank, sh: Sh) -> None:
    blank(DISK)
    assert subfloor(["apply", *PLAY])[0].status == 0
    digest = _filled(sh)
    sh(CLOSED)
    grown, after = subfloor(["apply", *LARGER], ["check", *LARGER])
    assert grown.status == 0 and after.status == 0 and _digest(sh) == digest, (grown, after)
    _check_grown(sh)
    (smaller,) = subfloor(["apply", *PLAY])
    assert smaller.status in (3, 5) and _digest(sh) == digest, smaller


@pytest.mark.campaign
@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_other_filesystems_grow_too(subfloor: Subfloor, blank: Blank, sh: Sh, kind: str) -> None:
    blank(DISK)
    small = [*PLAY, "-e", f"type={kind}", "-e", "size=400MiB"]
    larger = [*LARGER, "-e", f"type={kind}"]
    assert subfloor(["apply", *small])[0].status == 0
    digest = _filled(sh)
    grown, after = subfloor(["apply", *larger], ["check", *larger])
    assert grown.status == 0 and f"Grow the {kind} filesystem on" in grown.said, grown
    assert after.status == 0 and _digest(sh) == digest, after
    assert int(sh("df --output=size -B1 /mnt | tail -n 1")) > 850 * MIB


@pytest.mark.campaign
@pytest.mark.parametrize("more", [1, 2, 7, 8, 9, 130])
def test_ext4_leaves_what_is_too_little_for_a_group(subfloor: Subfloor, blank: Blank, sh: Sh, more: int) -> None:
    """A group of this filesystem has 8 MiB: its blocks have 1 KiB."""
    blank(DISK)
    plain = [str(DATA / "playbooks" / "layers" / "growing-partition.yml")]
    larger = [*plain, "-e", f"size={224 + more}MiB"]
    made, grown, after = subfloor(["apply", *plain], ["apply", *larger], ["check", *larger])
    assert (made.status, grown.status, after.status) == (0, 0, 0), (made, grown, after)
    sh(f"e2fsck -fn {DISK}1")
    blocks, block = map(
        int, sh(f"dumpe2fs -h {DISK}1 2>/dev/null | sed -n 's/^Block \\(count\\|size\\): *//p'").split()
    )
    assert (224 + more) * MIB - blocks * block < 2 * MIB


STATE = f"""
sfdisk --dump {DISK}; {SIZES}
lvs --noheadings -o lv_name,lv_size,lv_tags,lv_active po-ol; vgs --noheadings -o vg_tags,vg_free,pv_count po-ol
findmnt -rno TARGET,SOURCE,FSTYPE /mnt
cat /mnt/letter /mnt/photo | sha256sum
umount /mnt; e2fsck -fn {DATA_NODE}; mount {DATA_NODE} /mnt
"""

# The first 302 MiB hold all that was there before, and the last MiB the second copy of the table.
SMALL_AGAIN = f"""
{CLOSED}
dd if={COPY} of={DISK} bs=1M count=302 oflag=direct status=none
dd if={COPY} of={DISK} bs=1M skip=1023 seek=1023 count=1 oflag=direct status=none
blockdev --rereadpt {DISK}; udevadm settle
printf 'correct horse' | cryptsetup open --key-file - {DISK}1 crypt
vgchange -qq --activate y po-ol; udevadm settle; mount {DATA_NODE} /mnt
"""


@pytest.mark.campaign
def test_a_rerun_after_a_kill_at_any_moment_finishes_growing(
    forkserver: Forkserver, subfloor: Subfloor, blank: Blank, sh: Sh, count: Count
) -> None:
    blank(DISK)
    blank(COPY)
    assert subfloor(["apply", *PLAY])[0].status == 0
    _filled(sh)
    sh(f"{CLOSED}; dd if={DISK} of={COPY} bs=1M count=302 status=none")
    sh(f"dd if={DISK} of={COPY} bs=1M skip=1023 seek=1023 count=1 status=none; sync {COPY}")
    rerun_after_every_kill(forkserver, LARGER, [SMALL_AGAIN], STATE, count, "growth")
