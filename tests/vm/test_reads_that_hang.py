"""Devices whose reads hang in the kernel, where no signal ends them: a suspended mapping, and a loop device over it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator

import pytest

from crash.forked import Ran
from places import ROOT

pytestmark = pytest.mark.campaign

DATA_DISK = str(ROOT / "playbooks" / "data-disk.yml")
DISK, OTHER = "/dev/vdf", "/dev/vdd"
STUCK = "/dev/mapper/stuck"

Sh = Callable[..., str]
Blank = Callable[[str], str]
Subfloor = Callable[..., list[Ran]]

HANG = f"""
echo "0 $(blockdev --getsz {OTHER}) linear {OTHER} 0" | dmsetup create stuck
losetup /dev/loop6 {STUCK}
udevadm settle
dmsetup suspend --noflush --nolockfs stuck
echo 3 >/proc/sys/vm/drop_caches
"""
HANGS = f"""
dd if={STUCK} of=/dev/null bs=4096 count=1 iflag=direct status=none &
sleep 2
kill -9 $!
sleep 1
kill -0 $!
"""
"""Succeeds if a read waits, and does not end when it is killed."""

INTERRUPT = """
waiting() { ps -eo stat=,args= | grep '^D.*loop6' | grep -vc subfloor || true; }
exec 2>&1
before=$(waiting)
env --default-signal=INT "$@" &
while [ "$(waiting)" -le "$before" ]; do kill -0 $!; sleep 0.2; done
kill -INT $!
status=0
wait $! || status=$?
echo "status $status"
"""
"""Interrupts a command as soon as one more process waits in the kernel."""

RELEASE = """
dmsetup resume stuck
udevadm settle
losetup --detach /dev/loop6
for try in 1 2 3 4 5; do ! dmsetup remove stuck || break; sleep 1; done
udevadm settle
"""


def words(disk: str, label: str = "home") -> list[str]:
    volumes = json.dumps([{"name": label, "label": label, "type": "ext4", "size": "rest", "path": f"/srv/{label}"}])
    return [DATA_DISK, "-e", f"disk={disk}", "-e", f"volumes={volumes}"]


@pytest.fixture(scope="module")
def hung(subfloor: Subfloor, blank: Blank, sh: Sh) -> Iterator[None]:
    """A disk that the play has laid out, beside a device that has stopped to answer."""
    blank(OTHER)
    (done,) = subfloor(["apply", *words(blank(DISK))])
    assert done.status == 0, done
    sh(HANG)
    sh(HANGS)
    yield
    sh(RELEASE)
    blank(DISK)


@pytest.mark.usefixtures("hung")
def test_a_play_about_another_disk_is_checked_and_applied(subfloor: Subfloor) -> None:
    for ran in subfloor(["check", *words(DISK)], ["apply", *words(DISK)]):
        assert ran.status == 0, ran


@pytest.mark.usefixtures("hung")
def test_a_source_by_label_is_found(subfloor: Subfloor, sh: Sh) -> None:
    """blkid would read every device for it."""
    sh("umount /srv/home")
    for ran in subfloor(["apply", *words(DISK)], ["check", *words(DISK)]):
        assert ran.status == 0, ran


@pytest.mark.usefixtures("hung")
@pytest.mark.parametrize("disk", ["/dev/loop6", STUCK])
def test_the_device_is_named_if_the_play_is_about_it(disk: str, subfloor: Subfloor) -> None:
    for ran in subfloor(["check", *words(disk)], ["apply", *words(disk), "--destroy", disk]):
        assert ran.status == 1, ran
        assert f"disk {disk} gave no answer within 30 s" in ran.said, ran


@pytest.mark.usefixtures("hung")
def test_an_interrupt_ends_a_check_that_waits(sh: Sh) -> None:
    """What it started cannot be ended, and is left behind."""
    said = sh(INTERRUPT, sys.executable, "-m", "subfloor", "check", *words("/dev/loop6"))
    assert "interrupted" in said and "gave no answer" not in said, said
    assert said.endswith("status 1\n"), said
