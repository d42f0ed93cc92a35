"""The value of a plain YAML scalar if all YAML parsers agree on it, otherwise an error.

YAML 1.1 and 1.2, and their libraries, read ``no``, ``0644``, ``1e3`` and ``12:30:00`` differently.
"""

from __future__ import annotations

import re

from subfloor.core.secret import Secret

_TRUTH = re.compile(r"(y|n|yes|no|on|off|true|false)", re.IGNORECASE)
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,29})")
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]{0,29})\.[0-9]{1,30}")

_AMBIGUOUS = tuple(
    (re.compile(pattern, re.IGNORECASE), what)
    for pattern, what in (
        (r"[-+]?0o?[0-9_]+", "an octal number for some YAML parsers"),
        (r"[-+]?0(x[0-9a-f_]+|b[01_]+)", "a hexadecimal or binary number for some YAML parsers"),
        (r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?", "a number of base 60 for some YAML parsers"),
        (r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?(e[-+]?[0-9]+)?", "a number only for some YAML parsers"),
        (r"[-+]?\.[0-9_]+(e[-+]?[0-9]+)?", "a number only for some YAML parsers"),
        (r"[-+]?\.inf|\.nan", "not a finite number"),
        (r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([t \t].*)?", "a date for some YAML parsers"),
    )
)


class AmbiguousError(ValueError):
    """A plain scalar that YAML parsers read differently."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice


def resolve(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar. Raises ``AmbiguousError``."""
    if text in _NOTHING:
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    _refuse_ambiguous(text)
    return text


def _refuse_ambiguous(text: str) -> None:
    if _TRUTH.fullmatch(text):
        truth = "true" if text.lower() in ("y", "yes", "on", "true") else "false"
        raise AmbiguousError(
            f"`{text}` is true or false for some YAML parsers, and text for others",
            f'write {truth}, or quote it: "{text}"',
        )
    for pattern, what in _AMBIGUOUS:
        if pattern.fullmatch(text):
            raise AmbiguousError(f"`{_short(text)}` is {what}", f'quote it: "{_short(text)}"')


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}…"


def kind(value: object) -> str:
    """What a value is, as part of a message."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f'the text "{_short(value)}"' if value else "an empty text"
    kinds = ((list | tuple, "a list"), (Secret, "a secret"))
    return next((words for kind_, words in kinds if isinstance(value, kind_)), "a mapping")
