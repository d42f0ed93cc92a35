"""Hashes of passwords, as crypt(5) writes them: which method, and whether one is whole.

After libxcrypt's crypt(5), which gives a regular expression for each method. A hash that was cut short where it was
copied is accepted by everything, and then nobody can log in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TEXT = "[./A-Za-z0-9]"


@dataclass(frozen=True)
class Method:
    """``prefix``: how its hashes begin; ``setting``: what follows, up to the digest; ``digest``: how long that is."""

    name: str
    prefix: str
    setting: str
    digest: int

    def is_whole(self, text: str) -> bool:
        """Whether this is a hash of this method, with all its characters."""
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
"""Those that are strong enough today, the best first."""


def fault(text: str) -> str:
    """What is wrong with a hash, in words that tell nothing of it; empty where it is a whole one of a strong method."""
    method = next((each for each in METHODS if text.startswith(each.prefix)), None)
    if method is None:
        return (
            "this is no hash of a password that crypt(5) knows as strong (yescrypt, scrypt, bcrypt, sha512, sha256); "
            "a password itself is given to --ask-password, or to `mkpasswd`"
        )
    if method.is_whole(text):
        return ""
    last = len(text.rpartition("$")[2])
    return (
        f"this is no whole hash of {method.name}, of which the part after the last $ has "
        f"{method.digest} characters, and here it has {last}; "
        "`mkpasswd` prints one in one line, which is to be copied whole"
    )
