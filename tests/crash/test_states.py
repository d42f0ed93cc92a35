"""Crash states are what they say: prefixes and subsets of writes, replayed over what was there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crash import blklog, strace_writes
from crash.content import SECTOR, Content, Event, Flush, Write, load
from crash.power_cuts import power_cuts
from crash.prefixes import prefixes

SIZE = 64 << 10


def a_write(at: int, byte: int, sectors: int = 1) -> Write:
    return Write(at * SECTOR, sectors * SECTOR, bytes([byte]) * (sectors * SECTOR))


def written(content: Content, tmp_path: Path) -> bytes:
    content.save(tmp_path / "image")
    return (tmp_path / "image").read_bytes()


def digests(events: list[Event]) -> set[str]:
    before = Content(SIZE)
    return {state.content(before, events).digest for state in power_cuts(before, events, "seed")}


writes = st.builds(
    lambda at, data, zeros: Write(at, len(data), None if zeros else data),
    st.integers(0, SIZE - 9000),
    st.binary(min_size=1, max_size=9000),
    st.booleans(),
)


@given(st.lists(writes, max_size=8))
def test_content_equals_that_of_a_plain_buffer(events: list[Write]) -> None:
    plain = bytearray(SIZE)
    for event in events:
        plain[event.at : event.at + event.length] = event.data or bytes(event.length)
    replayed = Content(SIZE).replay(events)
    assert replayed.digest == Content(SIZE).replay([Write(0, SIZE, bytes(plain))]).digest
    assert bytes(plain).strip(b"\0") or replayed.digest == Content(SIZE).digest


def test_content_is_saved_and_loaded(tmp_path: Path) -> None:
    content = Content(SIZE).replay([a_write(3, 1), a_write(100, 2, 20)])
    plain = written(content, tmp_path)
    assert plain[3 * SECTOR : 4 * SECTOR] == b"\1" * SECTOR and plain.count(2) == 20 * SECTOR and len(plain) == SIZE
    assert load(tmp_path / "image").digest == content.digest


def test_each_prefix_is_listed_once() -> None:
    events: list[Event] = [a_write(0, 1), Flush(), a_write(0, 1), a_write(1, 2), Write(8 * SECTOR, SECTOR, None)]
    assert [state.events for state in prefixes(Content(SIZE), events)] == [0, 1, 4]


def test_any_unflushed_write_may_be_lost_and_no_flushed_one() -> None:
    first, second, third = a_write(0, 1), a_write(1, 2), a_write(2, 3)
    wanted: list[list[Event]] = [[], [first], [first, second], [first, third], [first, second, third]]
    assert digests([first, Flush(), second, third]) == {Content(SIZE).replay(each).digest for each in wanted}


def test_a_torn_write_leaves_whole_sectors(tmp_path: Path) -> None:
    events: list[Event] = [Write(0, 4 * SECTOR, b"".join(bytes([n + 1]) * SECTOR for n in range(4)))]
    found = [
        written(state.content(Content(SIZE), events), tmp_path) for state in power_cuts(Content(SIZE), events, "s")
    ]
    assert 2 < len(found) <= 16
    for plain in found:
        assert all(plain[n * SECTOR : (n + 1) * SECTOR] in (bytes(SECTOR), bytes([n + 1]) * SECTOR) for n in range(4))


def test_a_log_of_writes_is_read() -> None:
    def entry(start: int, sectors: int, flags: int, data: bytes = b"") -> bytes:
        head = b"".join(number.to_bytes(8, "little") for number in (start, sectors, flags, 0))
        return head.ljust(SECTOR, b"\0") + data

    entries = [entry(2, 1, 0, b"x" * SECTOR), entry(0, 0, 1), entry(8, 1 << 40, 4), entry(1, 1, 0, bytes(SECTOR))]
    head = b"".join(number.to_bytes(8, "little") for number in (0x6A736677736872, 1, len(entries), SECTOR))
    log = head.ljust(SECTOR, b"\0") + b"".join(entries)
    assert list(blklog.parse(log)) == [
        Write(2 * SECTOR, SECTOR, b"x" * SECTOR),
        Flush(),
        Write(8 * SECTOR, SECTOR << 40, None),
        Write(SECTOR, SECTOR, None),
    ]
    with pytest.raises(ValueError, match="an entry of flags 0 and 512 bytes"):
        list(blklog.parse(log[:-1]))


def test_calls_that_write_are_read_from_the_output_of_strace() -> None:
    node, part = r"\x2f\x64", r"\x2f\x64\x31"  # /d and /d1
    said = rf"""
1 openat(AT_FDCWD<\x2f>, "{node}", O_RDWR) = 3<{node}>
1 lseek(3<{node}>, 512, SEEK_SET) = 512
1 write(3<{node}>, "\x61\x62", 2) = 2
1 write(3<{node}>, "\x63", 1 <unfinished ...>
2 pwrite64(4<{part}>, "\x64\x65", 2, 10) = 1
1 <... write resumed>) = 1
2 pwritev(4<{part}>, [{{iov_base="\x66", iov_len=1}}, {{iov_base="\x67", iov_len=1}}], 2, 20) = 2
2 ioctl(4<{part}>, BLKDISCARD, [0, 4096]) = 0
2 fallocate(4<{part}>, FALLOC_FL_ZERO_RANGE, 4096, 8192) = 0
2 write(1<\x2f\x78>, "\x61", 1) = 1
2 ioctl(4<{part}>, BLKDISCARD, [0, 512]) = -1 EOPNOTSUPP (Operation not supported)
1 fsync(3<{node}>) = 0
"""
    assert list(strace_writes.events(iter(said.splitlines()), {"/d": 0, "/d1": 1000})) == [
        Write(512, 2, b"ab"),
        Write(1010, 1, b"d"),
        Write(514, 1, b"c"),
        Write(1020, 2, b"fg"),
        Write(1000, 4096, None),
        Write(5096, 8192, None),
        Flush(),
    ]
