"""The words for a mkfs program: the label, and the options that a task may have."""

from __future__ import annotations

import getopt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from subfloor.storage.mkfs_options import allowed, check_options


@dataclass(frozen=True)
class Words:
    """What the words contain. ``label``: empty if there is none. ``refused``: the options not kept, with reasons."""

    label: str = ""
    options: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Own:
    """Options that the task sets itself. ``implied``: options with the values that the task uses anyway."""

    label: tuple[str, ...]
    uuid: tuple[str, ...]
    short: str
    long: tuple[str, ...] = ()
    implied: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_FORCE = {"-f": ("",), "-F": ("",), "--force": ("",), "-q": ("",), "--quiet": ("",)}
_TAGS = (("-L", "--label"), ("-U", "--uuid"), "L:U:", ("label=", "uuid="), _FORCE)
_OWN: Mapping[str, _Own] = {
    "ext4": _Own(("-L",), ("-U",), "L:U:Ft:", implied={**_FORCE, "-t": ("ext4",)}),
    "vfat": _Own(("-n",), ("-i",), "n:i:F:", implied={"-F": ("32",)}),
    "xfs": _Own(("-L",), (), "L:", implied=_FORCE),
    "btrfs": _Own(*_TAGS),
    "f2fs": _Own(("-l",), ("-U",), "l:U:", implied=_FORCE),
    "swap": _Own(*_TAGS),
}


def read(kind: str, words: Sequence[str]) -> Words:
    """The label, the options and the refused options in the words for the mkfs program of type ``kind``."""
    own = _OWN[kind]
    short, long = allowed(kind)
    try:
        pairs, others = getopt.gnu_getopt(list(words), short + own.short, [*long, *own.long])
    except getopt.GetoptError as error:
        return Words(refused={"": f"{error.msg}, so none of these options is imported"})
    label, options, refused = "", list[str](), {word: f"{word!r} is not an option" for word in others}
    for option, value in pairs:
        if option in own.label:
            label = value.strip()
        elif value in own.implied.get(option, ()):
            continue
        elif why := _complaint(kind, option, value):
            refused[option] = why
        else:
            options += [option, value] if value else [option]
    return Words(label, tuple(options), refused)


def _complaint(kind: str, option: str, value: str) -> str:
    if option in _OWN[kind].uuid:
        return f"{option} sets a UUID, and subfloor derives it from the play"
    try:
        check_options(kind, (option, value) if value else (option,))
    except ValueError as error:
        return str(error)
    return ""
