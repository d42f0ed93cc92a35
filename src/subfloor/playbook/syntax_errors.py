"""Syntax errors of YAML: their messages, and the text without the lines that have them.

A parser stops at the first syntax error. To report all errors in one run, the line with the error is left out, and the
other lines are parsed again. An error at the same place may be a consequence of the first one: it is not reported, and
the whole list entry is left out.
"""

from __future__ import annotations

import re

import yaml

from subfloor.playbook.positions import PlaybookError, Position, Source

_DASHES = re.compile(r"\s*(?:- +)*-?(?= |$)")
_OPENED = re.compile(r"""(?:^|[:\-\[,{])\s*(["'])(?:(?!\1).)*$""")
MAX_DEPTH = 64
TOO_DEEP = (f"this is nested more than {MAX_DEPTH} deep", "make it flatter")

_LOOK_BACK = 20
_MOST = 20


def told(source: Source, text: str, error: yaml.YAMLError) -> PlaybookError:
    """A parser's error, with our message, at the position of its cause. ``text``: the lines that were parsed."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = Position(source, mark.line + 1, mark.column + 1) if mark else Position(source)
    if quote := _opened_before(source, text, where):
        what = "this quote is not closed on its line"
        return PlaybookError(what, advice="close it at the end of the text", where=quote)
    context = str(getattr(error, "context", None) or "")
    if "flow" in context and error.context_mark.line < where.line - 1:  # type: ignore[attr-defined]
        begun = error.context_mark  # type: ignore[attr-defined]
        where = Position(source, begun.line + 1, begun.column + 1)
        return PlaybookError("this bracket is not closed", advice="close it, or remove it", where=where)
    if "simple key" in context:  # the parser notices it only on the next line
        begun = error.context_mark  # type: ignore[attr-defined]
        where = Position(source, begun.line + 1, begun.column + 1)
    what, advice = _in_our_words(source.line(where.line), getattr(error, "problem", None) or "unreadable")
    return PlaybookError(what, advice=advice, where=where)


def _opened_before(source: Source, text: str, where: Position) -> Position | None:
    """The position of a quote that its line does not close, in this line or one above it; None if there is none.

    A quote above counts only if a later line contains the same quote, or if the text ends here.
    """
    lines = text.splitlines()
    last = min(where.line, len(lines))
    for number in range(last, max(0, last - _LOOK_BACK), -1):
        found = _OPENED.search(lines[number - 1])
        if found and (number == last or any(found[1] in each for each in lines[number:last]) or last == len(lines)):
            return Position(source, number, found.start(1) + 1)
    return None


def _in_our_words(line: str, problem: str) -> tuple[str, str]:
    """What is wrong with a line, and what to do; if the cause is not known, the parser's message."""
    if "nesting depth" in problem:  # libyaml has its own limit, far above ours
        return TOO_DEEP
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "there is a tab in the indentation", "indent with spaces: YAML allows no tabs there"
    if re.search(r"[-:,\[{]\s*\{\{", line):
        return "an expression without quotes is not YAML", 'put quotes around the whole value: "{{ … }}"'
    if "mapping values" in problem:
        advice = "quote a text that contains `: `; or check the indentation, and whether the line before needs a `:`"
        return "a second `: ` is not allowed here", advice
    advice = "check the indentation, brackets and quotes here and on the line before"
    return f"this is not YAML: {problem}", advice


class Rest:
    """A text without the lines that cannot be read. Other lines keep their numbers."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._left_out = range(0)
        self._rounds = 0

    @property
    def text(self) -> str:
        """The remaining text."""
        return "\n".join(self._lines) + "\n"

    def reports(self, line: int) -> bool:
        """Whether to report an error on this line. In or before the lines left out last, it may be a consequence."""
        return not self._left_out or line > self._left_out[-1]

    def without(self, line: int) -> bool:
        """Leave out a line and the lines that are indented below it; False if nothing more can be left out.

        If the error may be a consequence of the lines left out last, leave out the list entry around those.
        """
        self._rounds += 1
        if self._rounds > _MOST or not self._lines:
            return False
        first = min(line, len(self._lines))
        depth = _depth(self._lines[first - 1])
        if not self.reports(line):
            first = self._entry(self._left_out[0])
            depth = _indent(self._lines[first - 1])
        before = self._lines
        self._left_out = self._block(first, depth)
        self._lines = [
            _blank(each, number == first) if number in self._left_out else each for number, each in enumerate(before, 1)
        ]
        return self._lines != before

    def _block(self, first: int, depth: int) -> range:
        """The line and the lines below it that are indented by more than ``depth``."""
        last = first
        for number in range(first + 1, len(self._lines) + 1):
            text = self._lines[number - 1]
            if text.strip() and len(text) - len(text.lstrip()) <= depth:
                break
            last = number
        return range(first, last + 1)

    def _entry(self, line: int) -> int:
        """The line on which an entry around ``line`` starts; 1 if there is none. For an empty line, an outer entry."""
        depth = _indent(self._lines[line - 1])
        for number in range(line - 1, 0, -1):
            text = self._lines[number - 1]
            if text.lstrip().startswith("- ") and _indent(text) < max(depth, 1):
                return number
        return 1


def _blank(line: str, keep_dashes: bool) -> str:
    found = _DASHES.match(line)
    return found[0].expandtabs(1) if keep_dashes and found and "-" in found[0] else ""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _depth(line: str) -> int:
    """The column of the key on a line, behind the dashes of a list."""
    found = _DASHES.match(line)
    dashes = found[0] if found and "-" in found[0] else ""
    return len(dashes) + _indent(line[len(dashes) :])
