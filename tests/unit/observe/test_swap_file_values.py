"""What the subjects `SwapInFile` and `ResumeOffset` make of what the programs print."""

from __future__ import annotations

import pytest

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output
from subfloor.observe.path import Absent
from subfloor.observe.swap_file import Offset, OffsetState, ResumeOffset, SwapInFile, SwapInFileState

EXT4 = b"size=8388608\nblocks=16384\nunit=512\nDEVNAME=/x\nUUID=76-60\nVERSION=1\nTYPE=swap\nUSAGE=other\nend=\n"


def parsed(stdout: bytes, status: int = 0) -> SwapInFileState | Absent:
    found = SwapInFile("/x").parse(Output(stdout, status))
    assert isinstance(found, SwapInFileState | Absent)
    return found


def test_the_state_of_a_swap_file_is_parsed() -> None:
    ours = SwapInFileState("8MiB", content="swap", uuid="76-60")
    assert parsed(EXT4) == ours
    assert parsed(EXT4.replace(b"16384", b"16376")) == SwapInFileState("8MiB", True, content="swap", uuid="76-60")
    assert parsed(b"flags=---------------C------ /C\n" + EXT4) == ours
    assert parsed(b"flags=---------------------- /C\n" + EXT4) == SwapInFileState(
        "8MiB", copied=True, content="swap", uuid="76-60"
    )
    assert parsed(b"active=5\n" + EXT4) == SwapInFileState("8MiB", False, False, "swap", "76-60", True, 5)
    assert parsed(b"active=-2\n" + EXT4) == SwapInFileState("8MiB", False, False, "swap", "76-60", True)
    assert parsed(b"", 3) == Absent()


@pytest.mark.parametrize(("stdout", "status"), [(EXT4, 1), (EXT4[:-5], 0), (b"", 0), (b"end=\n", 0)])
def test_incomplete_output_is_a_failed_look(stdout: bytes, status: int) -> None:
    with pytest.raises(LookFailed):
        parsed(stdout, status)


FRAG = b"""page 4096
Filesystem type is: ef53
File size of /x is 8388608 (16384 blocks of 512 bytes)
 ext:     logical_offset:        physical_offset: length:   expected: flags:
   0:        0..       7:      32768..     32775:      8:
   1:        8..   16383:      32776..     49151:  16376:             last,unwritten,eof
/x: 1 extent found
"""


def offset(stdout: bytes, status: int = 0) -> OffsetState:
    return ResumeOffset("/x").parse(Output(stdout, status))


def test_the_resume_offset_is_parsed() -> None:
    assert offset(b"btrfs 3328\n") == Offset(3328)
    assert offset(FRAG) == Offset(4096)
    assert offset(FRAG.replace(b"page 4096", b"page 65536")) == Absent(), "the first page is in two pieces"
    assert offset(FRAG.replace(b" 32768..", b" 32770..")) == Absent(), "it does not begin where a page begins"
    for stdout, status in ((b"", 1), (b"", 0), (b"page 4096\n", 0), (FRAG, 1)):
        assert offset(stdout, status) == Absent()
