"""Every command of every playbook meets with every fault that a program can have: it is said clearly, nothing is
lost, and the next run, unasked, comes to the same end as one that nothing went wrong in.

Told by `SUBFLOOR_CRASH=all` to try all of it; else a sample with a fixed seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from counting import Count
from crash.faulty_programs import Meeting, meetings, survey, surveyed
from crash.forked import Ran, subfloor
from crash.jobs import JOBS, LETTER, Job, start_of
from crash.loop_copy import LoopCopy, loop_copy
from crash.sample import sample

pytestmark = pytest.mark.root


@pytest.mark.parametrize("job", JOBS)
def test_the_next_run_succeeds_after_any_faulty_program_case_56(job: str, tmp_path: Path, count: Count) -> None:
    start, whole, met = _surveyed(JOBS[job], tmp_path)
    # On a blank disk the jobs have most of their commands in common.
    chosen, wrong = sample(met, 2 if JOBS[job].letter or JOBS[job].consent else 1, seed=job), []
    for meeting in chosen:
        try:
            with loop_copy(tmp_path, start) as at:
                _try(JOBS[job], meeting, at, whole)
            count("faulty programs", "carried on from, to the same end")
        except AssertionError as error:
            wrong.append(f"{meeting}: {error}")
            count("faulty programs", "wrong")
    assert not wrong, f"{len(wrong)} of {len(chosen)}:\n" + "\n\n".join(wrong)


@pytest.mark.parametrize("job", ("nixos-tmpfs-root", "data-disk", "f2fs"))
def test_incomplete_work_is_never_marked_finished_case_56(job: str, tmp_path: Path, count: Count) -> None:
    """Each program that makes a filesystem ends with 0 and has done nothing: the next run makes it, unasked."""
    start, whole, met = _surveyed(JOBS[job], tmp_path)
    idle = [
        each for each in met if each.call.argv[0].startswith(("mkfs", "mkswap")) and each.fault.name == "does nothing"
    ]
    assert idle
    for meeting in sample(idle, 2, seed=job):
        with loop_copy(tmp_path, start) as at:
            _try(JOBS[job], meeting, at, whole)
        count("faulty programs", "made nothing, made by the next run")


def _surveyed(job: Job, work: Path) -> tuple[Path, Sequence[str], list[Meeting]]:
    """The disk that the job starts from, its result without a fault, and the possible faults."""
    start, log = start_of(job, work), work / "calls"
    with loop_copy(work, start) as at:
        ran = subfloor("apply", *job.words(at), first=survey(log, _nodes(at)))
        assert ran.status == 0, ran.said
        whole = at.picture()
        at.prove()
    return start, whole, meetings(surveyed(log))


def _nodes(at: LoopCopy) -> list[str]:
    return [at.disk.node, *map(at.disk.partition, range(1, 10))]


def _try(job: Job, meeting: Meeting, at: LoopCopy, whole: Sequence[str]) -> None:
    words = job.words(at)
    broken = subfloor("apply", *words, first=meeting.arrange(at.root.parent, _nodes(at)))
    told = f"{meeting}\n{broken.said}"
    assert broken.status in (0, 1), told
    if broken.status:
        _is_clear(meeting, broken)
        again = subfloor("apply", *words)
        assert again.status == 0, f"{told}\n{again.said}"
    else:
        assert not meeting.fault.says, told  # it may be that nothing had to be done: the disk says whether
    assert at.picture() == whole, told
    if job.letter:
        assert (at.root / "home" / "letter").read_text() == LETTER, told
    at.prove()


def _is_clear(meeting: Meeting, ran: Ran) -> None:
    """It says which command, what it said, and what to do."""
    assert "Traceback" not in ran.said, ran.said
    assert "→" in ran.said and "resume with:" in ran.said, ran.said
    if meeting.fault.says:
        assert meeting.call.argv[0] in ran.said and meeting.fault.says in ran.said, f"{meeting}\n{ran.said}"
