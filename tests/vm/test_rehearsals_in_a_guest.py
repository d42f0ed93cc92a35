"""A rehearsal from the command line to its end: three runs in a guest of its own, and what comes back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from places import DATA

PLUGINS = DATA / "cli" / "plugins"

TASKS = [
    {"name": "Label", "gpt-label": {"device": "{{ disk }}"}},
    {"name": "One", "note": {"path": "/etc/subfloor-rehearsal", "says": "one"}},
]


def rehearse(path: Path, tasks: Sequence[object], *options: str) -> subprocess.CompletedProcess[str]:
    (path / "plugins").symlink_to(PLUGINS)
    (path / "play.yml").write_text(json.dumps([{"hosts": "all", "seed": "x", "tasks": tasks}]))
    argv = [sys.executable, "-m", "subfloor", "rehearse", "play.yml", "-e", "disk=/dev/vda", *options]
    return subprocess.run(argv, cwd=path, capture_output=True, text=True, timeout=600)


def test_a_play_that_converges_passes_the_rehearsal(tmp_path: Path) -> None:
    done = rehearse(tmp_path, TASKS, "--disk", "1GiB", "--report", "report.json", "--keep")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The rehearsal succeeded" in done.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["behaved"]
    outcomes = [run["report"]["hosts"]["localhost"]["outcome"] for run in report["runs"]]
    assert outcomes == ["applied", "in-sync", "in-sync"]
    assert not Path("/etc/subfloor-rehearsal").exists()
    kept = next(line for line in done.stdout.splitlines() if line.startswith("Kept: /dev/vda is "))
    image = Path(kept.removeprefix("Kept: /dev/vda is "))
    with image.open("rb") as disk:
        disk.seek(512)
        assert disk.read(8) == b"EFI PART"
    shutil.rmtree(image.parent)


def test_a_play_that_does_not_converge_or_cannot_boot_fails_the_rehearsal(tmp_path: Path) -> None:
    tug = {"name": "Two", "note": {"path": "/etc/subfloor-rehearsal", "says": "two"}}
    done = rehearse(tmp_path, [*TASKS, tug], "--disk", "1GiB", "--format", "json", "--reboot")
    assert done.returncode == 1, done.stdout + done.stderr
    changed, unbootable = json.loads(done.stdout)["complaints"]
    # One task undoes what another has done: that is refused before anything is written.
    assert changed == "the first apply ended with exit status 3"
    assert unbootable.startswith("no boot loader was installed")
