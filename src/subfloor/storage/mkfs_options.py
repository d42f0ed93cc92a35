"""The options of mkfs programs that a user may give; none of them can name another device.

An allow-list for each program, read the way getopt(3) reads it (bundles such as ``-qU``, abbreviations of long
options). Anything else is refused: an unknown option may name a device, and mkfs treats any word that is not an option
as a device. The options are those of the man pages mke2fs(8), mkfs.fat(8), mkfs.xfs(8), mkfs.btrfs(8), mkfs.f2fs(8) and
mkswap(8). Left out on purpose: options for label and UUID (the task sets them), for size and place on the device (the
partition sets them), for another file, device or type, and options with which mkfs makes nothing.
"""

from __future__ import annotations

import getopt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_VALUE = re.compile(r"[A-Za-z0-9_.,:=^+%-]+")
"""Numbers, names and lists of these; never a path."""

_ELSEWHERE = frozenset({"device", "file", "logdev", "rtdev", "name", "offset", "uuid", "size@-d", "journal_dev"})
"""Suboptions that name another device, file or place, or the UUID. ``NAME@-d``: only as a suboption of ``-d``."""


@dataclass(frozen=True)
class Grammar:
    """The options allowed for a program: ``short`` and ``long`` in the notation of getopt(3).

    ``values``: by option, a regular expression for its values, if it does not allow every number or name.
    """

    short: str
    long: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)


_ONE_DEVICE = "single|dup|SINGLE|DUP"

_GRAMMARS: Mapping[str, Grammar] = {
    "ext4": Grammar("b:cC:DE:g:G:i:I:jJ:m:N:o:O:qr:T:v", values={"-b": "1024|2048|4096"}),
    "vfat": Grammar("ab:cD:f:h:IM:r:R:s:S:v", ("codepage=",)),
    "xfs": Grammar("b:d:fi:Kl:m:n:qs:"),
    "btrfs": Grammar(
        "d:fKm:Mn:O:qR:s:v",
        (
            *("checksum=", "csum=", "data=", "features=", "force", "metadata=", "mixed", "nodesize=", "nodiscard"),
            *("quiet", "runtime-features=", "sectorsize=", "verbose"),
        ),
        {"-d": _ONE_DEVICE, "--data": _ONE_DEVICE, "-m": _ONE_DEVICE, "--metadata": _ONE_DEVICE},
    ),
    "f2fs": Grammar("a:C:d:e:E:fg:imo:O:qrR:s:t:T:w:z:"),
    "swap": Grammar("cfp:qv:", ("check", "force", "pagesize=", "quiet", "swapversion=", "verbose")),
}


def check_options(kind: str, options: Sequence[str]) -> None:
    """Raise ``ValueError`` for options that could make another filesystem than the declared one, or on another device.

    ``kind``: the filesystem's type. The message names the wrong word and the allowed options.
    """
    grammar = _GRAMMARS[kind]
    try:
        pairs, words = getopt.getopt(list(options), grammar.short, list(grammar.long))
    except getopt.GetoptError as error:
        raise ValueError(f"{_not_offered(kind, error)}; {_offered(grammar)}") from error
    if words or "--" in options:
        word = words[0] if words else "--"
        raise ValueError(f"{word!r} is not an option: the program would take it for a device; {_offered(grammar)}")
    for option, value in pairs:
        _check_value(option, value, grammar.values.get(option))


def allowed(kind: str) -> tuple[str, tuple[str, ...]]:
    """The short and the long options that are allowed for this type, in the notation of getopt(3)."""
    return _GRAMMARS[kind].short, _GRAMMARS[kind].long


def _not_offered(kind: str, error: getopt.GetoptError) -> str:
    option = ("--" if len(error.opt) > 1 else "-") + error.opt
    if "requires argument" in error.msg or "must not have" in error.msg:
        return f"{option}: {error.msg}"
    return f"{option} is not allowed for {kind} (the task sets label and UUID)"


def _offered(grammar: Grammar) -> str:
    letters = [f"-{letter}" for letter in grammar.short.replace(":", "")]
    return "allowed options: " + " ".join((*letters, *(f"--{name.rstrip('=')}" for name in grammar.long)))


def _check_value(option: str, value: str, allowed: str | None) -> None:
    if value and not _VALUE.fullmatch(value):
        raise ValueError(f"{option} {value!r}: a value has only letters, digits and _ . , : = ^ + % -, never a path")
    for part in value.split(","):
        name = part.partition("=")[0].lstrip("^")
        if name in _ELSEWHERE or f"{name}@{option}" in _ELSEWHERE:
            raise ValueError(
                f"{option} {value!r}: {name} sets another device, place, size or UUID; leave it out: "
                "the filesystem fills its partition, and its UUID is derived from the play"
            )
    if allowed and not re.fullmatch(allowed, value):
        raise ValueError(f"{option} {value!r} is not allowed; allowed: {allowed.replace('|', ', ')}")
