"""A saved plan of a real disk: applied as reviewed, and refused, without a write, if the disk changed since."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loop_disks import LoopDisk, MakeDisk, disk, run

pytestmark = pytest.mark.root

__all__ = ["disk"]  # a fixture


def play(made: LoopDisk, path: Path) -> Path:
    part = made.partition(1)
    tasks = [
        {"gpt-label": {"device": made.node, "disk": str(path)}},
        {"aligned-partition": {"device": made.node, "number": 1, "name": "home", "type": "linux", "size": "rest"}},
        {"mkfs": {"device": part, "type": "ext4", "label": "home"}},
    ]
    playbook = path / "play.yml"
    playbook.write_text(json.dumps([{"hosts": "all", "seed": str(path), "tasks": tasks}]))
    return playbook


def ran(*arguments: object) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "subfloor", *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_a_plan_is_applied_as_reviewed_and_refused_after_a_change(disk: MakeDisk, tmp_path: Path) -> None:
    vda, plan = disk("128MiB"), tmp_path / "plan.json"
    playbook = play(vda, tmp_path)
    assert ran("check", playbook, "--save-plan", plan).returncode == 2
    run("mkfs.ext4", "-q", "-L", "photos", vda.node)
    before = vda.digest(), vda.writes()
    refused = ran("apply", playbook, "--plan", plan, "--destroy", vda.node)
    assert refused.returncode == 3 and "photos" in refused.stderr, refused
    assert (vda.digest(), vda.writes()) == before
    run("dd", "if=/dev/zero", f"of={vda.node}", "bs=1M", "count=128", "conv=fsync")
    done = ran("apply", playbook, "--plan", plan)
    assert done.returncode == 0, done
    assert ran("check", playbook).returncode == 0


def test_another_disk_under_the_same_name_is_refused(disk: MakeDisk, tmp_path: Path) -> None:
    vda, plan = disk("128MiB"), tmp_path / "plan.json"
    playbook = play(vda, tmp_path)
    assert ran("check", playbook, "--save-plan", plan).returncode == 2
    vda.resize("160MiB")
    refused = ran("apply", playbook, "--plan", plan)
    assert refused.returncode == 3 and f"+ {vda.node} {160 << 20} bytes" in refused.stderr, refused
