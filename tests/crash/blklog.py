"""Reads the log of every write to a disk, as QEMU's blklogwrites driver makes it.

The format is that of the kernel's dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst, and
struct log_write_super and log_write_entry in drivers/md/dm-log-writes.c): a superblock, then entries, each in
a log sector of its own and followed by its data.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from crash.content import Event, Flush, Write

_MAGIC = 0x6A736677736872
_SUPER = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")
_FLUSH, _DISCARD, _MARK = 1, 4, 8


def parse(log: bytes) -> Iterator[Event]:
    """The events of a log. Raises ``ValueError`` for what is none, or what is cut off."""
    magic, version, count, sector = _SUPER.unpack_from(log)
    if (magic, version) != (_MAGIC, 1):
        raise ValueError(f"not a log of writes, version 1: {magic:#x}, {version}")
    at = sector
    for _ in range(count):
        start, sectors, flags, mark = _ENTRY.unpack_from(log, at)
        at += sector
        # A write is followed by its sectors; a discard by nothing; a mark by bytes of a length of its own.
        length = {_DISCARD: 0, _MARK: mark}.get(flags, sectors * sector)
        data = log[at : at + length]
        if flags not in (0, _FLUSH, _DISCARD, _MARK) or len(data) != length:
            raise ValueError(f"an entry of flags {flags} and {length} bytes, at {at} of {len(log)}")
        at += -(-length // sector) * sector
        if flags == _FLUSH:
            yield Flush()
        elif flags != _MARK:
            yield Write(start * sector, sectors * sector, data if data.strip(b"\0") else None)
