"""Secret text: the hash of a password, or a passphrase.

It is shown as dots wherever a value is shown: in a message, a difference, a report, a traceback. The text itself
goes only to the standard input of a command.
"""

from __future__ import annotations

import hmac
from typing import NoReturn

MASK = "••••"
"""What is shown instead of the text."""


class Secret:
    """A text that is shown as dots. ``reveal()`` returns the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text, only for the standard input of a command."""
        return self._text

    @property
    def bytes(self) -> bytes:
        """The bytes of the text as it was typed or read, even if these are not UTF-8."""
        return self._text.encode("utf-8", "surrogateescape")

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.bytes, other.bytes)

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be written as text")
