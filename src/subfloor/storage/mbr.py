"""The first sector of a disk with a GPT: the protective MBR, and other systems' data in the same sector.

The boot code (440 bytes), the disk signature (6 bytes) and the slots of a hybrid MBR belong to other systems.
subfloor repairs only the slot that protects the GPT, and the two bytes that end the sector.
Layout: UEFI specification 2.10, section 5.2.
"""

from __future__ import annotations

import struct

SLOTS = 446
"""Where the four slots begin, in bytes; the sector's signature follows them."""

_SIGNATURE = b"\x55\xaa"
_EMPTY = bytes(16)
_PROTECTIVE = 0xEE
_LONGEST = 0xFFFFFFFF


def damage(first: bytes, sectors: int, *, moved: bool) -> frozenset[str]:
    """What is wrong with the protective MBR, as values of ``Gpt.damage``; empty if it is sound.

    It is damaged if the sector's signature is wrong, or if no slot of type EE starts at sector 1 (kernels then see no
    GPT). The length of such a slot can be wrong too. It has 32 bits: tools set all bits if the disk is longer, and some
    tools always do. In a hybrid MBR any length is accepted. Any length is accepted too if the table itself is damaged
    and the disk may have grown (``moved``).
    """
    covered = lengths(first)
    if first[510:512] != _SIGNATURE or not covered:
        return frozenset({"protective MBR"})
    sound = moved or is_hybrid(first) or covered & {sectors - 1, _LONGEST}
    return frozenset() if sound else frozenset({"protective MBR of another length"})


def is_hybrid(first: bytes) -> bool:
    """Whether there are partitions of another type beside the protective one: another system boots from them."""
    slots = _slots(first)
    return any(map(_is_protective, slots)) and any(slot[4] not in (0, _PROTECTIVE) for slot in slots)


def is_taken(first: bytes) -> bool:
    """Whether the sector holds anything but a protective MBR, a damaged protective MBR, or zeros."""
    if not any(first) or any(map(_is_protective, _slots(first))):
        return False
    return first[510:512] != _SIGNATURE or any(first[SLOTS:510])


def mended(first: bytes, sectors: int) -> bytes:
    """The slots and the signature after repair. A protective slot keeps its place; the others stay unchanged."""
    slots = _slots(first) or [_EMPTY] * 4
    if not any(map(_is_protective, slots)):
        slots[0] = _protective(sectors)
    return b"".join(slots) + _SIGNATURE


def lengths(first: bytes) -> frozenset[int]:
    """How many sectors each protective slot covers: when it was written, all sectors of the disk but the first."""
    return frozenset(int.from_bytes(slot[12:16], "little") for slot in _slots(first) if _is_protective(slot))


def _protective(sectors: int) -> bytes:
    """A slot that covers the disk. Its CHS addresses are those of the specification: 0/0/2 to the highest."""
    return struct.pack("<B3sB3sII", 0, b"\x00\x02\x00", _PROTECTIVE, b"\xff\xff\xff", 1, min(sectors - 1, _LONGEST))


def _is_protective(slot: bytes) -> bool:
    return slot[4:5] == bytes([_PROTECTIVE]) and slot[8:12] == b"\x01\x00\x00\x00"


def _slots(first: bytes) -> list[bytes]:
    return [first[at : at + 16] for at in range(SLOTS, 510, 16)] if len(first) >= 512 else []
