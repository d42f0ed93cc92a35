"""Sizes and places as sgdisk, parted, LVM and the kernel read them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from subfloor.storage.sizes import MIB, show

_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_SECTOR = 512
_SGDISK = re.compile(r"(?P<sign>[+-]?)(?P<number>\d{1,18})(?P<unit>[KMGTPS]?)(iB|B)?", re.I)
_BINARY = re.compile(r"(?P<number>\d{1,18}(\.\d{1,6})?)(?P<unit>[BSKMGTPE]?)(iB|B)?", re.I)
_PARTED = re.compile(r"(?P<sign>-?)(?P<number>\d{1,15}(\.\d{1,6})?)(?P<unit>[KMGT]iB|[KMGT]?B?|S|%)", re.I)


@dataclass(frozen=True)
class Place:
    """A place on a disk: ``size`` bytes from its start, from its end (``-``), or from another place (``+``)."""

    size: int
    sign: str = ""

    @property
    def text(self) -> str:
        """The place as a playbook writes it."""
        return f"{'-' if self.sign == '-' else ''}{show(self.size)}"


def sgdisk(text: str) -> Place:
    """A place or size for sgdisk(8): units are binary, and a number without a unit counts sectors of 512 bytes.

    Raises ``ValueError``.
    """
    found = _SGDISK.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is neither a size such as 512M, nor a place such as -8G")
    unit = found["unit"].upper()
    factor = _SECTOR if unit in ("", "S") else 1024 ** _POWERS[unit]
    return Place(int(found["number"]) * factor, found["sign"])


def binary(text: str, default: str = "") -> int:
    """A size in bytes, with binary units, as LVM, btrfs and the kernel read it.

    ``default``: the unit of a number that has none; empty: bytes.

    Raises ``ValueError``.
    """
    found = _BINARY.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a size such as 512M")
    unit = (found["unit"] or default).upper()
    factor = {"B": 1, "S": _SECTOR}.get(unit) or 1024 ** _POWERS[unit]
    size = Decimal(found["number"]) * factor
    if size != int(size):
        raise ValueError(f"{text!r} is not a whole number of bytes")
    return int(size)


def parted(text: str) -> Place | int:
    """A place for parted(8), or the number before ``%``. Raises ``ValueError``.

    Units are decimal unless they end in ``iB``, and a number without a unit counts megabytes. parted moves a place in
    decimal units to the next aligned sector. So such a place is rounded to MiB here.
    """
    found = _PARTED.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a place such as 512MiB, -8GiB or 100%")
    unit, number, sign = found["unit"].upper(), Decimal(found["number"]), found["sign"]
    if unit == "%":
        if sign or number != int(number) or number > 100:
            raise ValueError(f"{text!r} is not a whole number of percent up to 100")
        return int(number)
    if unit == "B" or unit == "S":
        return Place(int(number) * (1 if unit == "B" else _SECTOR), sign)
    if unit.endswith("IB"):
        return Place(int(number * 1024 ** _POWERS[unit[0]]), sign)
    size = int(number * 1000 ** _POWERS[unit[0] if unit else "M"])
    return Place((size + MIB // 2) // MIB * MIB, sign)
