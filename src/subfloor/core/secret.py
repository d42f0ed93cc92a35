"""A text that nobody may see: the hash of a password, a passphrase.

It is shown as dots wherever a value is shown: in a message, a difference, a report, a traceback. What it
says goes to a command by standard input, and nowhere else.
"""

from __future__ import annotations

import hmac
from typing import NoReturn

MASK = "••••"
"""What is shown in its place."""


class Secret:
    """A text that shows itself as dots. ``reveal()`` is what it says."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """What it says: for a command's standard input alone."""
        return self._text

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is written nowhere")
