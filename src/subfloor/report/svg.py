"""The pictures of a disk as SVG, to scale: one as it was found, one as it will be after apply."""

from __future__ import annotations

from collections.abc import Iterator

from subfloor.observe.disk import DiskState
from subfloor.report.layout import Drawn, Span, Use, spans
from subfloor.report.markup import escaped
from subfloor.storage.sizes import rounded

_WIDTH = 1000
_HEIGHT = 44
_HAIRLINE = 2
"""The least width of a part, since a smaller part would not be visible."""

_LEAST_LABEL = 24
"""The least width of a part in which its number is written."""


def pictures(disk: Drawn, name: str) -> Iterator[str]:
    """Two figures of a disk; ``name``: an identifier that no other picture of the page has."""
    for words, state in (("found", disk.found), ("declared", disk.planned)):
        yield f"<figure><figcaption>{words}</figcaption>"
        yield from picture(state, f"{disk.path}, {rounded(state.size)}, {words}", f"{name}-{words}")
        yield "</figure>"


def picture(disk: DiskState, title: str, name: str) -> Iterator[str]:
    """The picture of one disk. ``name``: the identifier of its title element."""
    yield f'<svg class="disk" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="{name}">'
    yield f'<title id="{name}">{escaped(title)}</title>'
    yield f'<rect class="free" x="0" y="0" width="{_WIDTH}" height="{_HEIGHT}"/>'
    for span in spans(disk):
        if span.use is not Use.FREE:
            yield from _part(span, disk.size)
    yield "</svg>"


def _part(span: Span, size: int) -> Iterator[str]:
    x, width = span.start * _WIDTH / size, max(_HAIRLINE, span.size * _WIDTH / size)
    yield f"<g><title>{escaped(words(span))}</title>"
    yield f'<rect class="{span.use}" x="{x:.2f}" y="0" width="{width:.2f}" height="{_HEIGHT}"/>'
    if width >= _LEAST_LABEL and span.number:
        yield f'<text class="number" x="{x + width / 2:.2f}" y="{_HEIGHT // 2}">{span.number}</text>'
    yield "</g>"


def words(span: Span) -> str:
    """A part of a disk in words."""
    number = f"{span.number} " if span.number else ""
    name = f"{number}{span.name}".strip() or str(span.use)
    return ", ".join(filter(None, (name, rounded(span.size), span.content or str(span.use), *span.in_use)))
