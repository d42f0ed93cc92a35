"""The mark at the end of a whole disk."""

from __future__ import annotations

from uuid import UUID

import pytest

from subfloor.storage.end_mark import LENGTH, ROOM, EndMark, parse, place, room
from subfloor.storage.sizes import MIB

_VOLUME = UUID("79ae4415-ccb3-5e82-8a37-135d19b37440")


@pytest.mark.parametrize("stage", [".unfinished", ".labelling"])
def test_a_mark_is_read_as_it_was_written(stage: str) -> None:
    mark = EndMark(_VOLUME, stage)
    assert parse(mark.bytes.ljust(LENGTH, b"\0")) == mark
    assert len(mark.bytes) < LENGTH


@pytest.mark.parametrize(
    "piece",
    [
        b"",
        bytes(LENGTH),
        b"\xff" * LENGTH,
        b"subfloor: the content of this disk is " + b"0" * 36 + b".unfinished\n",
        EndMark(_VOLUME, ".finished").bytes,
        EndMark(_VOLUME, "").bytes,
        EndMark(_VOLUME, ".unfinished").bytes + b"someone's data",
        b"x" + EndMark(_VOLUME, ".unfinished").bytes,
    ],
)
def test_other_bytes_are_not_read_as_a_mark(piece: bytes) -> None:
    assert parse(piece) is None


@pytest.mark.parametrize("size", [3 * MIB, 3 * MIB + 512, 400 * MIB - 4096])
def test_the_content_ends_before_the_mark(size: int) -> None:
    assert room(size) <= place(size) == size - ROOM
    assert room(size) % MIB == 0 and size - room(size) < 2 * MIB
