"""Surroundings in which nothing can be done: what is full, what is read-only, a disk that shrinks to nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from crash.forked import Ran, subfloor
from crash.jobs import JOBS
from crash.loop_copy import LoopCopy, loop_copy
from crash.races import before
from crash.sample import sample
from loop_disks import run, said

pytestmark = pytest.mark.root


def _playbook(work: Path, *tasks: dict[str, Any]) -> list[str]:
    path = work / "play.yml"
    path.write_text(json.dumps([{"name": "One", "hosts": "all", "seed": "one", "tasks": list(tasks)}]))
    return ["apply", str(path)]


def _failed(ran: Ran, *words: str, status: int = 1) -> None:
    assert ran.status == status and "→" in ran.said and "Traceback" not in ran.said, ran.said
    assert any(word in ran.said for word in words), ran.said


def _fill(directory: Path) -> Path:
    """Take all the room that there is."""
    ballast = directory / "ballast"
    run("dd", "if=/dev/zero", f"of={ballast}", "bs=4096", "status=none", check=False)
    assert os.statvfs(directory).f_bavail == 0
    return ballast


def _config(root: Path, hostname: str) -> dict[str, Any]:
    return {"nixos-config": {"root": str(root), "hostname": hostname, "state_version": "24.05", "boot_loader": "none"}}


def _tmpfs(at: LoopCopy) -> Path:
    run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", _made(at.root / "full"))
    return at.root / "full"


def _ext4(at: LoopCopy, *options: str) -> Path:
    run("mkfs.ext4", "-q", "-F", *options, at.disk.node)
    # Without delayed allocation, which keeps some room back.
    run("mount", "-o", "nodelalloc", at.disk.node, _made(at.root / "full"))
    return at.root / "full"


def _made(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize("filesystem", [_tmpfs, lambda at: _ext4(at, "-b", "4096")], ids=["tmpfs", "ext4"])
def test_without_free_space_existing_files_stay_complete_case_64(
    filesystem: Callable[[LoopCopy], Path], tmp_path: Path
) -> None:
    with loop_copy(tmp_path, size="16MiB") as at:
        root = filesystem(at)
        assert subfloor(*_playbook(tmp_path, _config(root, "first"))).status == 0
        files = _texts(root / "etc" / "nixos")
        ballast = _fill(root)
        _failed(subfloor(*_playbook(tmp_path, _config(root, "other"))), "No space left on device")
        assert {name: text for name, text in _texts(root / "etc" / "nixos").items() if name in files} == files
        ballast.unlink()
        assert subfloor(*_playbook(tmp_path, _config(root, "other"))).status == 0
        now = _texts(root / "etc" / "nixos")
        assert now.keys() == files.keys() and now != files


def _texts(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_missing_inodes_are_reported_and_the_next_run_resumes_case_64(tmp_path: Path) -> None:
    with loop_copy(tmp_path, size="16MiB") as at:
        root = _ext4(at, "-N", "16")
        spare = [root / str(number) for number in range(os.statvfs(root).f_ffree)]
        for path in spare:
            path.touch()
        words = _playbook(tmp_path, {"directory": {"path": str(root / "a" / "b")}})
        _failed(subfloor(*words), "No space left on device")
        for path in spare:
            path.unlink()
        assert subfloor(*words).status == 0 and (root / "a" / "b").is_dir()


def test_a_read_only_filesystem_is_reported_and_the_next_run_resumes_case_64(tmp_path: Path) -> None:
    with loop_copy(tmp_path, size="16MiB") as at:
        root = _ext4(at)
        run("mount", "-o", "remount,ro", root)
        words = _playbook(tmp_path, {"directory": {"path": str(root / "a")}})
        ran = subfloor(*words)
        _failed(ran, "Read-only file system", "read-only", status=ran.status)
        assert ran.status in (1, 3)
        run("mount", "-o", "remount,rw", root)
        assert subfloor(*words).status == 0 and (root / "a").is_dir()


def test_a_disk_that_becomes_read_only_during_a_run_is_reported_case_21(tmp_path: Path) -> None:
    job = JOBS["ext4-root"]
    for number in sample(range(1, 30), 2, seed="read-only"):
        with loop_copy(tmp_path) as at:
            ran = subfloor("apply", *job.words(at), first=before(number, partial(_set, "ro", at)))
            _failed(ran, "ended with status", "read only: expected no, found yes")
            _set("rw", at)
            assert subfloor("apply", *job.words(at)).status == 0, number
            at.prove()


def _set(mode: str, at: LoopCopy) -> None:
    for node in (Path(at.disk.node), *Path("/dev").glob(f"{Path(at.disk.node).name}p*")):
        run("blockdev", f"--set{mode}", node)


def test_a_disk_whose_size_becomes_0_during_a_run_is_reported_case_21(tmp_path: Path) -> None:
    """What is left when its medium, or the host behind it, goes away: a device without a size."""
    job = JOBS["ext4-root"]
    for number in sample(range(1, 30), 2, seed="nothing"):
        with loop_copy(tmp_path) as at:
            ran = subfloor("apply", *job.words(at), first=before(number, partial(at.disk.resize, "0")))
            _failed(ran, "/dev/loop")
            gone = subfloor("apply", *job.words(at))
            _failed(gone, "has no size", status=3)
            at.disk.resize("512MiB")
            at.disk.forget_partitions()
            assert subfloor("apply", *job.words(at)).status == 0, number
            at.prove()


def test_a_disk_of_size_0_is_refused_case_21(tmp_path: Path) -> None:
    with loop_copy(tmp_path, size="0") as at:
        assert said("blockdev", "--getsize64", at.disk.node) == "0"
        _failed(subfloor("apply", *JOBS["ext4-root"].words(at)), "has no size", status=3)
