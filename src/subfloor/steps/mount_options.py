"""Mount options: the declared ones, as the kernel shows them.

The kernel shows some options as given, some in another spelling, and many not at all (defaults of a filesystem,
and options that only mount(8) reads). Only options that it shows can be verified. The spellings are
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
"""For each option: what the kernel shows if the opposite of the option is in effect."""

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
"""For each option: the option that cancels it in mount(8)."""

_KEPT = frozenset({"nosuid", "nodev", "noexec", "nosymfollow"})

_WHO = frozenset({"user", "nouser", "users", "nousers", "owner", "noowner", "group", "nogroup"})
_USERSPACE = _WHO | {"defaults", "auto", "noauto", "nofail", "_netdev"}


_SHARED = frozenset({"sync", "dirsync", "lazytime"})
"""Options that the kernel keeps for the whole filesystem, whatever its type."""

_AT_ONCE = frozenset({"noatime", "relatime", "strictatime", "norelatime", "atime", "nostrictatime"})


_LOOP = ("loop", "offset", "sizelimit", "encryption")  # mount(8)
_ELSEWHERE = frozenset({*_LOOP, "helper", "uhelper", "journal_path", "journal_dev", "sb", "logdev", "rtdev", "jdev"})
"""Options of mount(8), ext4(5), xfs(5) and reiserfs that make a mount use another device, another place on the device,
or another program. The option `device` of btrfs(5) is not among them: btrfs uses that device only if it is a part of
the same filesystem."""


@dataclass(frozen=True)
class Wanted:
    """The options that a mount must show, and those that it must not show (``contrary``, and names in ``off``).

    ``changeable``: names of the type's own options that a remount can change. ``shared``: names of options that the
    kernel keeps for the whole filesystem, whichever mount sets them. ``unsure``: names of options that the kernel
    drops if the device does not support them.
    """

    shown: frozenset[str]
    contrary: frozenset[str]
    off: frozenset[str] = frozenset()
    changeable: frozenset[str] = frozenset()
    shared: frozenset[str] = _SHARED
    unsure: frozenset[str] = frozenset()

    def lacking(self, options: frozenset[str], unsure: frozenset[str] = frozenset()) -> frozenset[str]:
        """The drift of a mount with these options: desired options that it lacks, and contrary options that it has.

        ``unsure``: names of options that are not compared, since the kernel may have dropped them.
        """
        lacks = frozenset(option for option in self.shown - options if _name(option) not in unsure)
        return lacks | self._against(options)

    def _against(self, options: frozenset[str]) -> frozenset[str]:
        return (self.contrary & options) | {option for option in options if _name(option) in self.off}

    def fixed(self, lacking: frozenset[str]) -> frozenset[str]:
        """The options among these that a remount cannot change."""
        own = self.shared - _SHARED
        return frozenset(each for each in lacking if _name(each) in own and _name(each) not in self.changeable)

    def mounted(self, there: frozenset[str] | None) -> frozenset[str]:
        """The options that the mount will show. ``there``: the options of another mount of the filesystem, if any."""
        if there is None:
            return frozenset(option for option in self.shown if _name(option) not in self.unsure)
        return self._not_shared(self.shown) | self.shared_of(there)

    def remounted(self, options: frozenset[str]) -> frozenset[str]:
        """The options that a mount with these options shows after the remount."""
        names = {_name(option) for option in self.shown if "=" in option}
        gone = self._against(options) | {option for option in options if _name(option) in names}
        times = _AT_ONCE if self.shown & _AT_ONCE else frozenset()
        return (options - gone - times) | self.shown

    def shared_of(self, options: frozenset[str]) -> frozenset[str]:
        """The options among these that the kernel keeps for the whole filesystem."""
        return options - self._not_shared(options)

    def _not_shared(self, options: frozenset[str]) -> frozenset[str]:
        return frozenset(option for option in options if _name(option) not in self.shared)


def _name(option: str) -> str:
    return option.partition("=")[0]


def wanted(kind: str, options: Iterable[str]) -> Wanted:
    """What a mount of this type must show if it has these options. Without ``ro``, the mount must be writable."""
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
    """The options without those that a later one cancels. ``noatime`` takes precedence over ``relatime``."""
    left = tuple(option for at, option in enumerate(options) if _OPPOSITE.get(option) not in options[at + 1 :])
    return tuple(option for option in left if option != "relatime" or "noatime" not in left)


def remounting(kind: str, options: Iterable[str], shown: frozenset[str]) -> tuple[str, ...]:
    """The options for a remount that changes a mount with the options ``shown`` to the desired ones.

    mount(8) adds new options to those in effect. If two options exclude each other, the kernel does not take the later
    one (``noatime`` takes precedence over ``relatime``). So each contrary option is cancelled by its opposite. Flags
    that must stay are named: otherwise mount(8) takes the flags from fstab(5) if the path is listed there.
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
    """Raise ``ValueError`` for text that is not exactly one mount option."""
    for option in options:
        if not option or "," in option or option != option.strip() or option.startswith("-"):
            raise ValueError(f"{option!r} is not a mount option; give a list of options, such as [noatime, nodev]")
        if (name := _name(option).lower()) in _ELSEWHERE or name.startswith("verity."):
            raise ValueError(
                f"{option!r} is not allowed: with it, mount(8) uses something else than the declared source"
            )
        if option in ("remount", "bind", "rbind", "move"):
            raise ValueError(f"{option!r} is not allowed: it is an operation of mount(8), not an option of a mount")


def value(options: Iterable[str], *names: str) -> str | None:
    """The value of the last ``NAME=VALUE`` among the options with one of these names; None if there is none."""
    found = [option.partition("=")[2] for option in options if option.partition("=")[0] in names and "=" in option]
    return found[-1] if found else None


def size(options: Iterable[str]) -> str | None:
    """The size that a tmpfs shows; None for the kernel's default, which is not shown."""
    return value(options, "size")


def subvolume(options: Iterable[str]) -> str:
    """The mounted directory of a btrfs, as the kernel shows it: ``subvol``, or the top level."""
    return posixpath.join("/", value(options, "subvol") or "")


Spelt = Mapping[str, str | None]
"""Options of a filesystem type by name, each as the kernel shows it; None if the kernel then shows no option of this
name. An option that is missing here cannot be predicted, and is not verified."""


@dataclass(frozen=True)
class _Type:
    """How a filesystem type shows its own options (``names``). ``spell`` takes one option, and then all options.

    ``changeable``: the options that a remount can change. ``unsure``: those that depend on the features of the device.
    """

    spell: Callable[[str, str, tuple[str, ...]], Spelt] = lambda name, value, given: {}
    names: frozenset[str] = frozenset()
    changeable: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()


def _discard(name: str) -> Spelt:
    """``discard`` and ``nodiscard``: the last one counts."""
    return {"discard": "discard" if name == "discard" else None} if name in ("discard", "nodiscard") else {}


def _number(name: str, text: str, *unseen: int) -> Spelt:
    """An option with a number, as the kernel shows it. ``unseen``: numbers that it does not show, such as the default.

    The kernel reads a number as octal after a 0, and as hexadecimal after 0x (kstrtouint).
    """
    if not re.fullmatch(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*", text):
        return {}
    base = 16 if text[:2] in ("0x", "0X") else 8 if text.startswith("0") else 10
    number = int(text, base)
    return {name: None if number in unseen else f"{name}={number}"}


def _ext4(name: str, text: str, given: tuple[str, ...]) -> Spelt:
    if name == "commit":
        return _number(name, text, 0, 5)  # 5 s is the default
    if name == "data" and text != "ordered":  # the default, which newer kernels show if it was given
        return {name: f"data={text}"}
    return _discard(name)


def octal(text: str) -> int | None:
    """A mask of permission bits; None if the text is not a mask."""
    return int(text, 8) if re.fullmatch("[0-7]{1,6}", text) else None


def _vfat(name: str, text: str, given: tuple[str, ...]) -> Spelt:
    if name in ("umask", "fmask", "dmask"):
        mask = octal(text)
        names = ("fmask", "dmask") if name == "umask" else (name,)
        return {} if mask is None else {each: f"{each}={mask:04o}" for each in names}
    if name in ("uid", "gid"):  # mount(8) turns a name into a number
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
    """Compression: zlib by default, level 3 by default. ``compress`` and ``compress-force`` are one setting."""
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
