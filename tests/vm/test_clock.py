"""A machine whose clock is wrong: one without a battery starts in 1970, and is set right in the middle of things."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from crash.forked import Ran
from places import ROOT

PLAYBOOK = ROOT / "playbooks" / "ext4-root.yml"


@pytest.fixture
def set_clock(sh: Callable[..., str]) -> Iterator[Callable[[str], None]]:
    """Sets the guest's clock, and sets it right at the end."""
    now = sh("date +%s")

    def set_to(when: str) -> None:
        sh('date -s "$1"', when)

    yield set_to
    set_to(f"@{now.strip()}")


@pytest.mark.campaign
def test_any_clock_gives_the_same_result_case_70(
    subfloor: Callable[..., list[Ran]],
    sh: Callable[..., str],
    blank: Callable[[str], str],
    set_clock: Callable[[str], None],
) -> None:
    disk = blank("/dev/vdd")
    arguments: Sequence[str] = (str(PLAYBOOK), "-e", f"disk={disk}", "-e", "swap=0", "--log", "/run/clock.log")
    set_clock("1970-01-02 00:00:00 UTC")  # a kernel takes no time before its own start
    (applied, again) = subfloor(["apply", *arguments, "--yes"], ["check", *arguments])
    assert (applied.status, again.status) == (0, 0), applied.stdout + applied.stderr + again.stdout
    assert sh("head -1 /run/clock.log").startswith('{"at": "1970-01-02T')
    set_clock("2038-01-19 03:14:08 UTC")
    (later,) = subfloor(["check", *arguments])
    assert later.status == 0, later.stdout
    sh('umount -R /mnt; fsck.vfat -n "$1"1; fsck.ext4 -fn "$1"2', disk)
