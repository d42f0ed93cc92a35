"""Sizes as text: a whole number and an IEC unit, nothing else.

Only exact spellings are accepted: ``8GB`` is ambiguous, and ``1.5GiB`` or ``8e9`` are easily off by a sector.
"""

from __future__ import annotations

import re
from decimal import Decimal

MIB = 1 << 20
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": MIB, "GiB": 1 << 30, "TiB": 1 << 40, "PiB": 1 << 50}
_SIZE = re.compile(r"(0|[1-9]\d*)(B|[KMGTP]iB)")
_LOOSE = re.compile(
    r"(?P<sign>-?)(?P<number>\d{1,15}(?:\.\d{1,6})?)\s*(?=[A-Za-z])(?P<letter>[KMGTP]?)(?P<rest>(i?B)?)", re.IGNORECASE
)
PATTERN = r"^[1-9][0-9]*(B|[KMGTP]iB)$"
"""The pattern for a size in a JSON Schema."""


def parse(text: str) -> int:
    """The size in bytes. Raises ``ValueError`` for anything but a whole number with an IEC unit, from 1 B to 8 EiB."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise ValueError(complaint(text))
    size = int(found[1]) * _UNITS[found[2]]
    if not 0 < size < 1 << 63:
        raise ValueError(f"{text!r} is out of range: from 1B to less than 8 EiB")
    return size


def is_size(text: str) -> bool:
    """Whether a text is written as a size; it may be out of range."""
    return bool(_SIZE.fullmatch(text))


def complaint(text: str) -> str:
    """What is wrong with a text that is not a size, and the size to write instead. A leading ``-`` is kept."""
    return f"{text!r} is not a size; {advice(text)}"


def advice(text: str) -> str:
    """The size to write instead of a text such as ``10G``, ``5 GB`` or ``1.5GiB``."""
    found = _LOOSE.fullmatch(text.strip())
    if not found or not float(found["number"]):
        return "write a whole number and an IEC unit, such as 512MiB or 8GiB"
    sign, number, letter = found["sign"], Decimal(found["number"]), found["letter"].upper()
    binary = show(_whole(number * _UNITS[f"{letter}iB" if letter else "B"]))
    if letter and found["rest"] in ("B", "b"):
        decimal = _whole(number * 1000 ** ("KMGTP".index(letter) + 1))
        return f"write {sign}{binary}, or {sign}{decimal}B if you mean {number} {letter}B of 1000 bytes"
    return f"write {sign}{binary}"


def _whole(size: Decimal) -> int:
    """A size in bytes; if it has a fraction of a byte, it is rounded up to the next MiB."""
    return int(size) if size == int(size) else -(-int(size + 1) // MIB) * MIB


def show(size: int) -> str:
    """Bytes as text, in the largest unit that gives a whole number: ``513MiB``, ``30GiB``, ``1000B``."""
    unit = max((name for name, of in _UNITS.items() if size % of == 0), key=lambda name: _UNITS[name])
    return f"{size // _UNITS[unit]}{unit}" if size else "0B"


def rounded(size: int) -> str:
    """A size in bytes, rounded, in the largest fitting unit: ``512 MiB``, ``21.5 GiB``."""
    for unit, power in (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << power:
            return f"{size / (1 << power):.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} B"
