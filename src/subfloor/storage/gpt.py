"""A GUID partition table as a value: read from the disk's own bytes, written by sfdisk.

The bytes are read because no tool reports, in a form meant for programs, whether *both* copies are sound. Layout: UEFI
specification 2.10, chapter 5.3. sfdisk writes tables: first the backup, then the first copy, with a flush after each,
so a power cut leaves one good copy. This module makes bytes in one case only: to restore the first copy from a copy
that sfdisk does not find.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar
from uuid import UUID

from subfloor.storage import mbr
from subfloor.storage.partition_types import type_name

_HEADER = struct.Struct("<8s4sIIIQQQQ16sQIII")
_ENTRY = struct.Struct("<16s16sQQQ72s")
_SIGNATURE = b"EFI PART"
_UNUSED = bytes(16)
NAME_UNITS = 36
"""The longest partition name, in UTF-16 code units."""


@dataclass(frozen=True)
class Entry:
    """One partition in the table; ``start`` and ``size`` in logical sectors, ``attrs`` as bits."""

    WORDS: ClassVar[Mapping[str, str]] = {
        "start": "first sector",
        "size": "sectors",
        "uuid": "PARTUUID",
        "attrs": "attributes",
    }

    number: int
    start: int
    size: int
    type: UUID
    uuid: UUID
    name: str
    attrs: int = 0

    @property
    def end(self) -> int:
        """The first sector after the partition."""
        return self.start + self.size

    def __str__(self) -> str:
        attributes = f", attributes {self.attrs:#x}" if self.attrs else ""
        about = f"type {type_name(self.type)}, {self.size} sectors at {self.start}{attributes}"
        return f"{self.number} {self.name!r} ({about})"


@dataclass(frozen=True)
class Gpt:
    """A table. ``last_lba`` is the last sector that a partition may use; ``length`` the number of entries.

    ``damage`` names the unsound parts. ``taken`` names the places of unsound copies that hold other data, neither zeros
    nor a damaged copy of this very table: writing there destroys that data. ``array`` is the sector where the entries
    of the first copy begin. ``hybrid``: the first sector has partitions of its own. ``slots``: the slots and the
    signature of the first sector after a repair (see ``mbr``); empty if they need no repair.
    """

    WORDS: ClassVar[Mapping[str, str]] = {
        "id": "label-id",
        "first_lba": "first usable sector",
        "last_lba": "last usable sector",
        "length": "slots",
        "entries": "entry",
    }
    FOLLOWS: ClassVar[frozenset[str]] = frozenset({"last_lba"})  # the second copy is put at the end of the disk

    id: UUID
    first_lba: int
    last_lba: int
    length: int
    entries: tuple[Entry, ...] = ()
    damage: frozenset[str] = frozenset()
    taken: frozenset[str] = field(default=frozenset(), repr=False)
    array: int = field(default=2, repr=False)
    hybrid: bool = field(default=False, repr=False)
    slots: bytes = field(default=b"", compare=False, repr=False)

    def __str__(self) -> str:
        damage = f", damaged: {', '.join(sorted(self.damage))}" if self.damage else ""
        return f"GPT {self.id}{damage}, {', '.join(map(str, self.entries)) or 'no partitions'}"


def blank(label_id: UUID, sectors: int, sector: int, length: int = 128) -> Gpt:
    """A new table without partitions, for a disk of ``sectors`` logical sectors of ``sector`` bytes."""
    first, last = usable(sectors, sector, length)
    return Gpt(label_id, first, last, length)


def usable(sectors: int, sector: int, length: int = 128) -> tuple[int, int]:
    """The first and the last sector that partitions may use, between the two copies of the table."""
    table = -(-length * _ENTRY.size // sector)
    return 2 + table, sectors - 2 - table


# Reading.

MOVED = "backup table not at the end of the disk"
"""A value of ``Gpt.damage``: the disk has grown, or the table was copied from a smaller disk."""


@dataclass(frozen=True)
class _Header:
    """A header with a valid checksum; ``array`` is the first sector of its entries, each of ``width`` bytes."""

    here: int
    alternate: int
    table: Gpt
    array: int
    width: int
    crc: int

    @property
    def length(self) -> int:
        """The size of all entries, in bytes."""
        return self.table.length * self.width


@dataclass(frozen=True)
class Bytes:
    """``data``: bytes read from one end of a disk, from sector ``base`` on.

    ``sector``: the size of a sector in bytes. ``at``: the sector where this end's copy of the table has its header.
    ``elsewhere``: further pieces that were read, by their first sector.
    """

    data: bytes
    base: int
    sector: int
    at: int
    elsewhere: Mapping[int, bytes] = field(default_factory=dict)

    def piece(self, lba: int, length: int) -> bytes | None:
        """``length`` bytes from sector ``lba`` on; None if not all of them were read."""
        start = (lba - self.base) * self.sector
        if 0 <= start <= len(self.data) - length:
            return self.data[start : start + length]
        found = self.elsewhere.get(lba, b"")
        return found[:length] if len(found) >= length else None


def parse(
    head: bytes, tail: bytes, *, sector: int, sectors: int, elsewhere: Mapping[int, bytes] | None = None
) -> Gpt | None:
    """The table on a disk of ``sectors`` sectors, from its first and last bytes; None if there is no table.

    ``sector`` is the size of a sector in bytes. If one copy is damaged, the other is read, as the specification
    requires, and ``damage`` names the damaged one. ``elsewhere``: pieces from between the ends, by their first
    sector: entries at the place that a header names, and the copy at the end that the disk had before it grew.
    That copy is read only if neither of the others is sound.
    """
    further = elsewhere or {}
    first = Bytes(head, 0, sector, 1, further)
    last = Bytes(tail, sectors - len(tail) // sector, sector, sectors - 1, further)
    primary, backup = _copy(first), _copy(last)
    good = primary or backup or next(filter(None, (_copy(replace(last, at=at)) for at in _old_ends(first))), None)
    if not good:
        return None
    damage = _damage(primary, backup, sectors)
    if not primary:
        good = replace(good, table=replace(good.table, array=2))
    mbr_damage = mbr.damage(head[:512], sectors, moved=bool(damage))
    return replace(
        good.table,
        damage=damage | mbr_damage,
        taken=frozenset(_taken(good.table, primary, backup, first, last)) if damage | mbr_damage else frozenset(),
        hybrid=mbr.is_hybrid(head[:512]),
        slots=mbr.mended(head[:512], sectors) if "protective MBR" in mbr_damage else b"",
    )


def _old_ends(first: Bytes) -> Iterator[int]:
    """Where the second copy was before the disk grew, as the protective MBR and a damaged first header name it."""
    yield from sorted(mbr.lengths(first.data[:512]), reverse=True)
    header = first.piece(1, _HEADER.size) or b""
    if header.startswith(_SIGNATURE):
        yield int(_HEADER.unpack(header)[6])


def remains(head: bytes, tail: bytes) -> bool:
    """Whether there is a header's signature at a usual place, for sectors of 512 or of 4096 bytes.

    A disk with an unreadable table, or a table for sectors of another size, is not blank: all data of its
    partitions may still exist.
    """
    places = (head[512:], head[4096:], tail[-512:], tail[-4096:])
    return any(place.startswith(_SIGNATURE) for place in places)


def _damage(primary: _Header | None, backup: _Header | None, sectors: int) -> frozenset[str]:
    if not primary:
        return frozenset({"primary table"} if backup else {"primary table", MOVED})
    if primary.alternate != sectors - 1:
        return frozenset({MOVED})
    if not backup:
        return frozenset({"backup table"})
    same = replace(primary.table, array=2) == replace(backup.table, array=2)
    return frozenset() if same else frozenset({"the two tables differ"})


def _header(end: Bytes) -> _Header | None:
    """The header of the copy at one end of the disk; None if there is none with a valid checksum."""
    data = end.piece(end.at, end.sector) or b""
    if len(data) < _HEADER.size or not data.startswith(_SIGNATURE):
        return None
    _, _, size, crc, _, here, alternate, first, last, label, array, length, width, array_crc = _HEADER.unpack_from(data)
    raw = data[:size]
    if not _HEADER.size <= size <= end.sector or zlib.crc32(raw[:16] + bytes(4) + raw[20:]) != crc or here != end.at:
        return None
    table = Gpt(UUID(bytes_le=label), first, last, length, array=array)
    return _Header(here, alternate, table, array, width, array_crc)


def _copy(end: Bytes) -> _Header | None:
    """The copy at one end of the disk, with its entries; None unless both checksums are valid."""
    header = _header(end)
    data = end.piece(header.array, header.length) if header and header.width >= _ENTRY.size else None
    if not header or data is None or zlib.crc32(data) != header.crc:
        return None
    entries = (_entry(index + 1, data, index * header.width) for index in range(header.table.length))
    found = tuple(entry for entry in entries if entry)
    return replace(header, table=replace(header.table, entries=found))


def _entry(number: int, data: bytes, at: int) -> Entry | None:
    kind, unique, first, last, attrs, name = _ENTRY.unpack_from(data, at)
    if kind == _UNUSED:
        return None
    # Half of a surrogate pair is kept, so that ``expressible`` recognises the name as one that cannot be written back.
    text = name.decode("utf-16-le", "surrogatepass").split("\0", 1)[0]
    return Entry(number, first, last - first + 1, UUID(bytes_le=kind), UUID(bytes_le=unique), text, attrs)


# Other data at the place of an unsound copy.

FIRST_SECTOR = "the first sector"
FIRST_COPY = "the first copy of the table"
SECOND_COPY = "the second copy of the table"


def _taken(good: Gpt, primary: _Header | None, backup: _Header | None, first: Bytes, last: Bytes) -> Iterator[str]:
    """The places where a repair would overwrite other data."""
    if mbr.is_taken(first.data[:512]):
        yield FIRST_SECTOR
    array = -(-good.length * _ENTRY.size // first.sector)
    if not primary and not _is_own(good, first, 2):
        yield FIRST_COPY
    if backup and primary and backup.table.id != good.id:
        yield SECOND_COPY
    if not backup and not _is_own(good, last, last.at - array):
        yield SECOND_COPY


def _is_own(good: Gpt, end: Bytes, array: int) -> bool:
    """Whether one end of the disk holds only zeros or a damaged copy of the table ``good``.

    ``array``: the first sector of the entries. If the header is sound, the sectors of used entries may hold anything:
    then they are damaged entries, not other data.
    """
    header, entries = end.piece(end.at, end.sector), end.piece(array, good.length * _ENTRY.size)
    if header is None or entries is None or not _may_be_header(good, header):
        return False
    found = _header(end)
    if found and found.array != array:
        return False  # the entries are elsewhere; a repair would move them
    used = {(entry.number - 1) * _ENTRY.size // 512 for entry in good.entries} if found else set()
    return all(
        at // 512 in used or _may_be_entry(good, entries[at : at + _ENTRY.size], end)
        for at in range(0, len(entries), _ENTRY.size)
    )


def _may_be_header(good: Gpt, data: bytes) -> bool:
    """Whether the bytes are zeros, or a header in which at least one half of the disk's GUID is in its place."""
    label = good.id.bytes_le
    return not any(data) or data[56:64] == label[:8] or data[64:72] == label[8:]


def _may_be_entry(good: Gpt, data: bytes, end: Bytes) -> bool:
    """Whether the bytes are zeros, an entry with a UUID of the table, or another well-formed entry: an older one."""
    if not any(data):
        return True
    unique, first, last = data[16:32], *struct.unpack_from("<QQ", data, 32)
    known = any(unique == entry.uuid.bytes_le for entry in good.entries)
    return known or (
        any(data[:16]) and any(unique) and good.first_lba <= first <= last < max(end.at, good.last_lba + 1)
    )


# Writing: bytes, if sfdisk(8) would not find the copy to repair from.


def is_at_old_end(table: Gpt) -> bool:
    """Whether the table was read at the end that the disk had before it grew; no other program finds it there."""
    return {"primary table", MOVED} <= table.damage


def entries_in_bytes(table: Gpt) -> bytes:
    """The entries of a copy, each of 128 bytes."""
    data = bytearray(table.length * _ENTRY.size)
    for entry in table.entries:
        name = entry.name.encode("utf-16-le", "surrogatepass")
        fields = (entry.type.bytes_le, entry.uuid.bytes_le, entry.start, entry.end - 1, entry.attrs, name)
        _ENTRY.pack_into(data, (entry.number - 1) * _ENTRY.size, *fields)
    return bytes(data)


def header_in_bytes(table: Gpt, sectors: int, sector: int) -> bytes:
    """The first header as a whole sector of ``sector`` bytes, for a disk of ``sectors`` sectors."""
    crc = zlib.crc32(entries_in_bytes(table))
    places = (1, sectors - 1, table.first_lba, table.last_lba)
    about = (table.id.bytes_le, table.array, table.length, _ENTRY.size, crc)
    raw = _HEADER.pack(_SIGNATURE, b"\0\0\1\0", _HEADER.size, 0, 0, *places, *about)
    return (raw[:16] + struct.pack("<I", zlib.crc32(raw)) + raw[20:]).ljust(sector, b"\0")


# Writing: text for sfdisk(8), "input formats, named-fields".


def expressible(name: str) -> bool:
    """Whether sfdisk writes this name unchanged: sfdisk loses names with characters beyond Unicode's first plane."""
    return len(name) <= NAME_UNITS and all(
        "\0" < char <= "\uffff" and not 0xD800 <= ord(char) < 0xE000 for char in name
    )


_ATTRIBUTES = {0: "RequiredPartition", 1: "NoBlockIOProtocol", 2: "LegacyBIOSBootable"}


def script(table: Gpt) -> bytes:
    """The whole table as a script for sfdisk. Every value is set, so sfdisk chooses none."""
    head = (
        "label: gpt",
        f"label-id: {table.id}",
        "unit: sectors",
        f"first-lba: {table.first_lba}",
        f"last-lba: {table.last_lba}",
        f"table-length: {table.length}",
        "",
    )
    lines = (f"{entry.number} : {_fields(entry)}" for entry in table.entries)
    return "\n".join([*head, *lines, ""]).encode()


def additions(entries: Iterable[Entry]) -> bytes:
    """Entries as a script for ``sfdisk --append``, which keeps their numbers."""
    return "".join(f"{entry.number} : {_fields(entry)}\n" for entry in entries).encode()


def change(before: Entry, after: Entry) -> bytes:
    """The changes of an entry as a script for ``sfdisk -N``, which keeps all fields that the script does not name."""
    fields = [f"start={after.start}", f"size={after.size}"]
    if after.type != before.type:
        fields.append(f"type={after.type}")
    if after.uuid != before.uuid:
        fields.append(f"uuid={after.uuid}")
    if after.name != before.name:
        fields.append(f'name="{_escaped(after.name)}"')
    if after.attrs != before.attrs:
        fields.append(f'attrs="{_attributes(after.attrs)}"')
    return (", ".join(fields) + "\n").encode()


def _fields(entry: Entry) -> str:
    attrs = f', attrs="{_attributes(entry.attrs)}"' if entry.attrs else ""
    return (
        f"start={entry.start}, size={entry.size}, type={entry.type}, uuid={entry.uuid}, "
        f'name="{_escaped(entry.name)}"{attrs}'
    )


def _attributes(bits: int) -> str:
    """Attribute bits as sfdisk names them, separated by commas."""
    names = (_ATTRIBUTES.get(bit, f"GUID:{bit}") for bit in range(64) if bits >> bit & 1)
    return ",".join(names)


def _escaped(name: str) -> str:
    """A name with everything but ASCII letters, digits and harmless signs as ``\\xHH``, which sfdisk decodes."""
    return "".join(char if char.isascii() and (char.isalnum() or char in " ._-+@") else _hex(char) for char in name)


def _hex(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode())
