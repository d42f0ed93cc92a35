"""What the subject `Subvolume` makes of what the programs print."""

from __future__ import annotations

import pytest

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output
from subfloor.observe.path import Absent
from subfloor.observe.subvolume import Found, Subvolume, SubvolumeState

PLAIN = b"id=257\nro=false\nflags=---------------------- /top/@a\ndefault=ID 5 (FS_TREE)\nend=\n"
QUOTAS = b"""id=25
ro=true
compression=zstd:3
flags=---------------C------ /top/@a C
default=ID 25 gen 9 top level 5 path @a
quotas=
Qgroupid    Referenced    Exclusive  Max referenced   Path
--------    ----------    ---------  --------------   ----
0/257            16384        16384         1048576   @b
0/25             16384        16384        67108864   @a
filled=
end=
"""


def parsed(stdout: bytes, status: int = 0) -> Found:
    return Subvolume("/top/@a").parse(Output(stdout, status))


def test_the_state_of_a_subvolume_is_parsed() -> None:
    assert parsed(PLAIN) == SubvolumeState()
    assert parsed(QUOTAS) == SubvolumeState(True, True, "zstd", True, True, "64MiB")
    assert parsed(QUOTAS.replace(b"67108864", b"none    ")) == SubvolumeState(True, True, "zstd", True, True)
    assert parsed(PLAIN.replace(b"flags", b"compression=no\nflags")) == SubvolumeState(compression="none")
    full, empty = parsed(QUOTAS), parsed(PLAIN)
    assert isinstance(full, SubvolumeState) and not full.empty
    assert isinstance(empty, SubvolumeState) and empty.empty
    assert parsed(b"", 3) == Absent()


@pytest.mark.parametrize("cut", range(len(PLAIN.splitlines())))
def test_incomplete_output_is_a_failed_look(cut: int) -> None:
    """Neither a probe that failed, nor an output that lacks a line."""
    lines = PLAIN.splitlines(keepends=True)
    with pytest.raises(LookFailed):
        parsed(b"".join(lines[:cut]))
    with pytest.raises(LookFailed):
        parsed(PLAIN, 1)
