"""Sizes and places of partitions as a playbook declares them: absolute, in percent, or from the disk's end."""

from __future__ import annotations

import re

from subfloor.storage import sizes

_PERCENT = re.compile(r"(\d{1,3})%")
_ALL = ("rest", "100%")


def check_size(text: str) -> None:
    """Raise ``ValueError`` if the text is not a partition size. An empty text is valid: no size was given."""
    if found := _PERCENT.fullmatch(text):
        if not 1 <= int(found[1]) <= 100:
            raise ValueError(f"{text} is out of range: from 1% to 100%")
    elif text.isalpha() and text != "rest":
        raise ValueError(f"{text!r} is not a size; write `rest`, or a size such as 8GiB or 25%")
    elif text not in ("", "rest"):
        check_place(text)


def check_place(text: str) -> None:
    """Raise ``ValueError`` if the text is not a place on a disk: ``1MiB``, or ``-8GiB`` from the disk's end."""
    try:
        sizes.parse(text.removeprefix("-"))
    except ValueError:
        if text.startswith("-") and not sizes.is_size(text[1:]):
            raise ValueError(sizes.complaint(text)) from None
        raise


def is_all(size: str) -> bool:
    """Whether the size means all remaining space."""
    return size in _ALL


def percent(size: str) -> int | None:
    """The number before ``%``; None if the size is not in percent."""
    found = _PERCENT.fullmatch(size)
    return int(found[1]) if found else None


def from_end(text: str) -> int | None:
    """The distance from the disk's end in bytes; None if the place counts from the disk's start."""
    return sizes.parse(text[1:]) if text.startswith("-") else None
