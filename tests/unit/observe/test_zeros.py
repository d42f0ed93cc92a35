"""Zeros at many places of a disk: the same with perl and without it, and nothing beside them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from subfloor.core.task import Command
from subfloor.observe.disk import DiskState
from subfloor.steps.partitioning import erase
from subfloor.storage.sizes import MIB

PLACES = ((9 * MIB, 4096), (12 * MIB, 3 * MIB + 512))
SIZE = 32 * MIB


def zeros(image: Path) -> Command:
    """The command of an erasure that empties the places besides the ends."""
    commands = erase(DiskState(str(image), SIZE), PLACES)
    return next(each for each in commands if each.argv[3:4] == ("zeros",))


def ran(command: Command, programs: Path, *, perl: bool) -> subprocess.CompletedProcess[bytes]:
    """The result of a command if only these programs are installed."""
    programs.mkdir()
    for name in ("sh", "dd", "sync", *(("perl",) if perl else ())):
        (programs / name).symlink_to(str(shutil.which(name)))
    return subprocess.run(command.argv, input=command.stdin, env={"PATH": str(programs)}, capture_output=True)


@pytest.mark.parametrize("perl", [True, False], ids=["perl", "dd"])
def test_zeros_are_written_to_the_given_places_only(perl: bool, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(wanted := bytearray(b"x" * SIZE))
    assert not ran(zeros(image), tmp_path / "bin", perl=perl).returncode
    for start, size in PLACES:
        wanted[start : start + size] = bytes(size)
    assert image.read_bytes() == wanted


@pytest.mark.parametrize("perl", [True, False], ids=["perl", "dd"])
def test_a_failed_write_of_zeros_is_an_error(perl: bool, tmp_path: Path) -> None:
    done = ran(zeros(Path("/dev/full")), tmp_path / "bin", perl=perl)
    assert done.returncode and done.stderr
