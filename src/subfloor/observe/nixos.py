"""A NixOS under an install root: the files of its configuration, and the system installed from them.

Files on the boot partition are compared with the store: an interrupted installation leaves truncated copies
there, and the boot loader's installer takes any existing file for a complete one.
"""

from __future__ import annotations

import posixpath
import shlex
from dataclasses import dataclass

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output, Unknown
from subfloor.observe.path import Absent, Located, NotYetVisible

PROFILES = "nix/var/nix/profiles"
"""The directory of the system's profile, below the root."""

SYSTEM_OF = f"""
system_of() (
    cd -- "$1/{PROFILES}" 2>/dev/null && [ -L "$2" ] || exit 0
    case $2 in *-link) g=$2 ;; *) g=$(readlink -- "$2"); g=${{g##*/}} ;; esac
    readlink -- "$g"
)
"""
"""A piece of sh: `system_of ROOT LINK` prints the store path that a profile, or a generation of it, leads to.

These links contain absolute paths of the installed system, so outside of that system they cannot simply be followed.
"""

_STORED = (
    SYSTEM_OF
    + """
for p in cat cmp readlink sed stat tr; do command -v $p >/dev/null || exit 1; done
stored() (
    f=$2
    while [ -L "$1$f" ]; do t=$(readlink -- "$1$f"); case $t in /*) f=$t ;; *) f=${f%/*}/$t ;; esac; done
    [ ! -e "$1$f" ] || printf '%s\\n' "$f"
)
size() { stat -c %s -- "$1"; }
"""
)
"""`stored ROOT PATH` follows links from PATH to a file in the store, and prints its path in the installed system."""


@dataclass(frozen=True)
class Sources:
    """The files of a configuration: their names in its directory, and the SHA-256 of their content."""

    files: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{len(self.files)} files"


SourcesState = Sources | NotYetVisible | Unknown


@dataclass(frozen=True)
class Configuration(Located[SourcesState]):
    """The files in a configuration directory, except git's own files and unfinished files of subfloor."""

    path: str

    def __str__(self) -> str:
        return f"configuration in {self.path}"

    def probes(self) -> tuple[str, ...]:
        """One probe: the SHA-256 of each file."""
        listed = "-name .git -prune -o -xtype f ! -name '.subfloor-*.unfinished' -exec sha256sum -z -- {} +"
        return (f"[ -d {shlex.quote(self.path)} ] || exit 0; cd -- {shlex.quote(self.path)} && find . {listed}",)

    def parse(self, *outputs: Output) -> Sources:
        """The files by name. Raises ``LookFailed`` if one cannot be read."""
        (found,) = outputs
        if found.status:
            raise LookFailed(f"{self.path} cannot be read", advice="check that root can read every file in it")
        entries = (entry.split("  ", 1) for entry in found.text.split("\0") if entry)
        return Sources(tuple(sorted((name.removeprefix("./"), digest) for digest, name in entries)))

    def in_empty(self) -> SourcesState:
        """A value without files: an empty filesystem has none."""
        return Sources()


@dataclass(frozen=True)
class System:
    """An installed system: its store path, the recorded digest of its configuration, and whether it boots.

    ``made_from``: the digest; "" if there is no record of this system. ``boots``: the boot partition has a boot loader,
    and a boot entry that starts this system, whose kernel and initrd have their full length.
    """

    path: str | Unknown
    made_from: str | Unknown
    boots: bool

    def __str__(self) -> str:
        return f"{self.path}{'' if self.boots else ', not bootable'}"


SystemState = System | Absent | NotYetVisible


@dataclass(frozen=True)
class InstalledSystem(Located[SystemState]):
    """The system that the profile under the install root ``path`` leads to.

    ``boot``: where the boot partition is mounted; "" if it does not matter whether the system boots. ``record``: the
    path of the file that records, as ``DIGEST STORE-PATH``, from which configuration a system was made.
    """

    path: str
    boot: str
    record: str

    def __str__(self) -> str:
        return f"system installed under {self.path}"

    @property
    def places(self) -> tuple[str, ...]:
        """Every path that the value depends on."""
        return (self.path, posixpath.join(self.path, PROFILES), self.record, *((self.boot,) if self.boot else ()))

    def probes(self) -> tuple[str, ...]:
        """The probes to run, as pieces of sh."""
        given = f"r={shlex.quote(self.path.rstrip('/'))}; b={shlex.quote(self.boot)}; c={shlex.quote(self.record)}"
        return (f"{given}\n{_STORED}{_SYSTEM}",)

    def parse(self, *outputs: Output) -> SystemState:
        """The system, or ``Absent``. Raises ``LookFailed`` if it cannot be read."""
        (found,) = outputs
        if found.status:
            raise LookFailed(
                f"the system installed under {self.path} cannot be read",
                advice="run this as root, and check the filesystems there",
            )
        said: dict[str, str] = dict(_words(line) for line in found.text.splitlines())
        if "system" not in said:
            return Absent()
        digest, _, recorded = said.get("record", "").partition(" ")
        made_from = digest if recorded == said["system"] else ""
        return System(said["system"], made_from, not self.boot or {"loader", "entry"} <= said.keys())

    def in_empty(self) -> SystemState:
        """``Absent``: an empty filesystem has no system."""
        return Absent()


def _words(line: str) -> tuple[str, str]:
    first, _, rest = line.partition(" ")
    return first, rest


_SYSTEM = """
s=$(system_of "$r" system) && [ -n "$s" ] && [ -d "$r$s" ] || exit 0
printf 'system %s\\n' "$s"
[ ! -f "$c" ] || printf 'record %s\\n' "$(cat -- "$c")" || exit 1
[ -n "$b" ] || exit 0
for f in "$b"/EFI/systemd/systemd-boot*.efi "$b"/EFI/BOOT/BOOT*.EFI; do [ ! -s "$f" ] || { echo loader; break; }; done
# Secrets are appended to the copy of an initrd, so it may be longer than the store's.
whole() {
    f=$(stored "$r" "$s/$1") && at=$b/$(sed -n "s/^$2[[:space:]]*//p" "$3" | head -n 1)
    [ -f "$at" ] && [ -s "$at" ] && { [ -z "$f" ] || [ "$(size "$at")" -ge "$(size "$r$f")" ]; }
}
starts() ( set -f; for w in $(sed -n 's/^options//p' "$1"); do [ "$w" != "init=$s/init" ] || exit 0; done; exit 1 )
for e in "$b"/loader/entries/*.conf; do
    [ -f "$e" ] && starts "$e" && whole kernel linux "$e" && whole initrd initrd "$e" && { echo entry; break; }
done
exit 0
"""


@dataclass(frozen=True)
class Leftovers:
    """Paths of files that an interrupted installation left on the boot partition."""

    paths: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return ", ".join(sorted(self.paths)) or "nothing"


LeftoversState = Leftovers | NotYetVisible


@dataclass(frozen=True)
class BootLeftovers(Located[LeftoversState]):
    """Files on the boot partition that make the boot loader's installer fail, or that the installer takes for complete.

    If the file ``record`` is missing, every kernel and initrd of a generation on the boot partition is compared with
    the one in the store, byte by byte. If the record is there, they were flushed, and are not read.
    """

    path: str
    root: str
    record: str

    def __str__(self) -> str:
        return f"unfinished files in {self.path}"

    @property
    def places(self) -> tuple[str, ...]:
        """Every path that the value depends on."""
        return (self.path, posixpath.join(self.root, PROFILES), self.record)

    def probes(self) -> tuple[str, ...]:
        """The probes to run, as pieces of sh."""
        given = f"r={shlex.quote(self.root.rstrip('/'))}; b={shlex.quote(self.path)}; c={shlex.quote(self.record)}"
        return (f"{given}\n{_STORED}{_LEFTOVERS}",)

    def parse(self, *outputs: Output) -> Leftovers:
        """The paths. Raises ``LookFailed`` if the partition cannot be read."""
        (found,) = outputs
        if found.status:
            raise LookFailed(f"{self.path} cannot be read", advice="check its filesystem")
        return Leftovers(frozenset(found.text.split("\0")) - {""})

    def in_empty(self) -> LeftoversState:
        """A value without paths: an empty filesystem has no leftovers."""
        return Leftovers()


# `.#*` are files that bootctl was writing: they prevent nothing, but fill the partition up.
# The other names are from NixOS's systemd-boot-builder: it makes loader.tmp only if there is none, and names a
# kernel's copy after its place in the store: HASH-linux-6.12/bzImage becomes HASH-linux-6.12-bzImage.efi.
_LEFTOVERS = f"""
[ -d "$b" ] || exit 0
cd -- "$b" || exit 1
for f in loader/loader.tmp loader/loader.conf.tmp loader/entries/nixos*.tmp EFI/nixos/*.tmp.* \\
    EFI/systemd/.#* EFI/BOOT/.#* loader/.#* loader/entries/.#*; do
    [ ! -f "$f" ] || printf '%s\\0' "$f"
done
[ ! -f "$c" ] || exit 0
for g in "$r/{PROFILES}"/system-*-link; do
    [ -L "$g" ] || continue
    s=$(system_of "$r" "${{g##*/}}")
    for k in kernel initrd; do
        f=$(stored "$r" "$s/$k"); n=${{f#/nix/store/}}
        [ -n "$f" ] || continue
        n=EFI/nixos/$(printf %s "$n" | tr / -).efi
        [ -f "$n" ] || continue
        cmp -s -n "$(size "$r$f")" -- "$r$f" "$n"
        case $? in 0) ;; 1) printf '%s\\0' "$n" ;; *) exit 1 ;; esac
    done
done
exit 0
"""
