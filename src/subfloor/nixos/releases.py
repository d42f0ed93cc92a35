"""The releases of NixOS in a configuration: `system.stateVersion`, and the nixpkgs of its flake.

Values in an existing configuration are kept. Without one, both are those of the running NixOS, which is the installer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from subfloor.core.errors import Refused
from subfloor.core.machine import Machine
from subfloor.core.parameters import Param
from subfloor.nixos.directory import ConfigurationDirectory
from subfloor.observe.path import Absent, Node, NotYetVisible, Path, Text, TextFile, seen
from subfloor.observe.running import OsRelease, RunningSystem

_PATTERN = r"^[0-9]{2}\.[0-9]{2}$"
_DOC = "The NixOS release of the first installation; default: that of the existing configuration, else the installer's"

Release = Annotated[str, Param(_DOC, pattern=_PATTERN, examples=("25.11",))]
"""A release of NixOS, as in ``system.stateVersion``."""

Nixpkgs = Annotated[
    str, Param("The flake's nixpkgs; default: as in the existing flake, else the branch of the installer's release")
]

_STATED = re.compile(rb'^[^#\n]*\bstateVersion\s*=\s*"([0-9]{2}\.[0-9]{2})"\s*;', re.M)
_BRANCH = "github:NixOS/nixpkgs/nixos-"
_LOCATED = re.compile(rb'^[^#\n]*\burl\s*=\s*"(github:NixOS/nixpkgs/nixos-(?:[0-9]{2}\.[0-9]{2}|unstable))"\s*;', re.M)


@dataclass(frozen=True)
class Releases:
    """``state_version``: the value of `system.stateVersion`; ``nixpkgs``: a reference to a flake."""

    state_version: str
    nixpkgs: str


NOT_YET_KNOWN = Releases("00.00", "")
"""A placeholder until the machine has been looked at."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """The facts from which the releases are chosen.

    ``configuration``, ``flake``: the files; ``running``: the running system; ``is_installed``: a system was built
    from the configuration; ``is_running``: that system is the running one, so ``running`` is not an installer.
    """

    configuration: Text | Absent
    flake: Text | Absent
    running: OsRelease
    is_installed: bool
    is_running: bool


def known_on(machine: Machine, directory: ConfigurationDirectory) -> Known:
    """The facts about the releases, as a machine shows them. Raises ``NotVisible``."""
    return Known(
        configuration=seen(machine, TextFile(directory.file("configuration.nix"))),
        flake=seen(machine, TextFile(directory.file("flake.nix"))) if directory.flake else Absent(),
        running=machine[RunningSystem()],
        # A profile that cannot be seen yet may lead to a system.
        is_installed=isinstance(machine[Path(directory.profile)], Node | NotYetVisible),
        is_running=directory.root == "/",
    )


def chosen(state_version: str | None, nixpkgs: str | None, known: Known, overwrite: bool) -> Releases:
    """The releases: those of the play, else those in the existing configuration, else those of the installer.

    Raises ``Refused`` if none is known, or if the play declares another `state_version` than the installed system has.
    """
    state = _state_version(state_version, known, overwrite)
    return Releases(state, nixpkgs or _found(_LOCATED, known.flake) or _branch(known) or _BRANCH + state)


def _state_version(given: str | None, known: Known, overwrite: bool) -> str:
    there = _found(_STATED, known.configuration)
    if given and there and given != there and known.is_installed and not overwrite:
        raise Refused(
            f"state_version: the installed system has {there}, but the play declares {given}",
            advice=f"remove `state_version`, or set it to {there}: it stays the release of the first installation, "
            "because services choose the format of their data by it; or set `overwrite: true`",
        )
    if found := given or there:
        return found
    if known.is_running:
        raise Refused(
            "state_version: the configuration does not show which release the system was first installed from",
            advice="give `state_version`, as `nixos-option system.stateVersion` shows it",
        )
    if not _is_nixos(known.running):
        raise Refused(
            f"state_version: the running system is not NixOS ({known.running}), so the release to install is unknown",
            advice='give the release to install, in quotes: `state_version: "25.11"`, or on the command line '
            "`-e 'state_version=\"25.11\"'`; or run this on the NixOS installer, where subfloor finds it",
        )
    return known.running.version


def newer(state_version: str | None, running: OsRelease) -> Iterator[str]:
    """A warning if the given release is later than the running NixOS."""
    if state_version and _is_nixos(running) and state_version > running.version:
        yield (
            f"state_version {state_version} is later than the running NixOS ({running.version}), which installs the "
            "system: services would expect the data format of a later release; remove `state_version`"
        )


def _branch(known: Known) -> str:
    """The branch of nixpkgs of the running system; "" if that is not NixOS. Unreleased versions contain `pre`."""
    if not _is_nixos(known.running):
        return ""
    unreleased = known.running.build.startswith(f"{known.running.version}pre")
    return _BRANCH + ("unstable" if unreleased else known.running.version)


def _is_nixos(running: OsRelease) -> bool:
    return running.id == "nixos" and bool(re.match(_PATTERN, running.version))


def _found(pattern: re.Pattern[bytes], file: Text | Absent) -> str | None:
    found = pattern.search(file.content) if isinstance(file, Text) else None
    return found[1].decode() if found else None
