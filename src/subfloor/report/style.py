"""The style of text: colour, width, and the characters that the terminal can show.

The text may come from anywhere (a filesystem's label, a tool's message), so every control character in it is
escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_COLOURS = {
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "cyan": "36",
    "magenta": "35",
    "dim": "2",
    "bold": "1",
}

_ASCII = str.maketrans({
    "→": "->", "“": '"', "”": '"', "\u2018": "'", "\u2019": "'", "…": "...", "·": "-", "—": "-", "\u2013": "-",
    "≥": ">=", "≤": "<=", "─": "-", "│": "|", "┌": "+", "┐": "+", "└": "+", "┘": "+", "┬": "+", "┴": "+", "░": "=",
})  # fmt: skip

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (0x09, 0x0A)}
# Characters that change the writing direction can make a line look like another text.
_CONTROLS |= {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


@dataclass(frozen=True)
class Style:
    """What the user wants to see, and what the terminal can show. ``width`` None: no line breaks (a pipe, a file)."""

    width: int | None = None
    colour: bool = False
    unicode: bool = True
    diff: bool = False
    commands: bool = False

    def clean(self, text: str) -> str:
        """Text with control characters, and characters that the terminal cannot show, escaped or replaced."""
        text = text.translate(_CONTROLS).encode("utf-8", "backslashreplace").decode("utf-8")
        return text if self.unicode else text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")

    def paint(self, text: str, *colours: str) -> str:
        """Clean text, in colours if the style has colour."""
        text = self.clean(text)
        if not self.colour or not colours or not text:
            return text
        return f"\033[{';'.join(_COLOURS[colour] for colour in colours)}m{text}\033[0m"

    def lines(self, text: str, indent: str, *colours: str, hanging: str = "") -> Iterator[str]:
        """Text as indented lines, wrapped at the width; ``hanging`` is the extra indent after the first line."""
        first = indent
        for line in self.clean(text).splitlines():
            for part in self._wrapped(line, first, indent + hanging):
                kept = part[: len(part) - len(part.lstrip())]
                yield kept + self.paint(part.lstrip(), *colours)
            first = indent + hanging

    def _wrapped(self, line: str, first: str, following: str) -> Iterable[str]:
        if self.width is None or len(first + line) <= self.width or line.startswith("    "):
            return (first + line,)
        import textwrap  # not needed where lines are not broken

        width = max(self.width, len(following) + 20)
        return textwrap.wrap(
            line,
            width,
            initial_indent=first,
            subsequent_indent=following,
            break_long_words=False,
            break_on_hyphens=False,
        )
