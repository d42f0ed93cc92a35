"""A filesystem grows with its partition or disk, keeps its files, and is judged by its own programs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from disk_oracle import FSCK, mounted, put_files
from disks.plays import Play, converged, entries, outcomes, refusal
from loop_disks import LoopDisk, MakeDisk, disk, released, run, said
from subfloor.act.apply import preflight
from subfloor.act.host import Host
from subfloor.core.consent import Consent

pytestmark = pytest.mark.root

__all__ = ["disk"]  # fixtures

MIB = 1 << 20
FILES = {"letter": b"the only copy\n", "photo": bytes(range(256)) * 4096}
GROWING = ("xfs", "btrfs")
"""ext4 needs CAP_SYS_RESOURCE to grow while it is mounted, which containers often lack: see tests/vm."""


def on(vda: LoopDisk, kind: str, size: str = "rest") -> Play:
    return [
        ("gpt-label", {"device": vda.node}),
        ("aligned-partition", {"device": vda.node, "number": 1, "name": "data", "type": "linux", "size": size}),
        ("mkfs", {"device": vda.partition(1), "type": kind, "label": "data"}),
    ]


def planned(play: Play) -> tuple[list[str], list[str]]:
    """What a check says that an apply would do, and its warnings. It destroys nothing."""
    with Host().shell() as shell:
        plan = preflight(entries(play), shell, Consent())
    assert plan.stands and not plan.losses, outcomes(plan.reports)
    steps = [each.step.says for report in plan.reports for each in report.steps]
    return steps, [each for report in plan.reports for each in report.warnings]


def size_of(node: str, kind: str) -> int:
    """The size of a filesystem in bytes, as its own program reports it."""
    asked: Mapping[str, tuple[tuple[str, ...], str]] = {
        "xfs": (("xfs_db", "-r", "-c", "sb 0", "-c", "print dblocks blocksize", node), r"dblocks = (\d+)\D*(\d+)"),
        "btrfs": (("btrfs", "inspect-internal", "dump-super", node), r"dev_item\.total_bytes\s+(\d+)()"),
    }
    argv, pattern = asked[kind]
    found = re.search(pattern, said(*argv))
    assert found
    return int(found[1]) * int(found[2] or 1)


def judge(node: str, kind: str, least: int) -> None:
    """The filesystem is sound, has at least that size, and its files are as they were."""
    released(node)
    run(*FSCK[kind], node)
    assert size_of(node, kind) >= least
    with mounted(node, kind) as at:
        assert {name: (at / name).read_bytes() for name in FILES} == FILES


@pytest.mark.parametrize("kind", GROWING)
def test_a_filesystem_grows_with_the_disk_and_keeps_its_files(disk: MakeDisk, kind: str) -> None:
    vda = disk()
    converged(on(vda, kind))
    put_files(vda.partition(1), kind, FILES)
    vda.resize("900MiB")
    steps, _ = planned(on(vda, kind))
    assert f"Grow the {kind} filesystem on {vda.partition(1)} from 510MiB to 898MiB" in steps
    converged(on(vda, kind))
    judge(vda.partition(1), kind, 880 * MIB)


@pytest.mark.parametrize("kind", GROWING)
def test_a_mounted_filesystem_grows_where_it_is(disk: MakeDisk, kind: str, tmp_path: Path) -> None:
    vda = disk()
    converged(on(vda, kind))
    put_files(vda.partition(1), kind, FILES)
    vda.resize("900MiB")
    at = tmp_path / "at"
    at.mkdir()
    run("mount", vda.partition(1), at)
    try:
        converged(on(vda, kind))
        assert (at / "letter").read_bytes() == FILES["letter"] and at.is_mount()
    finally:
        run("umount", at)
    judge(vda.partition(1), kind, 880 * MIB)


@pytest.mark.parametrize("kind", GROWING)
def test_a_filesystem_on_a_whole_disk_grows_up_to_the_place_of_the_mark(disk: MakeDisk, kind: str) -> None:
    vdb = disk()
    play: Play = [("mkfs", {"device": vdb.node, "type": kind, "label": "data"})]
    converged(play)
    put_files(vdb.node, kind, FILES)
    vdb.resize("900MiB")
    converged(play)
    judge(vdb.node, kind, 880 * MIB)
    assert size_of(vdb.node, kind) <= 899 * MIB


def test_a_swap_area_is_made_again_unless_it_is_in_use(disk: MakeDisk) -> None:
    vda = disk("64MiB")
    converged(on(vda, "swap"))
    vda.resize("100MiB")
    run("swapon", vda.partition(1))
    try:
        steps, warnings = planned(on(vda, "swap"))
        assert [each.partition(" to ")[0] for each in steps[1:]] == [f"Grow partition 1 of {vda.node}"]
        assert ["uses only 62MiB of 98MiB: it is in use" in each for each in warnings] == [True]
        converged(on(vda, "swap"))
    finally:
        run("swapoff", vda.partition(1))
    assert planned(on(vda, "swap"))[0] == [
        f"Mark the swap area on {vda.partition(1)} as unfinished, to make it again, larger",
        f"Make a swap area on {vda.partition(1)} labelled 'data'",
    ]
    converged(on(vda, "swap"))
    run("swapon", vda.partition(1))
    try:
        active = dict(
            line.split() for line in said("swapon", "--show=NAME,SIZE", "--bytes", "--noheadings").splitlines()
        )
        assert int(active[vda.partition(1)]) > 97 * MIB
    finally:
        run("swapoff", vda.partition(1))


@pytest.mark.parametrize("kind", ["f2fs", "vfat"])
def test_what_cannot_grow_safely_keeps_its_size_and_a_warning_says_so(disk: MakeDisk, kind: str) -> None:
    vda = disk("256MiB")
    converged([*on(vda, kind)[:2], ("mkfs", {"device": vda.partition(1), "type": kind, "label": "DATA"})])
    vda.resize("400MiB")
    play: Play = [*on(vda, kind)[:2], ("mkfs", {"device": vda.partition(1), "type": kind, "label": "DATA"})]
    assert ["it keeps its size" in each for each in planned(play)[1]] == [True]
    converged(play)


def test_a_filesystem_that_is_larger_than_its_partition_is_refused(disk: MakeDisk) -> None:
    vda = disk()
    converged(on(vda, "ext4", "300MiB"))
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "-N", 1, vda.node, stdin=b"size=200MiB\n")
    run("partx", "--update", "--nr", "1:1", vda.node)
    before = vda.digest()
    assert "is larger than the device" in refusal(on(vda, "ext4", "200MiB"))
    assert vda.digest() == before
    converged(on(vda, "ext4", "300MiB"))
