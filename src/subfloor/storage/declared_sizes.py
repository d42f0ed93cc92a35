"""Sizes and places of partitions as a playbook declares them: absolute, in per cent, or from the disk's end."""

from __future__ import annotations

import re

from subfloor.storage import sizes

_PERCENT = re.compile(r"(\d{1,3})%")
_ALL = ("rest", "100%")


def check_size(text: str) -> None:
    """Raise ``ValueError`` for what is no size of a partition. The empty text means that none was given."""
    if found := _PERCENT.fullmatch(text):
        if not 1 <= int(found[1]) <= 100:
            raise ValueError(f"{text} is out of range: from 1% to 100%")
    elif text not in ("", "rest"):
        check_place(text)


def check_place(text: str) -> None:
    """Raise ``ValueError`` for what is no place on a disk, such as ``1MiB``, or ``-8GiB`` from its end."""
    sizes.parse(text.removeprefix("-"))


def is_all(size: str) -> bool:
    """Whether it means all that is left."""
    return size in _ALL


def percent(size: str) -> int | None:
    """The number before ``%``; None for another kind of size."""
    found = _PERCENT.fullmatch(size)
    return int(found[1]) if found else None


def from_end(text: str) -> int | None:
    """How many bytes before the disk's end; None where it is no such place."""
    return sizes.parse(text[1:]) if text.startswith("-") else None
