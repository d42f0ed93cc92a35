"""What helps to start: new tasks that work, and the playbooks that subfloor brings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from places import ROOT
from subfloor.cli import cli


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(cli, arguments)


def test_a_new_task_works_and_so_does_its_test(tmp_path: Path) -> None:
    result = invoke("new", "task", "host-note", "-C", str(tmp_path))
    assert result.exit_code == 0
    playbook = tmp_path / "play.yml"
    playbook.write_text(f"- hosts: all\n  tasks:\n  - host-note: {{path: {tmp_path}/note, text: hello}}\n")
    assert invoke("check", str(playbook), "--syntax-check").exit_code == 0
    assert "Its only line" in invoke("tasks", "host-note", "--playbook", str(playbook)).stdout
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_a_new_task_overwrites_nothing(tmp_path: Path) -> None:
    assert invoke("new", "task", "note", "-C", str(tmp_path)).exit_code == 0
    assert "there is already a task `note`" in invoke("new", "task", "note", "-C", str(tmp_path)).stderr
    (tmp_path / "plugins/note.py").unlink()
    result = invoke("new", "task", "note", "-C", str(tmp_path))
    assert result.exit_code == 64 and "test_note.py exists" in result.stderr
    assert not (tmp_path / "plugins/note.py").exists()


@pytest.mark.parametrize("name", ["mkfs", "Host", "a_b", "when", "block", "../x"])
def test_invalid_names_of_new_tasks_are_refused(tmp_path: Path, name: str) -> None:
    assert invoke("new", "task", name, "-C", str(tmp_path)).exit_code == 64
    assert not list(tmp_path.iterdir())


def test_the_shipped_playbooks_are_listed_and_copied(tmp_path: Path) -> None:
    result = invoke("playbooks")
    assert "data-disk.yml         One more disk, for data\n" in result.stdout
    assert invoke("playbooks", "--copy", str(tmp_path / "mine"), "data-disk.yml").exit_code == 0
    copied = {str(path.relative_to(tmp_path / "mine")) for path in (tmp_path / "mine").rglob("*.yml")}
    assert copied == {"data-disk.yml", *(f"parts/{path.name}" for path in (ROOT / "playbooks/parts").glob("*.yml"))}
    checked = invoke("check", str(tmp_path / "mine/data-disk.yml"), "-e", "disk=/dev/vdb", "--syntax-check")
    assert checked.exit_code == 0
    assert invoke("playbooks", "--copy", str(tmp_path / "mine")).exit_code == 0


def test_a_playbook_that_was_changed_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "data-disk.yml").write_text("mine")
    result = invoke("playbooks", "--copy", str(tmp_path))
    assert result.exit_code == 64 and "exists and differs. Nothing was copied" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data-disk.yml"]
    assert "did you mean `data-disk.yml`?" in invoke("playbooks", "--copy", str(tmp_path), "data-disc.yml").stderr
