"""md arrays of every level, one with a container on it; judged by mdadm and fsck."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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

LAYERS = DATA / "playbooks" / "layers"
LEVELS = str(LAYERS / "levels.yml")
DISKS = ("/dev/vdd", "/dev/vdf", "/dev/vde", "/dev/vda")
PASSPHRASE = "a passphrase of these tests"


@dataclass(frozen=True)
class Case:
    """A playbook over the first ``count`` disks. ``inside``: what is on the array and is to be sound afterwards."""

    name: str
    playbook: str
    count: int
    array: str = "data"
    options: str = ""
    inside: str = "/dev/md/data"
    fsck: str = "e2fsck -fn"


CASES = (
    Case("level-0", LEVELS, 2, options="level: 0"),
    Case("level-4", LEVELS, 3, options="level: 4"),
    Case("level-5", LEVELS, 3, options="chunk: 64KiB"),
    Case("level-6", LEVELS, 4, options="level: 6"),
    Case("level-10", LEVELS, 3, options="{level: 10, layout: f2}"),
    Case("level-10-in-pairs", LEVELS, 4, options="level: 10"),
    Case("mirror-for-firmware", LEVELS, 2, options='{level: 1, metadata: "1.0", type: vfat}', fsck="fsck.fat -n"),
    Case("container", str(LAYERS / "luks-on-an-array.yml"), 3, inside="/dev/mapper/crypt"),
)

STOP = """
umount /mnt; swapoff -a; ! [ -e /dev/mapper/crypt ] || cryptsetup close crypt
udevadm settle; mdadm --quiet --wait /dev/md/$1 || :
mdadm --quiet --stop /dev/md/$1; udevadm settle; test ! -e /dev/md/$1
"""
"""What a reboot leaves where nothing assembles arrays."""


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest, blank: Blank) -> Case:
    """A case, with blank disks."""
    found: Case = request.param
    for each in DISKS[: found.count]:
        blank(each)
    return found


def _arguments(sh: Sh, case: Case) -> list[str]:
    """The playbook with its variables, which are in a file."""
    named = zip("abcd", DISKS[: case.count], strict=False)
    disks = ", ".join(f"{{path: {path}, name: {name}}}" for name, path in named)
    texts = {"disks": f"disks: [{disks}]", "secrets": f"passphrase: {PASSPHRASE}", "options": case.options or "{}"}
    for name, text in texts.items():
        sh(f"umask 77; printf '%s\\n' \"$1\" > /run/{name}.yml", text)
    files = ["disks", "options", *(["secrets"] if case.name == "container" else [])]
    return [case.playbook, *(word for name in files for word in ("-e", f"@/run/{name}.yml"))]


@pytest.mark.campaign
def test_an_array_is_made_assembled_again_and_checked(case: Case, subfloor: Subfloor, sh: Sh) -> None:
    play = _arguments(sh, case)
    planned, made, again, after = subfloor(["check", *play], ["apply", *play], ["apply", *play], ["check", *play])
    assert planned.status == 2 and "Make /dev/md/" in planned.said, planned
    assert (made.status, again.status, after.status) == (0, 0, 0), (made, again, after)
    assert "in sync" in again.said, again
    sh("echo dear > /mnt/letter; sync")
    assert (
        sh(f"mdadm --quiet --wait /dev/md/{case.array} || :; mdadm --detail /dev/md/{case.array}").count("active sync")
        == case.count
    )

    sh(STOP, case.array)
    before = [zoo.written(sh, disk) for disk in DISKS[: case.count]]
    (closed,) = subfloor(["check", *play])
    assert [zoo.written(sh, disk) for disk in DISKS[: case.count]] == before, "a check has written"
    assert closed.status == 2 and f"Assemble /dev/md/{case.array}" in closed.said, closed
    opened, after = subfloor(["apply", *play], ["check", *play])
    assert opened.status == 0 and "Make" not in opened.said and after.status == 0, (opened, after)
    assert sh("cat /mnt/letter").strip() == "dear"
    sh(f"umount /mnt; {case.fsck} {case.inside}; mount {case.inside} /mnt")
    sh(STOP, case.array)


@pytest.mark.campaign
def test_a_level_5_is_mended_and_one_that_failed_is_left_alone(subfloor: Subfloor, blank: Blank, sh: Sh) -> None:
    a, b, c = (blank(each) for each in DISKS[:3])
    play = [LEVELS]
    assert subfloor(["apply", *play])[0].status == 0
    sh(f"mdadm --quiet --wait /dev/md/data || :; mdadm --quiet /dev/md/data --fail {b}1 --remove {b}1; udevadm settle")
    degraded, mended, after = subfloor(["check", *play], ["apply", *play], ["check", *play])
    assert degraded.status == 2 and "which was degraded" in degraded.said, degraded
    assert (mended.status, after.status) == (0, 0), (mended, after)
    sh("mdadm --quiet --wait /dev/md/data || :; umount /mnt; e2fsck -fn /dev/md/data; mount /dev/md/data /mnt")

    sh("echo dear > /mnt/letter; sync")
    sh(STOP, "data")
    sh(f"mdadm --zero-superblock {b}1; udevadm settle")
    (without,) = subfloor(["apply", *play])
    assert without.status == 3 and f"mdadm --assemble --run /dev/md/data {a}1 {c}1" in without.said, without
    sh(f"mdadm --quiet --assemble --run /dev/md/data {a}1 {c}1; udevadm settle; mount /dev/md/data /mnt")
    asked, added, after = subfloor(["apply", *play], ["apply", *play, "--destroy", b], ["check", *play])
    assert (asked.status, added.status, after.status) == (5, 0, 0), (asked, added, after)
    assert sh("mdadm --quiet --wait /dev/md/data || :; cat /mnt/letter").strip() == "dear"

    sh(STOP, "data")
    sh(f"mdadm --zero-superblock {b}1; mdadm --zero-superblock {c}1; udevadm settle")
    before = [zoo.written(sh, disk) for disk in (a, b, c)]
    (lost,) = subfloor(["apply", *play, "--destroy", b, "--destroy", c])
    assert lost.status == 3 and "RAID 5 can lose one member" in lost.said, lost
    assert [zoo.written(sh, disk) for disk in (a, b, c)] == before


STATE = """
for n in vdd vdf vde; do sfdisk --dump /dev/$n; blkid -p -s TYPE -s LABEL -s UUID -o export /dev/${n}1; done
blkid -p -s TYPE -s LABEL -s UUID -o export /dev/md/data
mdadm --quiet --wait /dev/md/data || :
mdadm --detail /dev/md/data | grep -E 'State :|Array Size|UUID|active sync'
findmnt -rno TARGET,FSTYPE /mnt
e2fsck -fn /dev/md/data >/dev/null 2>&1 || [ $? -eq 4 ]
"""


@pytest.mark.campaign
def test_a_rerun_after_a_kill_at_any_moment_finishes_a_level_5(
    forkserver: Forkserver, blank: Blank, count: Count
) -> None:
    for each in DISKS[:3]:
        blank(each)
    starts = [f"set -- {disk}; {BLANK}" for disk in DISKS[:3]]
    rerun_after_every_kill(forkserver, [LEVELS], starts, STATE, count, "arrays of level 5", inside=1)
