"""`nixos-install`: the system that a configuration describes, installed, and on the boot partition."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from subfloor.plugin import (
    LONGEST,
    SYSTEM_OF,
    Administrators,
    AnySubject,
    BootLeftovers,
    Command,
    Configuration,
    FromPlay,
    InstalledSystem,
    Leftovers,
    Machine,
    Mount,
    MountLocation,
    Param,
    Refused,
    Step,
    System,
    SystemState,
    Task,
    Text,
    TextFile,
    Tracking,
    UnderlyingMount,
    Unknown,
    check_clean,
    checked,
    hookimpl,
    is_below,
    lint,
    seen,
    tracked,
    under,
    unfinished,
)

_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


@dataclass(frozen=True, kw_only=True)
class NixosInstall(Task):
    """Install the current configuration with nixos-install, with a boot loader that starts it.

    The task is satisfied if the system profile below `root` leads to a system that exists and was made from the
    current configuration, and if the boot partition has a boot loader and an entry for this system, with kernel
    and initrd of the same length as in the store. The source of a system is recorded in `state` as the last
    step, so an interrupted installation never counts as finished. The next run removes what it left on the boot
    partition, and resumes: what was built is in the store.

    Temporary files go to `state` too, since a root in memory has little room. The task refuses if nothing is
    mounted, or if the store or `state` would be in memory.

    It refuses a flake in a git repository that does not track one of its files, such as `local.nix`: Nix would
    leave the file out silently.

    It refuses a configuration with which nobody could log in and become root, before anything is written,
    unless there is a `local.nix`, which may declare who can.

    With `root: /` nothing is installed: use nixos-rebuild on a running system. There the task refuses if the
    configuration was changed after it was installed, and was not rebuilt.
    """

    key: ClassVar[str] = "nixos-install"
    examples: ClassVar[tuple[str, ...]] = (
        "nixos-install: {root: /mnt}",
        'nixos-install: {root: /mnt, flake: "/etc/nixos#kiosk", timeout: 36000}',
    )

    root: Annotated[str, Param("Where the installed system's root is mounted now", examples=("/mnt", "/"))] = "/mnt"
    path: Annotated[str, Param("The configuration's directory, as the installed system has it")] = "/etc/nixos"
    flake: Annotated[
        str,
        Param(
            "Install from this flake and not from channels: its directory as the installed system has it, `#`, and the "
            "configuration's name. Or any other reference to a flake, of which nothing else is then looked at",
            pattern="^$|^[^#]+#[^#]+$",
            examples=("/etc/nixos#nixos", "github:me/machines#kiosk"),
        ),
    ] = ""
    boot: Annotated[
        str, Param("Where the boot partition is mounted, as the installed system has it; empty: it is not looked at")
    ] = "/boot"
    state: Annotated[
        str, Param("A directory on the disk, for the record and temporary files, as the installed system has it")
    ] = "/nix/persist/var/lib/subfloor"
    channel_copy: Annotated[bool, Param("Give the installed system the installer's channel")] = True
    timeout: Annotated[int, Param("Seconds until the installation is ended", minimum=1)] = 6 * 3600
    written: Annotated[tuple[str, ...], FromPlay()] = ()
    locked_out: Annotated[bool, FromPlay()] = False

    def __post_init__(self) -> None:
        for name in ("root", "path", "state"):
            checked(name, check_clean, getattr(self, name))
        if self.root != "/":
            checked("root", _check_safe_root, self.root)
        if self.boot:
            checked("boot", check_clean, self.boot)
        if self._is_local_flake:
            checked("flake", check_clean, self.flake.partition("#")[0])

    def within(self, play: tuple[Task, ...]) -> Task:
        """What the play's other tasks write into the configuration counts before it is written."""
        others = (subject for task in play if task.key != self.key for subject in task.subjects())
        written = {each.path for each in others if isinstance(each, TextFile)}
        return replace(
            self,
            written=tuple(sorted(path for path in written if is_below(path, self._configuration))),
            locked_out=self._is_locked_out(play),
        )

    def _is_locked_out(self, play: tuple[Task, ...]) -> bool:
        """Whether nobody could log in to what the play declares; False where it declares nothing."""
        told = [each for task in play if task.key != self.key for each in task.contributes()]
        declared = [each for each in told if isinstance(each, Administrators) and each.path == self._configuration]
        return bool(declared) and any(lint.is_locked_out(each, under(self.root, told)) for each in declared)

    def subjects(self) -> frozenset[AnySubject]:
        found: set[AnySubject] = {Configuration(self._configuration), self._system, *map(TextFile, self.written)}
        if self._is_local_flake:
            found.add(Tracking(self._configuration))
        if self.root != "/":
            found |= {Mount(self.root), UnderlyingMount(self._at("/nix/store")), UnderlyingMount(self._at(self.state))}
            found |= {Mount(self._boot), self._leftovers} if self.boot else set()
        return frozenset(found)

    def next_step(self, machine: Machine) -> Step | None:
        if self.root != "/":
            self._check_ground(machine)
        files = self._files(machine)
        digest = self._digest(files)
        if self._is_local_flake:
            tracked.check(seen(machine, Tracking(self._configuration)), self._configuration)
        there = seen(machine, self._system)
        if isinstance(there, System) and there.boots and _is(there.made_from, digest):
            return None
        if self.root == "/":
            self._check_as_it_runs(there)
            return None
        self._check_there(files)
        self._check_login(files)
        return self._clear(machine) or self._lock(machine, files) or self._install(machine, digest)

    # What is looked at.

    def _at(self, path: str) -> str:
        return posixpath.join(self.root, path[1:])

    @property
    def _is_local_flake(self) -> bool:
        return self.flake.startswith("/")

    @property
    def _configuration(self) -> str:
        return self._at(self.flake.partition("#")[0] if self._is_local_flake else self.path)

    @property
    def _boot(self) -> str:
        return self._at(self.boot) if self.boot else ""

    @property
    def _record(self) -> str:
        return posixpath.join(self._at(self.state), "installed")

    @property
    def _temporary(self) -> str:
        return posixpath.join(self._at(self.state), "tmp")

    @property
    def _system(self) -> InstalledSystem:
        return InstalledSystem(self.root, self._boot, self._record)

    @property
    def _leftovers(self) -> BootLeftovers:
        return BootLeftovers(self._boot, self.root, self._record)

    def _files(self, machine: Machine) -> Mapping[str, str] | Unknown:
        """The configuration's files, each with its digest, as they are or are about to be."""
        sources = seen(machine, Configuration(self._configuration))
        if isinstance(sources, Unknown):
            return sources
        files = dict(sources.files)
        for path in self.written:
            content, name = seen(machine, TextFile(path)), posixpath.relpath(path, self._configuration)
            if isinstance(content, Unknown):
                return content
            if isinstance(content, Text) and len(content.content) < LONGEST:
                files[name] = hashlib.sha256(content.content).hexdigest()
        return files

    def _digest(self, files: Mapping[str, str] | Unknown) -> str | Unknown:
        """What the configuration comes to: every name and content, and which of a flake's it is."""
        if isinstance(files, Unknown):
            return files
        listed = json.dumps([self.flake, sorted(files.items())])
        return hashlib.sha256(listed.encode("utf-8", "surrogateescape")).hexdigest()

    # What is refused.

    def _check_there(self, files: Mapping[str, str] | Unknown) -> None:
        """Raise ``Refused`` where there is no configuration to install."""
        if isinstance(files, Unknown) or (self.flake and not self._is_local_flake):
            return
        name = "flake.nix" if self.flake else "configuration.nix"
        if name not in files:
            raise Refused(
                f"there is no {posixpath.join(self._configuration, name)} to install from",
                advice="the task `nixos-config` writes it; or put your own there, and run this again",
            )

    def _check_login(self, files: Mapping[str, str] | Unknown) -> None:
        """Raise ``Refused`` where nobody could log in: local.nix is the only other place that could say who."""
        if self.locked_out and not isinstance(files, Unknown) and "local.nix" not in files:
            raise Refused(lint.LOCKED_OUT, advice=f"{lint.LET_IN}; or say who can in {self._configuration}/local.nix")

    def _check_ground(self, machine: Machine) -> None:
        """Raise ``Refused`` where what is installed would not stay: nothing mounted, or a store in memory."""
        for path in (self.root, *((self._boot,) if self.boot else ())):
            if not machine[Mount(path)].stack:
                raise Refused(
                    f"nothing is mounted at {path}",
                    advice="mount what belongs there, by the task `mount` or `tmpfs-mount`, and run this again",
                )
        for path in (self._at("/nix/store"), self._at(self.state)):
            cover: MountLocation = machine[UnderlyingMount(path)]
            if cover.type in _IN_MEMORY:
                raise Refused(
                    f"{path} would lie in memory, on {cover}, and be gone at the next boot",
                    advice=f"mount a disk's filesystem at {self._at('/nix')} or give another `state`; run this again",
                )

    def _check_as_it_runs(self, there: SystemState) -> None:
        """Raise ``Refused`` unless the running system is one that nixos-rebuild has made since."""
        if isinstance(there, System) and there.boots and not there.made_from:
            return
        if isinstance(there, System) and there.boots:
            what = f"the configuration in {self._configuration} was changed, and the system was not rebuilt since"
            command = "nixos-rebuild switch"
        else:
            what = "there is no system profile that the boot loader starts"
            command = "nixos-rebuild boot --install-bootloader"
        flake = f" --flake {shlex.quote(self.flake)}" if self.flake else ""
        raise Refused(what, advice=f"`{command}{flake}` on this machine: a running system is never installed over")

    # What is done.

    def _clear(self, machine: Machine) -> Step | None:
        left: Leftovers = seen(machine, self._leftovers) if self.boot else Leftovers()
        if not left.paths:
            return None
        paths = sorted(posixpath.join(self._boot, path) for path in left.paths)
        return Step(
            says=f"Remove what an unfinished installation left in {self._boot}: {left}",
            commands=(Command(("rm", "-f", "--", *paths)), Command(("sync", "--file-system", "--", self._boot))),
            after=machine.with_(self._leftovers, Leftovers()),
        )

    def _lock(self, machine: Machine, files: Mapping[str, str] | Unknown) -> Step | None:
        """nixos-install would write the lock file itself, and what is installed be of another digest than before."""
        if not self._is_local_flake or isinstance(files, Unknown) or "flake.lock" in files:
            return None
        nix = ("nix", "--extra-experimental-features", "nix-command flakes")
        return Step(
            says=f"Lock the inputs of the flake in {self._configuration}",
            commands=(Command((*nix, "flake", "lock", self._configuration), timeout=float(self.timeout)),),
            after=machine.with_(Configuration(self._configuration), Unknown()),
        )

    def _install(self, machine: Machine, digest: str | Unknown) -> Step:
        where = self.flake if self.flake else self._configuration
        return Step(
            says=f"Install NixOS from {where}",
            commands=(
                # No record from here on until all is done: whatever breaks off is then known to be unfinished.
                Command(("rm", "-rf", "--one-file-system", "--", self._record, self._temporary)),
                Command(("mkdir", "-p", "--", self._temporary)),
                self._nixos_install(),
                Command(("rm", "-rf", "--one-file-system", "--", self._temporary)),
                Command(("sync", "--file-system", "--", self._at("/nix"), *((self._boot,) if self.boot else ()))),
                Command(
                    ("sh", "-euc", _RECORD, "record", self.root, self._record, unfinished(self._record)),
                    stdin=_bytes(digest),
                ),
            ),
            after=machine.with_(self._system, System(Unknown(), digest, True)),
        )

    def _nixos_install(self) -> Command:
        argv = ["nixos-install", "--root", self.root, "--no-root-passwd"]
        env = {"TMPDIR": self._temporary}
        if self.flake:
            directory, _, name = self.flake.rpartition("#")
            reference = self._at(directory) if self._is_local_flake else directory
            argv += ["--flake", f"{reference}#{name}", "--no-write-lock-file"]
        else:
            env["NIXOS_CONFIG"] = posixpath.join(self._configuration, "configuration.nix")
        if not self.channel_copy:
            argv.append("--no-channel-copy")
        return Command(tuple(argv), timeout=float(self.timeout), env=env)


# What a shell neither splits nor expands, and what Nix takes for a plain path as the address of a store.
_SAFE_ROOT = re.compile(r"[\w/.,+=@-]+")


def _check_safe_root(root: str) -> None:
    """Raise ``ValueError`` for a root that nixos-install does not quote where it removes its temporary directory.

    Its cleanup is `rm -rf $tmpdir` below the root (nixos-install.sh): with white space or a glob in the root
    it removes other directories, and it gives the root to `nix --store`, where `?`, `#` and `%` have a meaning.
    """
    if not _SAFE_ROOT.fullmatch(root):
        unsafe = "".join(dict.fromkeys(char for char in root if not _SAFE_ROOT.fullmatch(char)))
        raise ValueError(
            f"nixos-install cannot be given {root!r}: it does not quote {unsafe!r} when it removes its temporary "
            "directory, and would remove others; mount the root elsewhere, such as at /mnt"
        )


# The record is written like every file here: under another name, flushed, renamed, and the name flushed.
_RECORD = f"""{SYSTEM_OF}
read -r digest || [ -n "$digest" ]
printf '%s %s\\n' "$digest" "$(system_of "${{1%/}}" system)" | dd of="$3" conv=fsync status=none
mv -f -T -- "$3" "$2"
sync -- "${{2%/*}}"
"""


def _bytes(digest: str | Unknown) -> bytes:
    """The digest, for standard input: in a check it may not be known yet, and what is shown of a step is its argv."""
    return b"" if isinstance(digest, Unknown) else f"{digest}\n".encode()


def _is(made_from: str | Unknown, digest: str | Unknown) -> bool:
    """Whether a system was made from this; what was imagined to be installed was made from what was there."""
    return isinstance(made_from, Unknown) or made_from == digest


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (NixosInstall,)
