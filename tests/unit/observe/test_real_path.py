"""Where a path really leads: said with the fewest programs, and yet as others say it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from subfloor.observe.path import real_path

TREE = ("plain/deep", "there's a space/and \\ more")
LINKS = {
    "relative": "plain",
    "absolute": "{root}/plain/deep",
    "of a link": "relative/deep",
    "up": "plain/../plain/./deep/",
    "dangling": "gone",
    "plain/inside": "../there's a space",
    "to the root": "/",
}
ENDS = ("", "/deep", "/deep/not/there", "/not/there", "/inside", "/inside/and \\ more/x")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in TREE:
        (tmp_path / name).mkdir(parents=True)
    for name, to in LINKS.items():
        (tmp_path / name).symlink_to(to.format(root=tmp_path))
    (tmp_path / "round").symlink_to("round")
    return tmp_path


def told(path: str) -> str:
    done = subprocess.run(["sh", "-c", real_path(path)], capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("start", ["plain", *TREE, *LINKS, "nowhere"])
def test_the_real_path_equals_that_of_realpath(root: Path, start: str, end: str) -> None:
    path = f"{root}/{start}{end}"
    assert told(path) == f"{os.path.realpath(path)}\n"


def test_a_link_to_itself_resolves_to_itself(root: Path) -> None:
    assert told(f"{root}/round") == f"{root}/round\n"


def test_the_root_resolves_to_itself(root: Path) -> None:
    assert told("/") == "/\n"


def test_no_program_is_started_for_a_path_without_links(root: Path) -> None:
    words = ["env", "-i", "PATH=/nowhere", "/bin/sh", "-c", real_path(f"{root.resolve()}/plain/deep/gone")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"{root.resolve()}/plain/deep/gone\n", "")
