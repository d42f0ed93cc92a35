"""What could not be seen is never taken for what is not there."""

from __future__ import annotations

import subprocess
from pathlib import Path as FilePath

import pytest

from subfloor.errors import LookFailed
from subfloor.machine import AnySubject, Output
from subfloor.subjects.path import Absent, Path
from subfloor.subjects.swap import Swap, SwapState
from subfloor.subjects.tag import Tag


def looked(subject: AnySubject, path: str = "/usr/sbin:/usr/bin:/sbin:/bin") -> object:
    """What a subject's probes and parser make of this machine, with these programs."""
    done = [
        subprocess.run(["/bin/sh", "-c", probe], capture_output=True, env={"PATH": path}) for probe in subject.probes()
    ]
    return subject.parse(*(Output(each.stdout, each.returncode) for each in done))


def test_without_stat_a_path_is_not_absent(tmp_path: FilePath) -> None:
    (tmp_path / "there").touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "readlink").symlink_to("/bin/readlink")
    with pytest.raises(LookFailed, match="there cannot be looked at"):
        looked(Path(str(tmp_path / "there")), str(tmp_path / "bin"))
    with pytest.raises(LookFailed, match="gone cannot be looked at"):
        looked(Path(str(tmp_path / "gone")), str(tmp_path / "bin"))
    assert looked(Path(str(tmp_path / "gone"))) == Absent()


def test_a_list_of_swap_areas_that_cannot_be_read_is_not_empty() -> None:
    with pytest.raises(LookFailed, match="/proc/swaps cannot be read"):
        Swap("/dev/vda2").parse(Output(b"/dev/vda2\n"), Output(b"", 1))
    assert Swap("/dev/vda2").parse(Output(b"/dev/vda2\n"), Output(b"")) == SwapState()


@pytest.mark.parametrize("status", [1, 4, 8, 127])
def test_a_search_for_a_tag_that_fails_finds_not_nothing(status: int) -> None:
    with pytest.raises(LookFailed, match="cannot be looked for"):
        Tag("LABEL=nixos").parse(Output(b"", status))
    assert Tag("LABEL=nixos").parse(Output(b"", 2)) == ()
