"""What is on a disk, as a value to replay writes on: sparse, cheap to copy, and compared by a digest.

A crash state is made by replaying some of the writes of a recorded run over what was there before. Thousands
of them are made and most are equal, so the digest is kept up to date with each write.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

BLOCK = 4096
SECTOR = 512
_ZEROS = bytes(BLOCK)
_RUN = 256
"""How many blocks are read or written at once."""


@dataclass(frozen=True)
class Write:
    """Bytes written at an offset; ``data`` is None where they are zeros (a discard, or zeros written as such)."""

    at: int
    length: int
    data: bytes | None

    def part(self, begin: int, end: int) -> Write:
        """The bytes from ``begin`` to ``end`` of it, counted from its start."""
        data = None if self.data is None else self.data[begin:end]
        return Write(self.at + begin, end - begin, data)


@dataclass(frozen=True)
class Flush:
    """All that was written before is on the disk for good."""


Event = Write | Flush


class Content:
    """The blocks of a disk of ``size`` bytes that are not all zeros."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._blocks: dict[int, bytes] = {}
        self._digest = 0

    def copy(self) -> Content:
        made = Content(self.size)
        made._blocks, made._digest = dict(self._blocks), self._digest
        return made

    @property
    def digest(self) -> str:
        """Equal for equal content, whatever the order of the writes that made it."""
        return f"{self._digest:032x}"

    def replay(self, events: Iterable[Event]) -> Content:
        """Itself, after these."""
        for event in events:
            if isinstance(event, Write):
                self.write(event)
        return self

    def write(self, write: Write) -> None:
        end = write.at + write.length
        for number in self._touched(write, range(write.at // BLOCK, -(-end // BLOCK))):
            begin = number * BLOCK
            low, high = max(write.at, begin), min(end, begin + BLOCK)
            new = bytes(high - low) if write.data is None else write.data[low - write.at : high - write.at]
            if high - low < BLOCK:
                old = self._blocks.get(number, _ZEROS)
                new = old[: low - begin] + new + old[high - begin :]
            self._put(number, new)

    def _touched(self, write: Write, numbers: range) -> Sequence[int]:
        """The blocks that a write may change: long stretches of zeros are mostly written over zeros."""
        if write.data is None and len(numbers) > len(self._blocks):
            return [number for number in self._blocks if number in numbers]
        return numbers

    def _put(self, number: int, block: bytes) -> None:
        old = self._blocks.get(number)
        if old == block:
            return
        if old is not None:
            self._digest ^= _digest(number, old)
            del self._blocks[number]
        if block != _ZEROS:
            self._blocks[number] = block
            self._digest ^= _digest(number, block)

    def save(self, image: Path) -> None:
        """Make a sparse file of it, in place: a loop device over the file stays what it is."""
        with image.open("r+b" if image.exists() else "w+b") as file:
            file.truncate(0)
            file.truncate(self.size)
            for start, data in self._runs():
                os.pwrite(file.fileno(), data, start)

    def _runs(self) -> Iterator[tuple[int, bytes]]:
        run: list[int] = []
        for number in sorted(self._blocks):
            if run and (number != run[-1] + 1 or len(run) >= _RUN):
                yield run[0] * BLOCK, b"".join(map(self._blocks.__getitem__, run))
                run = []
            run.append(number)
        if run:
            yield run[0] * BLOCK, b"".join(map(self._blocks.__getitem__, run))


def load(image: Path) -> Content:
    """What is in an image; its holes are passed over."""
    made = Content(image.stat().st_size)
    with image.open("rb") as file:
        for at in _data(file.fileno()):
            block = os.pread(file.fileno(), BLOCK * _RUN, at)
            made.write(Write(at, len(block), block))
    return made


def _data(descriptor: int) -> Iterator[int]:
    """Where the stretches begin that are not all holes."""
    at = 0
    while True:
        try:
            at = os.lseek(descriptor, at, os.SEEK_DATA) // BLOCK * BLOCK
        except OSError:  # no more data
            return
        yield at
        at += BLOCK * _RUN


def _digest(number: int, block: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(block, digest_size=16, key=number.to_bytes(8, "little")).digest(), "little")
