"""Every command of every playbook meets with every fault that a program can have: it is said clearly, nothing is
lost, and the next run, unasked, comes to the same end as one that nothing went wrong in.

Told by `SUBFLOOR_CRASH=all` to try all of it; else a sample with a fixed seed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from crash.faulty_programs import Meeting, meetings, survey, surveyed
from crash.forked import Ran, subfloor
from crash.sample import sample
from crash.stand import Stand, stand
from foreign_disks import FOREIGN
from loop_disks import run

pytestmark = pytest.mark.root

PLAYBOOKS = Path(__file__).parent.parent.parent / "playbooks"
LETTER = "the only copy\n"
VOLUMES = (
    {"name": "home", "label": "home", "type": "ext4", "size": "40MiB", "path": "home"},
    {"name": "media", "label": "media", "type": "xfs", "size": "300MiB", "path": "media"},
    {"name": "backup", "label": "backup", "type": "btrfs", "size": "rest", "path": "backup"},
)


@dataclass(frozen=True)
class Job:
    """A playbook on a disk: which volumes of `data-disk.yml` it makes, or further arguments; what was there."""

    playbook: str
    arguments: tuple[str, ...] = ()
    volumes: tuple[dict[str, str], ...] = ()
    before: Callable[[Stand], None] = lambda at: None
    consent: bool = False
    letter: bool = False

    def words(self, at: Stand) -> list[str]:
        volumes = [{**each, "path": f"{at.root}/{each['path']}"} for each in self.volumes]
        extra = ["-e", f"volumes={json.dumps(volumes)}"] if volumes else []
        consent = ["--destroy", at.disk.node] if self.consent else []
        return [str(PLAYBOOKS / self.playbook), "-e", f"disk={at.disk.node}", *self.arguments, *extra, *consent]


def _home(at: Stand) -> None:
    """The first volume is there already, and somebody keeps something in it."""
    made = subfloor("apply", *Job("data-disk.yml", volumes=VOLUMES[:1]).words(at))
    assert made.status == 0, made.said
    (at.root / "home" / "letter").write_text(LETTER)
    at.unmount()


RELABELLED = ({**VOLUMES[0], "label": "other"},)
SMALL = ("-e", "esp_size=40MiB", "-e", "swap=16MiB")
JOBS = {
    "nixos-tmpfs-root": Job("nixos-tmpfs-root.yml", ("--tags", "disk", *SMALL)),
    "ext4-root": Job("ext4-root.yml", ("--tags", "disk", *SMALL)),
    "data-disk": Job("data-disk.yml", volumes=VOLUMES),
    "f2fs": Job("nixos-tmpfs-root.yml", ("--tags", "disk", "-e", "nix_type=f2fs", *SMALL)),
    "a volume more": Job("data-disk.yml", volumes=VOLUMES[:2], before=_home, letter=True),
    "another label": Job("data-disk.yml", volumes=RELABELLED, before=_home, letter=True),
    "another's disk": Job(
        "ext4-root.yml",
        ("--tags", "disk", *SMALL),
        before=lambda at: FOREIGN["gpt-with-gaps-case-36"](at.disk),
        consent=True,
    ),
}


@pytest.mark.parametrize("job", JOBS)
def test_whatever_a_program_does_the_next_run_comes_right_case_56(job: str, tmp_path: Path) -> None:
    start, whole, met = _surveyed(JOBS[job], tmp_path)
    chosen = sample(met, 2, seed=job)
    for meeting in chosen:
        with stand(tmp_path, start) as at:
            _try(JOBS[job], meeting, at, whole)
    print(f"{job}: {len(chosen)} of {len(met)} faults, each carried on from to the same end")


def _surveyed(job: Job, work: Path) -> tuple[Path, Sequence[str], list[Meeting]]:
    """The disk that the job starts from, what it comes to when nothing goes wrong, and what could go wrong."""
    start, log = work / "start.img", work / "calls"
    with stand(work) as at:
        job.before(at)
        run("sync", at.disk.node)
        run("cp", "--sparse=always", at.disk.image, start)
    with stand(work, start) as at:
        ran = subfloor("apply", *job.words(at), first=survey(log, _nodes(at)))
        assert ran.status == 0, ran.said
        whole = at.picture()
        at.prove()
    return start, whole, meetings(surveyed(log))


def _nodes(at: Stand) -> list[str]:
    return [at.disk.node, *map(at.disk.partition, range(1, 10))]


def _try(job: Job, meeting: Meeting, at: Stand, whole: Sequence[str]) -> None:
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
    assert "→" in ran.said and "to go on:" in ran.said, ran.said
    if meeting.fault.says:
        assert meeting.call.argv[0] in ran.said and meeting.fault.says in ran.said, f"{meeting}\n{ran.said}"
