"""What the campaigns apply: the playbooks on a small disk, and what the disk held before."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crash.bench import SEED
from crash.forked import subfloor
from crash.loop_copy import LoopCopy, loop_copy
from foreign_disks import FOREIGN
from loop_disks import run
from places import ROOT

PLAYBOOKS = ROOT / "playbooks"
LETTER = "the only copy\n"
VOLUMES = (
    {"name": "home", "label": "home", "type": "ext4", "size": "40MiB", "path": "home"},
    {"name": "media", "label": "media", "type": "xfs", "size": "300MiB", "path": "media"},
    {"name": "backup", "label": "backup", "type": "btrfs", "size": "rest", "path": "backup"},
)


@dataclass(frozen=True)
class Job:
    """A playbook on a disk: which volumes of `data-disk.yml` it makes, or further arguments; what was there.

    ``rooted``: it is told where the root is.
    """

    playbook: str
    arguments: tuple[str, ...] = ()
    volumes: tuple[dict[str, str], ...] = ()
    before: Callable[[LoopCopy], None] = lambda at: None
    consent: bool = False
    letter: bool = False
    rooted: bool = False

    def words(self, at: LoopCopy) -> list[str]:
        volumes = [{**each, "path": f"{at.root}/{each['path']}"} for each in self.volumes]
        extra = ["-e", f"volumes={json.dumps(volumes)}"] if volumes else []
        extra += ["-e", f"root={at.root}"] if self.rooted else []
        consent = ["--destroy", at.disk.node] if self.consent else []
        here = ["-e", f"disk={at.disk.node}", "-e", f"seed={SEED}"]
        return [str(PLAYBOOKS / self.playbook), *here, *self.arguments, *extra, *consent]


def _home(at: LoopCopy) -> None:
    """The first volume exists already, and holds the user's data."""
    made = subfloor("apply", *Job("data-disk.yml", volumes=VOLUMES[:1]).words(at))
    assert made.status == 0, made.said
    (at.root / "home" / "letter").write_text(LETTER)
    at.unmount()


MOUNTED = str(Path(__file__).parent / "plays" / "mounted.yml")


def _laid_out(at: LoopCopy) -> None:
    """Everything is on the disk, and nothing is mounted."""
    made = subfloor("apply", *Job(MOUNTED, ("--tags", "disk"), rooted=True).words(at))
    assert made.status == 0, made.said


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
    "what is mounted": Job(MOUNTED, before=_laid_out, rooted=True),
}


def start_of(job: Job, work: Path) -> Path:
    """An image of the disk that the job starts from."""
    start = work / "start.img"
    with loop_copy(work) as at:
        job.before(at)
        run("sync", at.disk.node)
        run("cp", "--sparse=always", at.disk.image, start)
    return start
