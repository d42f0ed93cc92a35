"""Where NixOS is installed, from which configuration, and where the record of it is kept."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from subfloor.core.machine import AnySubject
from subfloor.observe.git import Tracking
from subfloor.observe.mount import Mount, UnderlyingMount
from subfloor.observe.nixos import BootLeftovers, Configuration, InstalledSystem

# Characters that a shell neither splits nor expands, and that Nix accepts in the path of a store.
_SAFE_ROOT = re.compile(r"[\w/.,+=@-]+")


def check_safe_root(root: str) -> None:
    """Raise ``ValueError`` for a root that nixos-install does not quote where it removes its temporary directory.

    Its cleanup is `rm -rf $tmpdir` below the root (nixos-install.sh). With white space or a glob in the root it
    removes other directories. It also passes the root to `nix --store`, where `?`, `#` and `%` have a meaning.
    """
    if not _SAFE_ROOT.fullmatch(root):
        unsafe = "".join(dict.fromkeys(char for char in root if not _SAFE_ROOT.fullmatch(char)))
        raise ValueError(
            f"nixos-install cannot use the root {root!r}: it does not quote {unsafe!r} when it removes its temporary "
            "directory, and would remove other directories; mount the root elsewhere, such as at /mnt"
        )


@dataclass(frozen=True, kw_only=True)
class InstallTarget:
    """An installation. ``path``, ``boot`` and ``state`` are paths of the installed system.

    ``root``: where the installed system's root is mounted now; ``/`` for the running system. ``path``: the
    configuration's directory. ``flake``: the flake that is installed instead, as ``REFERENCE#NAME``, or empty.
    ``boot``: where the boot partition is mounted, or empty. ``state``: the directory of the record. The paths in the
    properties are valid now, with ``root`` in them.
    """

    root: str
    path: str
    flake: str
    boot: str
    state: str

    def at(self, path: str) -> str:
        """Where a path of the installed system is now."""
        return posixpath.join(self.root, path[1:])

    @property
    def is_running(self) -> bool:
        """Whether this is the running system, which subfloor never reinstalls."""
        return self.root == "/"

    @property
    def is_local_flake(self) -> bool:
        """Whether the flake is a directory of the installed system."""
        return self.flake.startswith("/")

    @property
    def configuration(self) -> str:
        """The configuration's directory."""
        return self.at(self.flake.partition("#")[0] if self.is_local_flake else self.path)

    @property
    def source(self) -> str:
        """What is installed, for messages."""
        return self.flake or self.configuration

    @property
    def boot_partition(self) -> str:
        """Where the boot partition is mounted; empty if subfloor does not look at it."""
        return self.at(self.boot) if self.boot else ""

    @property
    def record(self) -> str:
        """The file that records which configuration the installed system was made from."""
        return posixpath.join(self.at(self.state), "installed")

    @property
    def temporary(self) -> str:
        """The directory of nixos-install's temporary files."""
        return posixpath.join(self.at(self.state), "tmp")

    @property
    def system(self) -> InstalledSystem:
        """The subject for the installed system."""
        return InstalledSystem(self.root, self.boot_partition, self.record)

    @property
    def leftovers(self) -> BootLeftovers:
        """The subject for files that an interrupted installation left on the boot partition."""
        return BootLeftovers(self.boot_partition, self.root, self.record)

    def subjects(self) -> frozenset[AnySubject]:
        """All subjects that are read before an installation."""
        found: set[AnySubject] = {Configuration(self.configuration), self.system}
        if self.is_local_flake:
            found.add(Tracking(self.configuration))
        if not self.is_running:
            found |= {Mount(self.root), UnderlyingMount(self.at("/nix/store")), UnderlyingMount(self.at(self.state))}
            found |= {Mount(self.boot_partition), self.leftovers} if self.boot else set()
        return frozenset(found)
