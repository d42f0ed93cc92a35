"""Mount options: those that were asked for, in the spelling in which the kernel shows them.

A kernel shows some as they were given, some in another spelling, and many not at all (what is a
filesystem's default, what only mount(8) reads). Only what it shows can be looked for. The spellings are
those of the kernel's ``show_options`` functions: fs/proc_namespace.c, fs/ext4/super.c, fs/fat/inode.c,
fs/btrfs/super.c, fs/xfs/xfs_super.c.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
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
    "nodiscard": frozenset({"discard"}),
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

_WHO = frozenset({"user", "nouser", "users", "nousers", "owner", "noowner", "group", "nogroup"})
_USERSPACE = _WHO | {"defaults", "auto", "noauto", "nofail", "_netdev"}


@dataclass(frozen=True)
class Wanted:
    """What must be shown, and what must not be; ``fixed``: options that a remount cannot change."""

    shown: frozenset[str]
    contrary: frozenset[str]
    fixed: frozenset[str]

    def lacking(self, options: frozenset[str]) -> frozenset[str]:
        """What a mount that shows these options lacks, or has against what is wanted."""
        return (self.shown - options) | (self.contrary & options)


def wanted(kind: str, options: Iterable[str]) -> Wanted:
    """What these options come to, on a filesystem of this type. Where none says ``ro``, it is to be writable."""
    given = _in_force(for_kernel(options))
    given = given if "ro" in given else ("rw", *given)
    own = frozenset(spelt for option in given for spelt in _own(kind, option))
    contrary = frozenset().union(*(_CONTRARY.get(option, frozenset()) for option in given))
    shown = own | _GENERIC.intersection(given)
    changeable = _TYPES.get(kind, _Type()).changeable
    values = own | {option for option in contrary if "=" in option}
    fixed = frozenset(option for option in values if option.partition("=")[0] not in changeable)
    return Wanted(shown, contrary - shown, fixed)


def _in_force(options: tuple[str, ...]) -> tuple[str, ...]:
    """The options without those that a later one calls off."""
    return tuple(option for at, option in enumerate(options) if _OPPOSITE.get(option) not in options[at + 1 :])


def remounting(kind: str, options: Iterable[str], shown: frozenset[str]) -> tuple[str, ...]:
    """The options to remount with, so that a mount that shows these comes to have those that are wanted.

    mount(8) adds the options that it wants to those that are in force, and of two that exclude one another
    the kernel does not take the later one (``noatime`` goes before ``relatime``). So each that is in the way
    is called off by its opposite.
    """
    given = for_kernel(options)
    against = wanted(kind, given).contrary & shown
    called_off = (_OPPOSITE[option] for option in sorted(against) if option in _OPPOSITE)
    return tuple(dict.fromkeys((*called_off, *(("rw",) if "ro" not in given else ()), *given)))


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


@dataclass(frozen=True)
class _Type:
    """How a type shows its own options, and which of them a remount changes."""

    spell: Callable[[str, str], Iterator[str]] = lambda name, value: iter(())
    changeable: frozenset[str] = frozenset()


def _own(kind: str, option: str) -> Iterator[str]:
    name, _, text = option.partition("=")
    return _TYPES.get(kind, _Type()).spell(name, text)


def _ext4(name: str, text: str) -> Iterator[str]:
    if name == "discard":
        yield name
    if name == "commit" and text not in ("0", "5"):  # 5 s is the default, which is not shown
        yield f"commit={text}"
    if name == "data" and text != "ordered":  # the default, which newer kernels show where it was given
        yield f"data={text}"


def _vfat(name: str, text: str) -> Iterator[str]:
    if name in ("umask", "fmask", "dmask"):
        for mask in ("fmask", "dmask") if name == "umask" else (name,):
            yield f"{mask}={int(text, 8):04o}"
    if name in ("uid", "gid") and text != "0":
        yield f"{name}={text}"
    if name == "discard":
        yield name


def _btrfs(name: str, text: str) -> Iterator[str]:
    if name == "subvol":
        yield f"subvol={posixpath.join('/', text)}"
    if name in ("compress", "compress-force") and text:
        levels = {"zstd": "zstd:3", "zlib": "zlib:3"}
        yield f"{name}={levels.get(text, text)}"
    if name == "autodefrag":
        yield name
    if name == "discard":
        yield "discard=async" if text == "async" else "discard"
    if name == "commit" and text not in ("0", "30"):
        yield f"commit={text}"


def _discard(name: str, text: str) -> Iterator[str]:
    if name == "discard":
        yield name


_TYPES: Mapping[str, _Type] = {
    "ext4": _Type(_ext4, frozenset({"discard", "commit"})),
    "vfat": _Type(_vfat),
    "btrfs": _Type(_btrfs, frozenset({"compress", "compress-force", "autodefrag", "discard", "commit"})),
    "xfs": _Type(_discard),
    "f2fs": _Type(_discard, frozenset({"discard"})),
}
