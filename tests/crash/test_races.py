"""What happens between the last look and a command: another run, another's mount, another's open device."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crash.forked import Ran, start, subfloor
from crash.jobs import JOBS, LETTER, Job, start_of
from crash.loop_copy import LoopCopy, loop_copy
from crash.races import before, has_ended, is_awaited, pause, wait_for
from crash.sample import sample
from foreign_disks import void
from loop_disks import run, said

pytestmark = pytest.mark.root

PLAIN = JOBS["ext4-root"]
COMMANDS = range(1, 26)
"""At which of its commands the first run is when the second begins."""


def _whole(job: Job, work: Path) -> list[str]:
    with loop_copy(work) as at:
        made = subfloor("apply", *job.words(at))
        assert made.status == 0, made.said
        return at.picture()


def _both(at: LoopCopy, number: int, one: list[str], other: list[str]) -> tuple[Ran, Ran]:
    """The first run is stopped before a command; the second begins, and waits; then the first continues."""
    reached = at.root.parent / "reached"
    first = start(["apply", *one], before(number, pause(reached)))
    wait_for(reached.exists, "the first run")
    second = start(["apply", *other])
    try:
        wait_for(lambda: is_awaited(at.disk.node) or has_ended(second), "the second run")
    finally:
        reached.unlink()
    return first.wait(), second.wait()


def test_two_runs_at_the_same_time_have_the_result_of_one_case_67(tmp_path: Path) -> None:
    whole = _whole(PLAIN, tmp_path)
    for number in sample(COMMANDS, 2, seed="two runs"):
        with loop_copy(tmp_path) as at:
            words = PLAIN.words(at)
            ran = _both(at, number, words, words)
            assert [each.status for each in ran] == [0, 0], (number, ran)
            assert at.picture() == whole, number
            at.prove()


def test_two_runs_of_different_plays_leave_the_result_of_one_case_67(tmp_path: Path) -> None:
    jobs = [Job("ext4-root.yml", (*PLAIN.arguments, "-e", f"seed={seed}")) for seed in ("one", "other")]
    wholes = [_whole(job, tmp_path) for job in jobs]
    for number in sample(COMMANDS, 1, seed="two seeds"):
        with loop_copy(tmp_path) as at:
            ran = _both(at, number, *(job.words(at) for job in jobs))
            statuses = [each.status for each in ran]
            assert sorted(statuses) in ([0, 1], [0, 3], [0, 5]), (number, ran)
            won = statuses.index(0)
            assert at.picture() == wholes[won], (number, ran)
            assert subfloor("check", *jobs[won].words(at)).status == 0
            assert "→" in ran[1 - won].said
            at.prove()


# Somebody uses what is about to be destroyed.

FOREIGN = JOBS["another's disk"]


@contextmanager
def _photos(work: Path) -> Iterator[tuple[LoopCopy, Path]]:
    """Another's disk, with a file on its second partition; and where that may be mounted."""
    at_place = work / "photos"
    at_place.mkdir()
    with loop_copy(work, start_of(FOREIGN, work)) as at:
        run("mount", at.disk.partition(2), at_place)
        (at_place / "letter").write_text(LETTER)
        run("umount", at_place)
        try:
            yield at, at_place
        finally:
            if at_place.is_mount():
                run("umount", at_place)


@pytest.mark.parametrize("number", [1, 2])
def test_a_partition_that_is_mounted_between_look_and_command_is_not_lost_case_32(number: int, tmp_path: Path) -> None:
    """Another program mounts it once consent was given. Later it cannot: the kernel has forgotten the partition."""
    with _photos(tmp_path) as (at, place):
        mount = before(number, lambda: void(run("mount", at.disk.partition(2), place)))
        ran = subfloor("apply", *FOREIGN.words(at), first=mount)
        said = "busy" if number == 1 else "error deleting partition 2"
        assert ran.status == 1 and said in ran.said and "→" in ran.said, ran.said
        assert place.is_mount(), "nothing was tried"
        assert (place / "letter").read_text() == LETTER
        run("umount", place)
        run("mount", at.disk.partition(2), place)
        assert (place / "letter").read_text() == LETTER
        run("umount", place)
        again = subfloor("apply", *FOREIGN.words(at))
        assert again.status == 0, again.said
        at.prove()


RETYPED = Job("data-disk.yml", volumes=({**JOBS["a volume more"].volumes[0], "type": "btrfs", "size": "120MiB"},))
HOME = Job("data-disk.yml", volumes=({**RETYPED.volumes[0], "type": "ext4"},))


def test_a_partition_that_is_finished_and_mounted_just_before_a_command_stays_finished_case_32(tmp_path: Path) -> None:
    """If its name still said unfinished, the next run would make it again without consent."""
    with loop_copy(tmp_path) as at:
        assert subfloor("apply", *HOME.words(at)).status == 0
        (at.root / "home" / "letter").write_text(LETTER)
        at.unmount()
        node, place = at.disk.partition(1), at.root / "elsewhere"
        place.mkdir()
        mount = before(1, lambda: void(run("mount", node, place)))
        ran = subfloor("apply", *RETYPED.words(at), "--destroy", node, first=mount)
        assert ran.status == 1 and "busy" in ran.said, ran.said
        assert (place / "letter").read_text() == LETTER
        at.unmount()
        asked = subfloor("apply", *RETYPED.words(at))
        assert asked.status == 5 and "--destroy" in asked.said, asked.said
        run("mount", node, place)
        assert (place / "letter").read_text() == LETTER


CACHE = Path("/run/blkid/blkid.tab")


def test_a_cached_uuid_does_not_prevent_making_the_filesystem_again(tmp_path: Path) -> None:
    """mkfs.btrfs refuses a UUID that libblkid's cache still tells of, for a while after it was wiped."""
    with loop_copy(tmp_path) as at:
        words = RETYPED.words(at)
        assert subfloor("apply", *words).status == 0
        at.unmount()
        node = at.disk.partition(1)
        uuid, number = said("blkid", "-p", "-o", "value", "-s", "UUID", node), Path(node).stat().st_rdev
        run("sfdisk", "--no-reread", "--no-tell-kernel", "--part-label", at.disk.node, 1, "home.unfinished")

        def remember() -> None:
            CACHE.parent.mkdir(exist_ok=True)
            CACHE.write_text(
                f'<device DEVNO="{number:#06x}" TIME="{time.time():.6f}" UUID="{uuid}" TYPE="btrfs">{node}</device>\n'
            )

        ran = subfloor("apply", *words, first=before("mkfs.btrfs", remember))
        assert f'UUID="{uuid}"' in CACHE.read_text(), "nothing was remembered"
        assert ran.status == 0, ran.said
        assert said("blkid", "-p", "-o", "value", "-s", "UUID", node) == uuid


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR | os.O_EXCL], ids=["open", "held"])
def test_a_new_partition_that_is_open_is_waited_for_or_reported(flags: int, tmp_path: Path) -> None:
    """A daemon opens every partition as soon as there is one; who holds it exclusively keeps it."""
    whole = _whole(PLAIN, tmp_path)
    with loop_copy(tmp_path) as at:
        node, program = at.disk.partition(1), "mkfs.fat"
        ran = subfloor("apply", *PLAIN.words(at), first=before(program, lambda: void(os.open(node, flags))))
        assert ran.status == (1 if flags & os.O_EXCL else 0), ran.said
        if ran.status:
            assert "busy" in ran.said and "→" in ran.said, ran.said
        assert subfloor("apply", *PLAIN.words(at)).status == 0
        assert at.picture() == whole
        at.prove()


def test_a_mount_that_appears_at_our_mount_point_is_reported_case_59(tmp_path: Path) -> None:
    with loop_copy(tmp_path) as at:
        home = at.root / "home"
        words = HOME.words(at)
        mount = before("mount", lambda: void(run("mount", "-t", "tmpfs", "other", home)))
        ran = subfloor("apply", *words, first=mount)
        assert ran.status == 1 and "→" in ran.said, ran.said
        again = subfloor("apply", *words)
        assert again.status == 3 and "stacked" in again.said, again.said
        run("umount", home)
        run("umount", home)
        assert subfloor("apply", *words).status == 0
        assert said("findmnt", "-rno", "FSTYPE", home) == "ext4"
