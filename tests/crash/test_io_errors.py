"""A disk that fails a request, each in turn: it is said, nothing is lost, "in sync" is never said of what is not on
the medium, and the next run comes right.

These tests want the kernel to themselves: a disk that fails is felt by whoever scans all of them.
Told by `SUBFLOOR_CRASH=all` to try every request; else a sample with a fixed seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from counting import Count
from crash.forked import Ran, subfloor
from crash.io_errors import Failing, Request, counting_disk, failing_disk
from crash.jobs import JOBS, LETTER, Job, start_of
from crash.loop_copy import LoopCopy, loop_copy
from crash.sample import sample
from loop_disks import LoopDisk, run

pytestmark = [pytest.mark.root, pytest.mark.alone]

FILLED = ("nixos-tmpfs-root", "data-disk", "f2fs", "a volume more", "another label")
DISK = ("--tags", "disk")
"""Nothing is mounted from a disk that fails: that would be a test of the kernel's filesystems."""


@pytest.mark.parametrize("job", FILLED)
def test_reported_work_is_on_the_medium_after_any_failed_request(job: str, tmp_path: Path, count: Count) -> None:
    start = start_of(JOBS[job], tmp_path)
    whole, many = _whole(JOBS[job], start, tmp_path)
    every = [
        Failing(request, number, forever)
        for request, each in many.items()
        if request != "read" or JOBS[job].letter  # what is read of a blank disk is the business of the test below
        for number in range(1, each + 1)
        for forever in (False, True)
    ]
    _each(sample(every, 2, seed=job), lambda failing: _try(JOBS[job], failing, start, whole, tmp_path), count)


def _whole(job: Job, start: Path, work: Path) -> tuple[Sequence[str], dict[Request, int]]:
    """The result of the job without a failure, and how many requests of each kind it makes."""
    image = _copy(start, work)
    with counting_disk(work, image) as counted:
        ran = _apply(job, counted.disk, work)
        count = counted.requests()
    assert ran.status == 0, ran.said
    with loop_copy(work, image) as at:
        at.prove()
        return at.picture(), count


def _try(job: Job, failing: Failing, start: Path, whole: Sequence[str], work: Path) -> None:
    image = _copy(start, work)
    with failing_disk(work, image, failing) as disk:
        ran = _apply(job, disk, work)
        if ran.status and not failing.forever:
            _is_clear(ran)
            ran = _apply(job, disk, work)  # with all that this kernel still believes to be on the disk
    told = f"{failing}\n{ran.said}"
    with loop_copy(work, image) as at:  # nothing but what the medium has
        if ran.status:
            _is_clear(ran)
            again = subfloor("apply", *job.words(at), *DISK)
            assert again.status == 0, f"{told}\n{again.said}"
        assert at.picture() == whole, told
        if job.letter:
            run("mount", at.disk.partition(1), at.root)
            assert (at.root / "letter").read_text() == LETTER, told
        at.prove()


STARTS = ("whole", "another's disk", "blank")


@pytest.mark.parametrize("held", STARTS)
def test_an_unreadable_disk_counts_neither_as_blank_nor_as_in_sync(held: str, tmp_path: Path, count: Count) -> None:
    job = JOBS["another's disk"]
    start = _start(held, tmp_path)
    image = _copy(start, tmp_path)
    with counting_disk(tmp_path, image) as counted:
        said = _check(job, counted.disk, tmp_path).said.replace(counted.disk.node, "DISK")
        many = counted.requests()["read"]
    every = [Failing("read", number, forever) for number in range(1, many + 1) for forever in (False, True)]

    def read(failing: Failing) -> None:
        with failing_disk(tmp_path, _copy(start, tmp_path), failing) as disk:
            found = _check(job, disk, tmp_path)
        # The kernel reads again, or has it read already: then nobody notices, and the answer is the same.
        # Space that no partition has is not needed for the answer: the loss then names it as what cannot be read.
        if found.status == 1:
            _is_clear(found)
        elif "what cannot be read" in found.said:
            assert found.status == 5, f"{failing}\n{found.said}"
        else:
            assert found.said.replace(disk.node, "DISK") == said, f"{failing}\n{found.said}"

    _each(sample(every, 4, seed=held), read, count)


def _start(held: str, work: Path) -> Path:
    """An image of a disk: the job's result, another system's, or a blank one."""
    job = JOBS["another's disk"]
    start = start_of(job if held == "another's disk" else Job("ext4-root.yml"), work)
    if held == "whole":
        with loop_copy(work, start) as at:
            made = subfloor("apply", *job.words(at))
            assert made.status == 0, made.said
            run("sync", at.disk.node)
            run("cp", "--sparse=always", at.disk.image, start)
    return start


def _each(chosen: Sequence[Failing], attempt: Callable[[Failing], None], count: Count) -> None:
    wrong = []
    for failing in chosen:
        try:
            attempt(failing)
            count("I/O errors", "told, and carried on from")
        except AssertionError as error:
            wrong.append(f"{failing}: {error}")
            count("I/O errors", "wrong")
    assert not wrong, f"{len(wrong)} of {len(chosen)}:\n" + "\n\n".join(wrong)


def _copy(start: Path, work: Path) -> Path:
    image = work / "faulty.img"
    run("cp", "--sparse=always", "--reflink=auto", start, image)
    return image


def _apply(job: Job, disk: LoopDisk, work: Path) -> Ran:
    return subfloor("apply", *job.words(LoopCopy(disk, work / "root")), *DISK)


def _check(job: Job, disk: LoopDisk, work: Path) -> Ran:
    """Without consent: so nothing is written in any case."""
    words = [word for word in job.words(LoopCopy(disk, work / "root")) if word not in ("--destroy", disk.node)]
    return subfloor("check", *words)


def _is_clear(ran: Ran) -> None:
    assert ran.status == 1 and "→" in ran.said and "Traceback" not in ran.said, ran.said
