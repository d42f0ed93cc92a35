"""The mark of a whole disk whose content is unfinished: a sector near the disk's end.

A partition carries such a mark in its name; a whole disk has no name. The content leaves the last MiB free, and the
mark is the first sector of it, where no mkfs overwrites it: mkfs for ext4, btrfs and f2fs, and mkswap, write only where
their filesystem is; mkfs.xfs writes to the last 128 KiB of the device too. A finished disk has no mark.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from subfloor.storage.marks import STAGES
from subfloor.storage.sizes import MIB

ROOM = MIB
"""Bytes at the end of a disk that its content leaves free."""

LENGTH = 512
"""The length of the mark in bytes: one sector, which a disk writes as a whole, or not at all."""

_TEXT = re.compile(
    rb"subfloor: the content of this disk is ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(\.[a-z]+)\n\0*"
)


@dataclass(frozen=True)
class EndMark:
    """``volume``: the UUID of the disk as a volume; ``stage``: one of ``STAGES``."""

    volume: UUID
    stage: str

    def __str__(self) -> str:
        return f"{self.volume}{self.stage}"

    @property
    def bytes(self) -> bytes:
        """The mark as it is written, readable by a person."""
        return f"subfloor: the content of this disk is {self}\n".encode()


def place(size: int) -> int:
    """Where the mark lies on a disk of ``size`` bytes: the first byte."""
    return size - ROOM


def room(size: int) -> int:
    """How many bytes of a disk its content may take: whole MiB, all before the mark."""
    return place(size) // MIB * MIB


def parse(piece: bytes) -> EndMark | None:
    """The mark in these bytes; None if they are anything else."""
    found = _TEXT.fullmatch(piece)
    stage = found[2].decode() if found else ""
    return EndMark(UUID(found[1].decode()), stage) if found and stage in STAGES else None
