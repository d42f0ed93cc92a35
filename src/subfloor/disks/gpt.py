"""A GUID partition table as a value: read from the disk's own bytes, written by sfdisk.

Read from the bytes, since whether *both* copies are sound is something that no tool says in a form
meant for programs. The layout is that of the UEFI specification 2.10, chapter 5.3. Only sfdisk
writes tables: it flushes after each of its writes, the backup first, so a power cut leaves one good copy.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from uuid import UUID

_HEADER = struct.Struct("<8s4sIIIQQQQ16sQIII")
_ENTRY = struct.Struct("<16s16sQQQ72s")
_SIGNATURE = b"EFI PART"
_UNUSED = bytes(16)
NAME_UNITS = 36
"""How long a partition's name may be, in UTF-16 code units."""


@dataclass(frozen=True)
class Entry:
    """One partition as the table has it; ``start`` and ``size`` in logical sectors, ``attrs`` as bits."""

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


@dataclass(frozen=True)
class Gpt:
    """A table. ``last_lba`` is the last sector that a partition may use; ``length`` the number of entries.

    ``damage`` names what is not sound and any write by sfdisk mends.
    """

    id: UUID
    first_lba: int
    last_lba: int
    length: int
    entries: tuple[Entry, ...] = ()
    damage: frozenset[str] = frozenset()


def blank(label_id: UUID, sectors: int, sector: int, length: int = 128) -> Gpt:
    """A new table without partitions, for a disk of so many logical sectors of so many bytes."""
    first, last = usable(sectors, sector, length)
    return Gpt(label_id, first, last, length)


def usable(sectors: int, sector: int, length: int = 128) -> tuple[int, int]:
    """The first and the last sector that partitions may use: between the two copies of the table."""
    table = -(-length * _ENTRY.size // sector)
    return 2 + table, sectors - 2 - table


# Reading.


@dataclass(frozen=True)
class _Copy:
    """One of the two copies, whose checksums hold."""

    at: int
    alternate: int
    table: Gpt


def parse(head: bytes, tail: bytes, *, sector: int, sectors: int) -> Gpt | None:
    """The table on a disk of so many sectors, from its first and its last bytes; None where there is none.

    ``sector`` is in bytes. With one copy damaged the other is read, as the specification asks, and
    ``damage`` says which.
    """
    primary = _copy(head, 0, 1, sector)
    base = sectors - len(tail) // sector
    backup = _copy(tail, base, sectors - 1, sector)
    good = primary or backup
    if not good:
        return None
    damage = _damage(primary, backup, sectors)
    return replace(good.table, damage=damage | _mbr_damage(head, sectors, moved=bool(damage)))


def remains(head: bytes, tail: bytes) -> bool:
    """Whether a header's signature stands where one may be, for sectors of 512 bytes or of 4096.

    A table that nobody can read any more, or that was written when the disk had other sectors, is no sign
    that the disk is blank: what its partitions held may all be there.
    """
    places = (head[512:], head[4096:], tail[-512:], tail[-4096:])
    return any(place.startswith(_SIGNATURE) for place in places)


def _damage(primary: _Copy | None, backup: _Copy | None, sectors: int) -> frozenset[str]:
    if not primary:
        return frozenset({"primary table"})
    if primary.alternate != sectors - 1:
        return frozenset({"backup table not at the end of the disk"})
    if not backup:
        return frozenset({"backup table"})
    return frozenset() if primary.table == backup.table else frozenset({"the two tables differ"})


def _copy(data: bytes, base: int, lba: int, sector: int) -> _Copy | None:
    """The copy whose header is at ``lba``, where ``data`` starts at the sector ``base``."""
    at = (lba - base) * sector
    if at < 0 or len(data) < at + _HEADER.size or data[at : at + 8] != _SIGNATURE:
        return None
    _, _, size, crc, _, here, alternate, first, last, label, table, length, width, table_crc = _HEADER.unpack_from(
        data, at
    )
    raw = data[at : at + size]
    if not _HEADER.size <= size <= sector or zlib.crc32(raw[:16] + bytes(4) + raw[20:]) != crc or here != lba:
        return None
    start, end = (table - base) * sector, (table - base) * sector + length * width
    if start < 0 or width < _ENTRY.size or end > len(data) or zlib.crc32(data[start:end]) != table_crc:
        return None
    entries = (_entry(index + 1, data, start + index * width) for index in range(length))
    found = tuple(entry for entry in entries if entry)
    return _Copy(here, alternate, Gpt(UUID(bytes_le=label), first, last, length, found))


def _entry(number: int, data: bytes, at: int) -> Entry | None:
    kind, unique, first, last, attrs, name = _ENTRY.unpack_from(data, at)
    if kind == _UNUSED:
        return None
    # Half of a surrogate pair is kept as it is, so that nobody takes the name for one that can be written back.
    text = name.decode("utf-16-le", "surrogatepass").split("\0", 1)[0]
    return Entry(number, first, last - first + 1, UUID(bytes_le=kind), UUID(bytes_le=unique), text, attrs)


def _mbr_damage(head: bytes, sectors: int, *, moved: bool) -> frozenset[str]:
    """What is wrong with the first sector: no partition of type EE, without which kernels see no GPT, or a short one.

    Its length has 32 bits: all of them are set where that is too few, and by some tools always. Where the
    table itself is not sound, and the disk may have grown, another length goes without saying (``moved``).
    """
    slots = (head[446 + 16 * index : 462 + 16 * index] for index in range(4))
    lengths = {int.from_bytes(slot[12:16], "little") for slot in slots if slot[4:5] == b"\xee"}
    if head[510:512] != b"\x55\xaa" or not lengths:
        return frozenset({"protective MBR"})
    sound = moved or lengths & {sectors - 1, 0xFFFFFFFF}
    return frozenset() if sound else frozenset({"protective MBR of another length"})


# Writing: text for sfdisk(8), "input formats, named-fields".


def expressible(name: str) -> bool:
    """Whether sfdisk writes this name as it is: it loses any that reaches beyond Unicode's first plane."""
    return len(name) <= NAME_UNITS and all(
        "\0" < char <= "\uffff" and not 0xD800 <= ord(char) < 0xE000 for char in name
    )


RESERVED = sum(1 << bit for bit in range(3, 48))
"""The attribute bits that mean nothing yet, and that sfdisk drops."""

_ATTRIBUTES = {0: "RequiredPartition", 1: "NoBlockIOProtocol", 2: "LegacyBIOSBootable"}


def script(table: Gpt) -> bytes:
    """The whole table as a script for sfdisk, nothing left for it to choose."""
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
    """Everything but plain letters, digits and harmless signs as ``\\xHH``, which sfdisk decodes."""
    return "".join(char if char.isascii() and (char.isalnum() or char in " ._-+@") else _hex(char) for char in name)


def _hex(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode())
