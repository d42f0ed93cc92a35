"""Reads what strace says of calls that write to a block device, as writes at offsets of the whole disk.

The page cache merges what programs write, so a disk sees tens of writes where programs made thousands of
calls. A program can be killed between any two of the calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from crash.content import Event, Flush, Write

CALLS = "open,openat,lseek,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,ioctl,fallocate"
"""What is to be traced. Reads would be most of it, and are left out: programs seek before they write. Whether
that is so, and nothing writes in yet another way, is told by the recording: replayed, it must be the disk."""

_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)(?:<([^>]*)>)?.*")
_UNFINISHED = re.compile(r"(\d+) +(\w+\(.*) <unfinished \.\.\.>")
_RESUMED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)")
_FD = re.compile(r"(\d+)<([^>]*)>(?:, )?(.*)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_RANGE = re.compile(r"(BLKDISCARD|BLKZEROOUT|BLKSECDISCARD), \[(\d+), (\d+)\]")
_WRITING = {"write", "pwrite64", "writev", "pwritev", "pwritev2"}
_OFFSET = {"pwrite64": -1, "pwritev": -1, "pwritev2": -2}
"""Which argument is the offset, counted from the last one."""


class Call(NamedTuple):
    """One system call: by which process, its name, its arguments as text, what it returned."""

    process: str
    name: str
    arguments: str
    returned: int
    opened: str


def calls(lines: Iterator[str]) -> Iterator[Call]:
    """The calls, those that strace had to tell in two pieces put together."""
    begun: dict[str, str] = {}
    for line in lines:
        text = line.rstrip("\n")
        if half := _UNFINISHED.fullmatch(text):
            begun[half[1]] = half[2]
            continue
        if rest := _RESUMED.fullmatch(text):
            text = f"{rest[1]} {begun.pop(rest[1])}{rest[2]}"
        if whole := _LINE.fullmatch(text):
            yield Call(whole[1], whole[2], whole[3], int(whole[4]), _plain(whole[5] or ""))


def events(lines: Iterator[str], starts: Mapping[str, int]) -> Iterator[Event]:
    """The writes and flushes; ``starts`` are the offsets of the disk's and its partitions' nodes, in bytes.

    Raises ``ValueError`` where not all that was written is told.
    """
    offsets: dict[tuple[str, str], int] = {}
    for call in calls(lines):
        if call.returned < 0:
            continue
        if call.name in ("open", "openat"):
            offsets[call.process, str(call.returned)] = 0
            continue
        yield from _event(call, offsets, starts)


def _event(call: Call, offsets: dict[tuple[str, str], int], starts: Mapping[str, int]) -> Iterator[Event]:
    where = _FD.fullmatch(call.arguments)
    if not where or _plain(where[2]) not in starts:
        return
    start, rest = starts[_plain(where[2])], where[3]
    key = (call.process, where[1])
    if call.name == "lseek":
        offsets[key] = call.returned
    elif call.name in _WRITING:
        yield _write(call, rest, start, key, offsets)
    elif call.name in ("fsync", "fdatasync"):
        yield Flush()
    elif call.name == "ioctl" and (span := _RANGE.match(rest)):
        yield Write(start + int(span[2]), int(span[3]), None)
    elif call.name == "fallocate":
        _, at, length = rest.split(", ")
        yield Write(start + int(at), int(length), None)


def _write(call: Call, rest: str, start: int, key: tuple[str, str], offsets: dict[tuple[str, str], int]) -> Write:
    found = list(_TEXT.finditer(rest))
    if any(text[2] for text in found):
        raise ValueError("strace cut off what was written: give it a larger --string-limit")
    data = b"".join(bytes.fromhex(text[1].replace("\\x", "")) for text in found)[: call.returned]
    if len(data) != call.returned:
        raise ValueError(f"{len(data)} bytes told of {call.returned} written: {call.arguments[:200]}")
    if call.name in _OFFSET:
        after = rest[found[-1].end() :].rpartition("]")[2].strip(", ").split(", ")
        at = int(after[_OFFSET[call.name]])
    else:
        at = offsets.get(key, 0)
        offsets[key] = at + call.returned
    return Write(start + at, len(data), data if data.strip(b"\0") else None)


def _plain(text: str) -> str:
    return bytes.fromhex(text.replace("\\x", "")).decode() if text.startswith("\\x") else text
