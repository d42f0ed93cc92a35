"""Which releases a configuration names: given, as it says already, or those of the installer that runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from subfloor.core.errors import LookFailed, Refused
from subfloor.core.machine import Output
from subfloor.nixos.releases import Known, chosen, newer
from subfloor.nixos.system import System, configuration, flake
from subfloor.observe.git import Repository, Tracking
from subfloor.observe.path import Absent, Text
from subfloor.observe.running import OsRelease, RunningSystem, StartedByUefi

NEW = OsRelease("nixos", "26.05", "26.05.20260601.abc")


def of(release: str) -> Text:
    """A configuration as it is generated for a release."""
    return Text(configuration(System(hostname="x", state_version=release, users={}, store="/")).encode())


def known(**values: Any) -> Known:
    usual = {"configuration": Absent(), "flake": Absent(), "running": NEW, "is_installed": False, "is_running": False}
    return Known(**{**usual, **values})


BRANCH = "github:NixOS/nixpkgs/nixos-"


def at(branch: str) -> Text:
    """A flake as it is generated for a branch."""
    return Text(flake("x", BRANCH + branch, None).encode())


@pytest.mark.parametrize(
    ("given", "values", "state", "branch"),
    [
        (None, {}, "26.05", "26.05"),
        ("24.11", {}, "24.11", "26.05"),
        (None, {"configuration": of("24.05")}, "24.05", "26.05"),
        (None, {"configuration": of("24.05"), "is_installed": True}, "24.05", "26.05"),
        (None, {"configuration": of("24.05"), "is_running": True, "is_installed": True}, "24.05", "26.05"),
        ("24.05", {"configuration": of("24.05"), "is_installed": True}, "24.05", "26.05"),
        # Not installed yet: a mistake can be mended.
        ("25.05", {"configuration": of("24.05")}, "25.05", "26.05"),
        (None, {"configuration": Text(b'system.stateVersion = "23.11"; # Did you read it?\n')}, "23.11", "26.05"),
        (None, {"configuration": Text(b'# stateVersion = "23.11";\n')}, "26.05", "26.05"),
        ("25.11", {"running": OsRelease("debian", "12")}, "25.11", "25.11"),
        ("25.11", {"running": OsRelease()}, "25.11", "25.11"),
        (None, {"running": OsRelease("nixos", "26.11", "26.11pre8123.abc")}, "26.11", "unstable"),
        # An installer that is newer does not move a flake to another branch.
        (None, {"configuration": of("25.05"), "flake": at("25.11")}, "25.05", "25.11"),
        (None, {"flake": at("unstable")}, "26.05", "unstable"),
        (None, {"flake": Text(flake("x", "github:me/nixpkgs", None).encode())}, "26.05", "26.05"),
    ],
)  # fmt: skip
def test_which(given: str | None, values: dict[str, Any], state: str, branch: str) -> None:
    found = chosen(given, None, known(**values), overwrite=False)
    assert (found.state_version, found.nixpkgs) == (state, BRANCH + branch)
    assert chosen(given, "path:/x", known(**values), overwrite=False).nixpkgs == "path:/x"


@pytest.mark.parametrize(
    "values",
    [
        {"running": OsRelease("debian", "12")},
        {"running": OsRelease("nixos", "rolling")},
        {"running": OsRelease()},
        {"is_running": True},
    ],
)
def test_an_unknown_release_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"state_version: (?s:.*)→ give"):
        chosen(None, None, known(**values), overwrite=False)


def test_that_of_an_installed_system_never_changes_by_mistake() -> None:
    there = known(configuration=of("24.05"), is_installed=True)
    with pytest.raises(Refused, match=r"the installed system has 24\.05, but the play declares 25\.11"):
        chosen("25.11", None, there, overwrite=False)
    assert chosen("25.11", None, there, overwrite=True).state_version == "25.11"


@pytest.mark.parametrize(
    ("given", "running", "told"),
    [
        ("26.11", NEW, True),
        ("26.05", NEW, False),
        ("24.05", NEW, False),
        (None, NEW, False),
        ("26.11", OsRelease("debian", "12"), False),
    ],
)
def test_a_release_later_than_that_of_the_installer_is_a_warning(
    given: str | None, running: OsRelease, told: bool
) -> None:
    assert bool(list(newer(given, running))) is told


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ('ID=nixos\nVERSION_ID="25.11"\nBUILD_ID="25.11.1.abc"\n', OsRelease("nixos", "25.11", "25.11.1.abc")),
        ("# no release\nID=arch\nBUILD_ID=rolling\n", OsRelease("arch", "", "rolling")),
        ("ID='debian'\nVERSION_ID=\"12\"\nNAME=\"a 'b'\"\n", OsRelease("debian", "12")),
        ('ID="unclosed\nVERSION_ID=1 2\n', OsRelease()),
        ("", OsRelease()),
    ],
)  # fmt: skip
def test_the_system_that_runs(text: str, seen: OsRelease) -> None:
    assert RunningSystem().parse(Output(text.encode())) == seen


@pytest.mark.parametrize(("status", "uefi"), [(0, True), (1, False)])
def test_how_it_was_started(status: int, uefi: bool) -> None:
    assert StartedByUefi().parse(Output(b"", status)) is uefi


# What git tracks, by a real one.


def look(path: Path, **environment: str) -> Any:
    (probe,) = Tracking(str(path)).probes()
    done = subprocess.run(["/bin/sh", "-c", probe], capture_output=True, check=False, env={**os.environ, **environment})
    return Tracking(str(path)).parse(Output(done.stdout, done.returncode))


def test_untracked_files_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "etc of/nixos"
    assert look(folder) is None
    folder.mkdir(parents=True)
    assert look(folder) is None
    subprocess.run(["git", "init", "-q", str(folder.parent)], check=True)
    for name in ("flake.nix", "local.nix", "ignored.nix", "notes.txt", "a\nb.nix"):
        (folder / name).touch()
    (folder / ".gitignore").write_text("ignored.nix\nlocal.nix\n")
    assert look(folder) == Repository(frozenset({"flake.nix", "local.nix", "a\nb.nix"}))
    subprocess.run(["git", "-C", str(folder), "add", "--intent-to-add", "-f", "local.nix", "flake.nix"], check=True)
    assert look(folder) == Repository(frozenset({"a\nb.nix"}))


def test_a_repository_without_git_or_a_broken_one_is_not_taken_for_a_clean_one(tmp_path: Path) -> None:
    (tmp_path / ".git").touch()
    assert look(tmp_path, PATH="/nowhere") == Repository(readable=False)
    with pytest.raises(LookFailed, match="git cannot list the files that it tracks"):
        look(tmp_path)
