"""A disk as a line of characters, to scale: its partitions by their numbers, and its free space as dots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from subfloor.observe.disk import DiskState
from subfloor.report.layout import Drawn, Span, Use, spans
from subfloor.report.style import Style

_WIDTH = 80
_LABEL = 10

COLOURS = {
    Use.FREE: "dim",
    Use.EMPTY: "dim",
    Use.BOOT: "cyan",
    Use.SWAP: "yellow",
    Use.DATA: "green",
    Use.UNKNOWN: "red",
    Use.UNFINISHED: "magenta",
}
"""The colour of each use on a terminal."""


def both(disk: Drawn, style: Style, indent: str = "  ") -> Iterator[str]:
    """Two bars: a disk as it was found, and as it will be after apply."""
    yield indent + style.paint(f"{disk.path} ({disk.found.about})", "bold")
    for label, state in (("found", disk.found), ("declared", disk.planned)):
        yield f"{indent}  {label:<{_LABEL}}{bar(state, columns(style, len(indent) + 2 + _LABEL), style)}"


def columns(style: Style, taken: int) -> int:
    """The width of a bar in columns. ``taken``: the columns that are used by other text in its line."""
    return max(20, min(style.width or _WIDTH, _WIDTH) - taken)


def bar(disk: DiskState, width: int, style: Style) -> str:
    """The layout of a disk in one line, ``width`` columns wide."""
    found = spans(disk)
    if not found:
        return style.paint("·" * width, COLOURS[Use.FREE])
    shares = cells([span.size for span in found], width)
    return "".join(
        style.paint(_cells(span, share), COLOURS[span.use]) for span, share in zip(found, shares, strict=True)
    )


def _cells(span: Span, width: int) -> str:
    if span.use is Use.FREE:
        return "·" * width
    label = f"{span.number or ''}"
    return (label if len(label) <= width else "")[:width].ljust(width, "░")


def cells(sizes: Sequence[int], width: int) -> list[int]:
    """``width`` columns shared in proportion to these sizes; each gets at least one."""
    total = sum(sizes)
    shares = [max(1, size * width // total) for size in sizes]
    while (spare := width - sum(shares)) != 0 and (spare > 0 or max(shares) > 1):
        # The share that is farthest below its exact value, or above it.
        errors = [size * width / total - share for size, share in zip(sizes, shares, strict=True)]
        at = errors.index(max(errors) if spare > 0 else _least(errors, shares))
        shares[at] += 1 if spare > 0 else -1
    return shares


def _least(errors: Sequence[float], shares: Sequence[int]) -> float:
    return min(error for error, share in zip(errors, shares, strict=True) if share > 1)
