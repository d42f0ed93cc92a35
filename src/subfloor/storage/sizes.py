"""Sizes as text: a whole number and an IEC unit, nothing else.

Only exact spellings are accepted: ``8GB`` is ambiguous, and ``1.5GiB`` or ``8e9`` are easily off by a sector.
"""

from __future__ import annotations

import re

MIB = 1 << 20
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": MIB, "GiB": 1 << 30, "TiB": 1 << 40, "PiB": 1 << 50}
_SIZE = re.compile(r"(0|[1-9]\d*)(B|[KMGTP]iB)")
PATTERN = r"^[1-9][0-9]*(B|[KMGTP]iB)$"
"""The pattern for a size in a JSON Schema."""


def parse(text: str) -> int:
    """Bytes. Raises ``ValueError`` for anything but a whole number with an IEC unit, from 1 B to 8 EiB."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a size; write a whole number and an IEC unit, such as 512MiB or 8GiB")
    size = int(found[1]) * _UNITS[found[2]]
    if not 0 < size < 1 << 63:
        raise ValueError(f"{text!r} is out of range: from 1B to less than 8 EiB")
    return size


def show(size: int) -> str:
    """Bytes as text, in the largest unit that gives a whole number: ``513MiB``, ``30GiB``, ``1000B``."""
    unit = max((name for name, of in _UNITS.items() if size % of == 0), key=lambda name: _UNITS[name])
    return f"{size // _UNITS[unit]}{unit}" if size else "0B"
