"""A saved report replaces its file at once: a reader sees the old one or the new one, whole."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import click
import pytest

from cli_workspace import Workspace, write
from subfloor.cli import files


def names(path: Path) -> list[str]:
    return [each.name for each in path.iterdir()]


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "report.prom"
    files.save(path, "one\n")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("one\n", 0o644)
    path.chmod(0o600)
    with path.open() as reader:
        files.save(path, "two\n")
        assert reader.read() == "one\n"
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("two\n", 0o600)
    assert names(tmp_path) == ["report.prom"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    files.save(path, "one\n")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.save(path, "two\n")
    assert path.read_text() == "one\n" and names(tmp_path) == ["report.html"]


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "report.json"
    link.symlink_to("real/report.json")
    files.save(link, "one\n")
    assert link.is_symlink() and (tmp_path / "real" / "report.json").read_text() == "one\n"


def test_checking_leaves_nothing_behind(tmp_path: Path) -> None:
    files.check_writable(tmp_path / "x.xml", "--report")
    assert names(tmp_path) == ["x.xml"]
    with pytest.raises(click.UsageError, match="cannot be written"):
        files.check_writable(tmp_path / "no" / "x.xml", "--report")


@pytest.mark.parametrize(
    ("name", "begins", "says"),
    [
        ("r.html", "<!doctype html>", "drift"),
        ("r.md", "# check: drift", "Write one"),
        ("r.xml", "<?xml", 'name="Write one"'),
        ("r.prom", "# HELP", "subfloor_exit_status"),
        ("r.json", "{", '"version": 1'),
        ("r", "{", '"version": 1'),
    ],
)
def test_the_name_determines_the_format(tmp_path: Path, name: str, begins: str, says: str) -> None:
    workspace = Workspace(tmp_path)
    workspace.play(write("one"))
    assert workspace.run("check", "--report", str(tmp_path / name)).exit_code == 2
    text = (tmp_path / name).read_text()
    assert text.startswith(begins) and says in text


def test_a_mistake_in_the_playbook_is_in_the_metrics(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.play({"nott": []})
    assert workspace.run("check", "--report", str(tmp_path / "r.prom")).exit_code == 64
    assert 'subfloor_exit_status{play="",command="check"} 64\n' in (tmp_path / "r.prom").read_text()
