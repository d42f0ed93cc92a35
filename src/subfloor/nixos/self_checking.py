"""What an installed system needs to check itself: subfloor, the playbook, and the variables given at install time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from subfloor.core.parameters import Param
from subfloor.core.recording import Program, Recording, Unrecorded
from subfloor.nixos import nix
from subfloor.nixos.sources import SELF_CHECK

SelfCheck = Annotated[
    Literal["full", "playbook", "none"],
    Param(
        "What lets the installed system check itself by `subfloor check`. `full`: subfloor, this playbook and its "
        "variables; `playbook`: without subfloor, which local.nix installs; `none`: nothing"
    ),
]


def usable(recording: Recording | Unrecorded | None, root: str) -> Recording | Unrecorded | None:
    """The recording with ``/`` as `root`, for the installed system; ``Unrecorded`` if the play fixes another `root`."""
    if not isinstance(recording, Recording):
        return recording
    if variable := recording.set_by.get("root"):
        return replace(recording, variables={**recording.variables, variable: '"/"'})
    if root == "/":
        return recording
    return Unrecorded(
        "its task `nixos-config` has a fixed `root`",
        'write `root: "{{ root }}"`, and `root: /mnt` in `vars` of the play',
    )


@dataclass(frozen=True)
class SelfCheckFiles:
    """``texts``: the texts of the files, by their names in the configuration's directory.

    ``program``: subfloor itself; None if it is not copied.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    program: Program | None = None

    @property
    def name(self) -> str:
        """The name of the program's file in the configuration's directory; empty without one."""
        return f"{SELF_CHECK}/{self.program.name}" if self.program else ""


def files_for_self_check(recording: Recording | Unrecorded | None, path: str, wanted: SelfCheck) -> SelfCheckFiles:
    """The files to copy. ``path``: the configuration's directory, a path of the installed system."""
    if not isinstance(recording, Recording) or wanted == "none":
        return SelfCheckFiles()
    program = recording.program if wanted == "full" else None
    return SelfCheckFiles(_texts(recording, path, program), program)


def _texts(recording: Recording, path: str, program: Program | None) -> Mapping[str, str]:
    variables = "".join(f"{name}: {text}\n" for name, text in sorted(recording.variables.items()))
    found = {**recording.files, "inventory.yml": recording.inventory, "variables.yml": variables or "{}\n"}
    if program:
        found |= {**recording.modules, "default.nix": _module(program, f"{path}/{SELF_CHECK}")}
    return {f"{SELF_CHECK}/{name}": text for name, text in sorted(found.items())}


def warnings(recording: Recording | Unrecorded | None, wanted: SelfCheck) -> tuple[str, ...]:
    """A warning if the installed system is to check itself, but cannot."""
    if wanted == "none" or not isinstance(recording, Unrecorded):
        return ()
    return (
        f"the installed system cannot check itself, because this playbook is not copied to it: {recording.why}; "
        f"{recording.advice}, or set `self_check: none`",
    )


def _module(program: Program, recorded: str) -> str:
    """The module that installs subfloor, and offers ``services.subfloor.drift``."""
    arguments = nix.render(
        {"version": program.version, "wheel": nix.Expression(f"./{program.name}"), "recorded": recorded}
    )
    package = nix.Expression(f"lib.mkDefault (pkgs.callPackage ./package.nix {arguments})")
    said: dict[str, nix.Value] = {
        "imports": nix.Expression("[ ./module.nix ]"),
        "services": {"subfloor": {"package": package}},
        "environment": {"systemPackages": nix.Expression("[ config.services.subfloor.package ]")},
    }
    return f"{{ config, lib, pkgs, ... }}:\n{nix.render(said)}\n"
