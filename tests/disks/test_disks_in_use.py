"""A disk that somebody uses is refused whatever was consented to, and keeps every byte.

The kernel is told nothing of a partition that anybody has open: that is waited for, and then said.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from disks.laying_out import SMALL, blkid, judge, on, untouched
from disks.plays import applied, converged, refusal
from foreign_disks import FOREIGN
from loop_disks import MakeDisk, Mounter, disk, mounted, run, said
from subfloor.observe.open_partitions import DeviceUsers

pytestmark = pytest.mark.root

__all__ = ["disk", "mounted"]  # fixtures


def test_a_disk_with_a_mounted_partition_is_refused_case_32(disk: MakeDisk, mounted: Mounter) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    at = mounted(vda.partition(3))
    run("mount", "-o", "remount,ro", at)
    untouched(vda, on(vda, *SMALL), f"is in use: {vda.partition(3)} mounted at {at}", seed="another")


def test_a_disk_with_active_swap_is_refused_case_32(disk: MakeDisk) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    run("swapon", vda.partition(2))

    def all_but_swap() -> str:  # to which the kernel may write at any time
        kept = said("sha256sum", vda.partition(1), vda.partition(3))
        return f"{kept} {said('sfdisk', '--dump', vda.node)} {blkid(vda.partition(2))}"

    try:
        before = all_but_swap()
        assert "active as swap" in refusal(on(vda, *SMALL), vda.node, seed="another")
        assert all_but_swap() == before
    finally:
        run("swapoff", vda.partition(2))


def test_a_partition_in_use_that_is_not_in_the_table_is_refused_case_54(disk: MakeDisk, mounted: Mounter) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    at = mounted(vda.partition(3))
    run("mount", "-o", "remount,ro", at)
    run("wipefs", "--all", "--force", vda.node)
    untouched(vda, on(vda, *SMALL), f"{vda.partition(3)}, which is not in its table")


@pytest.mark.parametrize("number", [1, 2])
def test_every_device_of_a_mounted_btrfs_is_in_use(disk: MakeDisk, mounted: Mounter, number: int) -> None:
    both = disk(), disk()
    run("mkfs.btrfs", "-q", *(each.node for each in both))
    mounted(both[0].node)
    assert "is in use" in refusal(on(both[number - 1], *SMALL), both[number - 1].node)


def test_a_disk_below_another_device_is_in_use(disk: MakeDisk) -> None:
    vda = disk()
    FOREIGN["whole-ext4-case-27"](vda)
    behind = said("losetup", "--find", "--show", vda.node)
    try:
        untouched(vda, on(vda, *SMALL), f"behind {Path(behind).name}")
    finally:
        run("losetup", "--detach", behind)


@contextmanager
def _open(node: str, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """Somebody has a partition open, for so long at the most."""
    program = f"import time; file = open({node!r}, 'rb'); print('open', flush=True); time.sleep({seconds})"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdout.readline()
        yield holder
        holder.kill()


def test_a_partition_that_is_open_for_a_moment_is_waited_for_case_53(disk: MakeDisk) -> None:
    vda = disk()
    converged(on(vda, *SMALL), seed="another")
    with _open(vda.partition(3), 1.5):
        assert not [report.error for report in applied(on(vda, *SMALL), vda.node) if report.error]
    judge(vda, SMALL)


def test_a_partition_that_closes_during_the_search_for_its_users_is_accepted_case_53(
    disk: MakeDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    vda = disk()
    converged(on(vda, *SMALL), seed="another")
    search = DeviceUsers.probes
    with _open(vda.partition(3), 60.0) as holder:
        ends = f"kill {holder.pid} 2>/dev/null; sleep 1\n"
        monkeypatch.setattr(DeviceUsers, "probes", lambda users: tuple(ends + probe for probe in search(users)))
        assert not [report.error for report in applied(on(vda, *SMALL), vda.node) if report.error]
    judge(vda, SMALL)


def test_a_process_that_keeps_a_partition_open_is_named_case_53(
    disk: MakeDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subfloor.steps.partitioning.MOMENT", 0.1)
    vda = disk()
    converged(on(vda, *SMALL), seed="another")
    with _open(vda.partition(3), 60.0):
        failed = str(applied(on(vda, *SMALL), vda.node)[-1].error)
        assert re.search(rf"partx --delete .*\n.* \(process \d+\) has {vda.partition(3)} open\n", failed, re.DOTALL)
        assert "end the program that uses it" in failed
    converged(on(vda, *SMALL), vda.node)
    judge(vda, SMALL)
