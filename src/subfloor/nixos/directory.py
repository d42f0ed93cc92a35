"""Where the files of a NixOS configuration are, below the install root."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from subfloor.core.machine import AnySubject, Machine
from subfloor.observe.git import Repository, Tracking
from subfloor.observe.nixos import PROFILES
from subfloor.observe.path import Path, TextFile, seen


@dataclass(frozen=True)
class ConfigurationDirectory:
    """The directory of a configuration that subfloor generates.

    ``root``: where the installed system's root is mounted now. ``path``: the directory, a path of the installed
    system. ``flake``: the directory belongs to a flake. ``self_check_files``: the names of the files of the self-check.
    ``wheel``: the name of the file of subfloor itself; empty without one. ``whole``: subfloor generates the whole
    configuration; otherwise only ``filesystems.nix``. All returned paths are valid now, with ``root`` in them.
    """

    root: str
    path: str
    flake: bool
    self_check_files: tuple[str, ...] = ()
    wheel: str = ""
    whole: bool = True

    @property
    def here(self) -> str:
        """The directory itself."""
        return posixpath.join(self.root, self.path[1:])

    @property
    def generated(self) -> tuple[str, ...]:
        """The generated files, in the order in which they are written: an imported file first."""
        of_system = ("configuration.nix", *(("flake.nix",) if self.flake else ())) if self.whole else ()
        return tuple(map(self.file, ("filesystems.nix", *of_system)))

    @property
    def hardware(self) -> str:
        """The file that describes the hardware. It is created once."""
        return self.file("hardware-configuration.nix")

    @property
    def program(self) -> str:
        """The file of subfloor itself; empty without one."""
        return self.file(self.wheel) if self.wheel else ""

    @property
    def ours(self) -> tuple[str, ...]:
        """All files that subfloor writes."""
        return (*self._texts, *([self.program] if self.program else []))

    @property
    def _texts(self) -> tuple[str, ...]:
        hardware = (self.hardware,) if self.whole else ()
        return (*self.generated, *hardware, *map(self.file, self.self_check_files))

    @property
    def local(self) -> str:
        """The user's own module."""
        return self.file("local.nix")

    @property
    def profile(self) -> str:
        """The link that leads to the installed system."""
        return posixpath.join(self.root, PROFILES, "system")

    def file(self, name: str) -> str:
        """A file in the directory."""
        return posixpath.join(self.here, name)

    def name(self, path: str) -> str:
        """The name of a file of the directory, as git and Nix name it."""
        return posixpath.relpath(path, self.here)

    def subjects(self) -> frozenset[AnySubject]:
        """All subjects that are read before the files are written."""
        files = frozenset[AnySubject](kind(path) for path in self._texts for kind in (Path, TextFile))
        more = {Tracking(self.here)} if self.flake else set[AnySubject]()
        program = {Path(self.program)} if self.program else set[AnySubject]()
        return files | more | program | {Path(self.profile), TextFile(self.local)}

    def repository(self, machine: Machine) -> Repository | None:
        """The git repository of a flake; None if there is none. Raises ``NotVisible``."""
        return seen(machine, Tracking(self.here)) if self.flake else None
