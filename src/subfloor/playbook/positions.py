"""Positions in files, and the errors that show them.

Everything that is read from YAML keeps its position. So an error can point to the key or value that the user
must change, even if it is found much later, for one host or in a template.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

from subfloor.core.errors import SubfloorError

_SHOWN_COLUMNS = 100
_MANY = 100


@dataclass(frozen=True)
class Source:
    """A text that was read: ``name`` is a path, or an option such as ``-e``.

    ``partial``: parts of the text could not be read, so a key that seems to be missing may exist.
    """

    name: str
    text: str = field(repr=False)
    partial: bool = field(default=False, compare=False)

    def line(self, number: int) -> str:
        """The line with this number, counted from 1; empty if it does not exist."""
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.splitlines()


@dataclass(frozen=True)
class Position:
    """A position in a source: line and column count from 1, the column in characters."""

    source: Source
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}" if self.source.text else self.source.name

    def of(self, word: str) -> Position:
        """The position of the first ``word`` in the next expression of this line; this position if there is none."""
        text, start = self.source.line(self.line), self.column - 1
        pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
        found = pattern.search(text, max(start, text.find("{{", start))) if word else None
        return replace(self, column=found.start() + 1) if found else self

    def unshown(self) -> Position:
        """The same position, without the text of the line, which may be a secret."""
        return replace(self, source=Source(str(self), ""))

    def shown(self) -> str:
        """The line, with a caret below the column; empty if the line is empty."""
        text, column = self.source.line(self.line), self.column
        if not text:
            return ""
        start = max(0, column - 1 - _SHOWN_COLUMNS * 2 // 3) if len(text) > _SHOWN_COLUMNS else 0
        window = text[start : start + _SHOWN_COLUMNS]
        margin = "".join(map(_blank, window[: column - 1 - start]))
        return f"\n    {window.rstrip()}\n    {margin}^"


def _blank(char: str) -> str:
    """White space as wide as a character is on a terminal."""
    if char == "\t":
        return char
    if unicodedata.combining(char):
        return ""
    return "  " if unicodedata.east_asian_width(char) in "WF" else " "


class PlaybookError(SubfloorError):
    """A mistake in a playbook or an inventory, with its position.

    ``undefined``: the name of the missing variable, if that is the mistake. ``notes``: lines that explain the
    context, such as the includes. ``others``: the errors that were found together with this one. ``follows``: this
    error may be only a consequence of another error. It is left out if there is an error that is no such consequence.
    """

    def __init__(
        self,
        what: str,
        *,
        advice: str,
        where: Position,
        undefined: str | None = None,
        notes: tuple[str, ...] = (),
        follows: bool = False,
    ) -> None:
        super().__init__(what, advice=advice)
        self.where = where
        self.undefined = undefined
        self.notes = notes
        self.follows = follows
        self.others: tuple[PlaybookError, ...] = ()

    @property
    def all(self) -> tuple[PlaybookError, ...]:
        """This error and those that were found together with it."""
        return (self, *self.others)

    def alone(self) -> str:
        """This error without the others."""
        notes = "".join(f"\n  {note}" for note in self.notes)
        return f"{self.where}: {self.what}{self.where.shown()}{notes}\n  → {self.advice}"

    def __str__(self) -> str:
        return "\n\n".join(error.alone() for error in self.all)


class Problems:
    """Collects errors, so that one run reports all of them."""

    def __init__(self) -> None:
        self._found: list[PlaybookError] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, error: PlaybookError) -> None:
        """Keep an error and its ``others``. Raises all kept errors once there are 100 of them."""
        self._found.extend(error.all)
        if len(self._found) >= _MANY:
            self.settle()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the ``PlaybookError`` of the block, and continue after it."""
        try:
            yield
        except PlaybookError as error:
            self.add(error)

    def settle(self) -> None:
        """Raise the collected errors, if any, as one ``PlaybookError``. Those that follow from others are left out."""
        told = _without_repetition([error for error in self._found if not error.follows] or self._found)
        self._found = []
        if told:
            first, *others = told
            first.others = tuple(others)
            raise first

    def taken(self) -> tuple[PlaybookError, ...]:
        """Remove all collected errors; returns them in the order of the file."""
        found, self._found = self._found, []
        return tuple(sorted(found, key=lambda error: (error.where.line, error.where.column)))


_Key = tuple[object, ...]


def _without_repetition(errors: Iterable[PlaybookError]) -> list[PlaybookError]:
    """Each error once; one variable that is missing in twenty places is one error."""
    told: dict[_Key, PlaybookError] = {}
    places: dict[_Key, set[Position]] = {}
    for error in errors:
        error.others = ()
        key: _Key = ("undefined", error.undefined) if error.undefined else (error.where, error.what)
        told.setdefault(key, error)
        places.setdefault(key, set()).add(error.where)
    for key, error in told.items():
        more = len(places[key]) - 1
        if more:
            error.notes += (f"and in {more} more {'place' if more == 1 else 'places'}",)
    return list(told.values())


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most similar; None if none is similar."""
    names = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    return names[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str], *, otherwise: str) -> str:
    """The advice for an unknown name: the nearest known one, and ``otherwise``."""
    close = nearest(name, known)
    return f"did you mean `{close}`? If not: {otherwise}" if close else otherwise
