"""Mount options: those that were asked for, in the spelling in which the kernel shows them.

A kernel shows some as they were given, some in another spelling, and many not at all (what is a
filesystem's default, what only mount(8) reads). Only what it shows can be looked for. The spellings are
those of the kernel's ``show_options`` functions: fs/proc_namespace.c, fs/ext4/super.c, fs/fat/inode.c,
fs/btrfs/super.c, fs/xfs/xfs_super.c.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

_TIMES = frozenset({"noatime", "relatime", "nodiratime", "lazytime"})
_GENERIC = _TIMES | {"ro", "rw", "nosuid", "nodev", "noexec", "nosymfollow", "sync", "dirsync"}
_CONTRARY: Mapping[str, frozenset[str]] = {
    "ro": frozenset({"rw"}),
    "rw": frozenset({"ro"}),
    "strictatime": frozenset({"noatime", "relatime"}),
    "relatime": frozenset({"noatime"}),
    "atime": frozenset({"noatime"}),
    "diratime": frozenset({"nodiratime"}),
    "suid": frozenset({"nosuid"}),
    "dev": frozenset({"nodev"}),
    "exec": frozenset({"noexec"}),
    "symfollow": frozenset({"nosymfollow"}),
    "async": frozenset({"sync"}),
    "nolazytime": frozenset({"lazytime"}),
    "nodiscard": frozenset({"discard", "discard=async"}),
    "data=ordered": frozenset({"data=journal", "data=writeback"}),
    "data=journal": frozenset({"data=ordered", "data=writeback"}),
    "data=writeback": frozenset({"data=ordered", "data=journal"}),
}
"""What the kernel shows where the opposite of an option is in force."""

_OPPOSITE: Mapping[str, str] = {
    "ro": "rw",
    "rw": "ro",
    "noatime": "atime",
    "nodiratime": "diratime",
    "relatime": "norelatime",
    "nosuid": "suid",
    "nodev": "dev",
    "noexec": "exec",
    "nosymfollow": "symfollow",
    "sync": "async",
    "lazytime": "nolazytime",
    "discard": "nodiscard",
}
"""What calls an option off, to mount(8)."""

_KEPT = frozenset({"nosuid", "nodev", "noexec", "nosymfollow"})

_WHO = frozenset({"user", "nouser", "users", "nousers", "owner", "noowner", "group", "nogroup"})
_USERSPACE = _WHO | {"defaults", "auto", "noauto", "nofail", "_netdev"}


_SHARED = frozenset({"sync", "dirsync", "lazytime"})
"""What the kernel keeps for a filesystem as a whole, of the options that every type has."""

_AT_ONCE = frozenset({"noatime", "relatime", "strictatime", "norelatime", "atime", "nostrictatime"})


@dataclass(frozen=True)
class Wanted:
    """What must be shown, and what must not be.

    ``fixed``: options that a remount cannot change. ``shared``: the names of those that the kernel keeps for a
    filesystem as a whole, whichever of its mounts they were given to. ``unsure``: names of options that the
    kernel drops where the device cannot do what they ask for.
    """

    shown: frozenset[str]
    contrary: frozenset[str]
    off: frozenset[str] = frozenset()
    changeable: frozenset[str] = frozenset()
    shared: frozenset[str] = _SHARED
    unsure: frozenset[str] = frozenset()

    def lacking(self, options: frozenset[str], unsure: frozenset[str] = frozenset()) -> frozenset[str]:
        """What a mount that shows these options lacks, or has against what is wanted.

        ``unsure``: names of options that may be in force without being among those that are promised.
        """
        lacks = frozenset(option for option in self.shown - options if _name(option) not in unsure)
        return lacks | self._against(options)

    def _against(self, options: frozenset[str]) -> frozenset[str]:
        return (self.contrary & options) | {option for option in options if _name(option) in self.off}

    def fixed(self, lacking: frozenset[str]) -> frozenset[str]:
        """Those of the options that no remount can change."""
        own = self.shared - _SHARED
        return frozenset(each for each in lacking if _name(each) in own and _name(each) not in self.changeable)

    def mounted(self, there: frozenset[str] | None) -> frozenset[str]:
        """What will be shown once it is mounted; ``there``: what a mount of the same filesystem shows already."""
        if there is None:
            return frozenset(option for option in self.shown if _name(option) not in self.unsure)
        return self._not_shared(self.shown) | self.shared_of(there)

    def remounted(self, options: frozenset[str]) -> frozenset[str]:
        """What a mount that shows these options will show after a remount with those that are wanted."""
        names = {_name(option) for option in self.shown if "=" in option}
        gone = self._against(options) | {option for option in options if _name(option) in names}
        times = _AT_ONCE if self.shown & _AT_ONCE else frozenset()
        return (options - gone - times) | self.shown

    def shared_of(self, options: frozenset[str]) -> frozenset[str]:
        """Those of the options that the kernel keeps for the filesystem as a whole."""
        return options - self._not_shared(options)

    def _not_shared(self, options: frozenset[str]) -> frozenset[str]:
        return frozenset(option for option in options if _name(option) not in self.shared)


def _name(option: str) -> str:
    return option.partition("=")[0]


def wanted(kind: str, options: Iterable[str]) -> Wanted:
    """What these options come to, on a filesystem of this type. Where none says ``ro``, it is to be writable."""
    given = _in_force(for_kernel(options))
    given = given if "ro" in given else ("rw", *given)
    of_type = _TYPES.get(kind, _Type())
    own: dict[str, str | None] = {}
    for option in given:
        own |= of_type.spell(*option.partition("=")[::2], given)
    contrary = frozenset().union(*(_CONTRARY.get(option, frozenset()) for option in given))
    shown = frozenset(option for option in own.values() if option) | _GENERIC.intersection(given)
    return Wanted(
        shown,
        contrary - shown,
        off=frozenset(name for name, option in own.items() if not option),
        changeable=of_type.changeable,
        shared=_SHARED | of_type.names,
        unsure=of_type.unsure,
    )


def _in_force(options: tuple[str, ...]) -> tuple[str, ...]:
    """The options without those that a later one calls off. Of times, ``noatime`` goes before ``relatime``."""
    left = tuple(option for at, option in enumerate(options) if _OPPOSITE.get(option) not in options[at + 1 :])
    return tuple(option for option in left if option != "relatime" or "noatime" not in left)


def remounting(kind: str, options: Iterable[str], shown: frozenset[str]) -> tuple[str, ...]:
    """The options to remount with, so that a mount that shows these comes to have those that are wanted.

    mount(8) adds the options that it wants to those that are in force, and of two that exclude one another
    the kernel does not take the later one (``noatime`` goes before ``relatime``). So each that is in the way
    is called off by its opposite. Flags that are to stay are named, since it takes them from fstab(5) where
    that knows the place.
    """
    given = for_kernel(options)
    against = wanted(kind, given).contrary & shown
    called_off = (_OPPOSITE[option] for option in sorted(against) if option in _OPPOSITE)
    kept = sorted((_KEPT & shown) - against)
    return tuple(dict.fromkeys((*called_off, *(("rw",) if "ro" not in given else ()), *kept, *given)))


def for_kernel(options: Iterable[str]) -> tuple[str, ...]:
    """The options without those that only mount(8), fstab(5) and systemd read."""
    return tuple(
        option for option in options if option not in _USERSPACE and not option.startswith(("x-", "X-", "comment="))
    )


def check(options: Iterable[str]) -> None:
    """Raise ``ValueError`` for an option that is none, or several at once."""
    for option in options:
        if not option or "," in option or option != option.strip() or option.startswith("-"):
            raise ValueError(f"{option!r} is no mount option; give a list of them, such as [noatime, nodev]")
        if option in ("remount", "bind", "rbind", "move"):
            raise ValueError(f"{option!r} is no option that a mount can have")


def value(options: Iterable[str], *names: str) -> str | None:
    """The value of the last ``NAME=VALUE`` among the options with one of these names."""
    found = [option.partition("=")[2] for option in options if option.partition("=")[0] in names and "=" in option]
    return found[-1] if found else None


def size(options: Iterable[str]) -> str | None:
    """The size that a tmpfs shows; None where it shows none, since it is the kernel's default."""
    return value(options, "size")


def subvolume(options: Iterable[str]) -> str:
    """Which directory of a btrfs is mounted, as the kernel shows it: its ``subvol``, or its top."""
    return posixpath.join("/", value(options, "subvol") or "")


Spelt = Mapping[str, str | None]
"""Options of a type by their names, as the kernel shows them; None where it shows none of this name. What is not
in it cannot be predicted, and is not looked for."""


@dataclass(frozen=True)
class _Type:
    """How a type shows its own options (``names``), given one of them and all of them.

    ``changeable``: those that a remount changes. ``unsure``: those that depend on what the device can do.
    """

    spell: Callable[[str, str, tuple[str, ...]], Spelt] = lambda name, value, given: {}
    names: frozenset[str] = frozenset()
    changeable: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()


def _discard(name: str) -> Spelt:
    """``discard`` and ``nodiscard``: the later one counts."""
    return {"discard": "discard" if name == "discard" else None} if name in ("discard", "nodiscard") else {}


def _number(name: str, text: str, *unseen: int) -> Spelt:
    """A number as the kernel reads it: octal after a 0, hexadecimal after 0x (kstrtouint). Defaults are not shown."""
    if not re.fullmatch(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*", text):
        return {}
    base = 16 if text[:2] in ("0x", "0X") else 8 if text.startswith("0") else 10
    number = int(text, base)
    return {name: None if number in unseen else f"{name}={number}"}


def _ext4(name: str, text: str, given: tuple[str, ...]) -> Spelt:
    if name == "commit":
        return _number(name, text, 0, 5)  # 5 s is the default
    if name == "data" and text != "ordered":  # the default, which newer kernels show where it was given
        return {name: f"data={text}"}
    return _discard(name)


def octal(text: str) -> int | None:
    """A mask of permission bits; None for what is none."""
    return int(text, 8) if re.fullmatch("[0-7]{1,6}", text) else None


def _vfat(name: str, text: str, given: tuple[str, ...]) -> Spelt:
    if name in ("umask", "fmask", "dmask"):
        mask = octal(text)
        names = ("fmask", "dmask") if name == "umask" else (name,)
        return {} if mask is None else {each: f"{each}={mask:04o}" for each in names}
    if name in ("uid", "gid"):  # a name becomes a number in mount(8)
        return _number(name, text, 0)
    return _discard(name)


_LEVELS = {"zlib": range(1, 10), "zstd": range(1, 16)}


def _btrfs(name: str, text: str, given: tuple[str, ...]) -> Spelt:
    if name == "subvol":
        return {name: f"subvol={posixpath.join('/', text)}"}
    if name in ("compress", "compress-force"):
        return {} if {"nodatacow", "nodatasum"} & set(given) else _compression(name, text)
    if name in ("autodefrag", "noautodefrag"):
        return {"autodefrag": "autodefrag" if name == "autodefrag" else None}
    if name == "discard":
        return {name: "discard=async" if text == "async" else "discard"}
    if name == "commit":
        return _number(name, text, 0, 30)
    return _discard(name)


def _compression(name: str, text: str) -> Spelt:
    """Compression: zlib where none is named, level 3 where none is named. It is one setting under two names."""
    other = "compress" if name == "compress-force" else "compress-force"
    how, _, level = (text or "zlib").partition(":")
    if how in ("no", "none") and not level:
        return {name: None, other: None}
    if how == "lzo" and not level:
        return {name: f"{name}=lzo", other: None}
    if how in _LEVELS and (not level or (level.isdecimal() and int(level) in _LEVELS[how])):
        return {name: f"{name}={how}:{int(level or 3)}", other: None}
    return {}


_DISCARD = frozenset({"discard"})
_BTRFS = frozenset({"compress", "compress-force", "autodefrag", "discard", "commit"})
_TYPES: Mapping[str, _Type] = {
    "ext4": _Type(_ext4, frozenset({"discard", "commit", "data"}), frozenset({"discard", "commit"})),
    "vfat": _Type(_vfat, frozenset({"fmask", "dmask", "uid", "gid", "discard"})),
    "btrfs": _Type(_btrfs, _BTRFS, _BTRFS, _DISCARD),
    "xfs": _Type(lambda name, value, given: _discard(name), _DISCARD, frozenset(), _DISCARD),
    "f2fs": _Type(lambda name, value, given: _discard(name), _DISCARD, _DISCARD, _DISCARD),
}
