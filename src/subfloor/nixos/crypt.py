"""Checks of password hashes: a strong method, and a complete hash.

Source: crypt(5) of libxcrypt, which gives a regular expression for each method. Every program accepts an incomplete
hash, and then nobody can log in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TEXT = "[./A-Za-z0-9]"


@dataclass(frozen=True)
class Method:
    """A hash method.

    ``prefix``: how its hashes begin; ``setting``: the pattern up to the digest; ``digest``: its length.
    """

    name: str
    prefix: str
    setting: str
    digest: int

    def is_whole(self, text: str) -> bool:
        """Whether this is a complete hash of this method."""
        return bool(re.fullmatch(rf"{re.escape(self.prefix)}{self.setting}{_TEXT}{{{self.digest}}}", text))


_ROUNDS = r"(?:rounds=[1-9][0-9]*\$)?"

METHODS = (
    Method("yescrypt", "$y$", rf"{_TEXT}+\${_TEXT}{{1,86}}\$", 43),
    Method("gost-yescrypt", "$gy$", rf"{_TEXT}+\${_TEXT}{{1,86}}\$", 43),
    Method("scrypt", "$7$", rf"{_TEXT}{{11,97}}\$", 43),
    *(Method("bcrypt", f"$2{letter}$", r"[0-9]{2}\$", 53) for letter in "by"),
    Method("sha512", "$6$", rf"{_ROUNDS}{_TEXT}{{1,16}}\$", 86),
    Method("sha256", "$5$", rf"{_ROUNDS}{_TEXT}{{1,16}}\$", 43),
)
"""The methods that are strong enough today, the strongest first."""

PLACEHOLDER = f"$6$none${'.' * 86}"
"""A complete hash in place of a real one, for commands that only list a playbook and so ask for no password."""


def fault(text: str) -> str:
    """What is wrong with a hash, without showing any of it; empty for a complete hash of a strong method."""
    method = next((each for each in METHODS if text.startswith(each.prefix)), None)
    if method is None:
        return (
            "this is not a strong password hash (crypt(5): yescrypt, scrypt, bcrypt, sha512, sha256); --ask-password "
            "and `mkpasswd` make one from a password"
        )
    if method.is_whole(text):
        return ""
    last = len(text.rpartition("$")[2])
    return (
        f"this {method.name} hash is incomplete: the part after the last $ must have {method.digest} characters, but "
        f"has {last}; copy the whole line that `mkpasswd` prints"
    )
