"""Sizes as people write them: a whole number and an IEC unit, nothing else.

``8GB`` means two different things to two people, ``1.5GiB`` and ``8e9`` are easily off by a sector,
so only exact spellings are taken.
"""

from __future__ import annotations

import re

MIB = 1 << 20
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": MIB, "GiB": 1 << 30, "TiB": 1 << 40, "PiB": 1 << 50}
_SIZE = re.compile(r"(0|[1-9]\d*)(B|[KMGTP]iB)")
PATTERN = r"^[1-9][0-9]*(B|[KMGTP]iB)$"
"""What JSON Schema checks of a size."""


def parse(text: str) -> int:
    """Bytes. Raises ``ValueError`` for anything but a whole number with an IEC unit, from 1 B to 8 EiB."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no size; write a whole number and an IEC unit, such as 512MiB or 8GiB")
    size = int(found[1]) * _UNITS[found[2]]
    if not 0 < size < 1 << 63:
        raise ValueError(f"{text!r} is out of range: from 1B to less than 8 EiB")
    return size


def show(size: int) -> str:
    """Bytes, in the largest unit that they are a whole number of: ``513MiB``, ``30GiB``, ``1000B``."""
    unit = max((name for name, of in _UNITS.items() if size % of == 0), key=lambda name: _UNITS[name])
    return f"{size // _UNITS[unit]}{unit}" if size else "0B"
