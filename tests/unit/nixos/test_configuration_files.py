"""The configuration's files as they come to be: what somebody edited stays, and the hardware is looked at once."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.root

SCANNED = "{ lib, ... }: { boot.initrd.kernelModules = [ ]; }\n"


class Place:
    """A root to write a configuration to, and programs that come first."""

    def __init__(self, path: Path) -> None:
        self.path, self.files, self.programs = path, path / "root/etc/nixos", path / "bin"
        self.programs.mkdir()

    def program(self, name: str, script: str) -> None:
        file = self.programs / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def run(self, command: str, **values: Any) -> dict[str, Any]:
        """The outcome of the task."""
        usual = {"state_version": "24.05", "no_login": "x", "boot_loader": "systemd-boot"}
        task = {"nixos-config": {"root": str(self.path / "root"), **usual, **values}}
        play = self.path / "play.yml"
        play.write_text(json.dumps([{"hosts": "all", "tasks": [task]}]))
        argv = [sys.executable, "-m", "subfloor", command, str(play), "--format", "json"]
        environment = {**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}"}
        done = subprocess.run(argv, capture_output=True, env=environment, check=False)
        (report,) = json.loads(done.stdout)["hosts"]["localhost"]["tasks"]
        assert isinstance(report, dict)
        return report

    def steps(self, command: str, **values: Any) -> list[str]:
        """The files that it writes, by name."""
        report = self.run(command, **values)
        assert report["error"] is None, report["error"]
        return [step["says"].partition(" with ")[0].rpartition("/")[2] for step in report["steps"]]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


ALL = ["hardware-configuration.nix", "filesystems.nix", "configuration.nix"]


def test_the_hardware_is_looked_for_by_the_program_that_can(place: Place) -> None:
    place.program("nixos-generate-config", f"printf '%s\\n' \"$@\" >'{place.path}/asked'; cat <<'END'\n{SCANNED}END")
    assert place.steps("check") == ALL
    assert not place.files.exists()
    assert place.steps("apply") == ALL
    hardware = place.files / "hardware-configuration.nix"
    assert hardware.read_text() == SCANNED
    assert stat.S_IMODE(hardware.stat().st_mode) == 0o644
    asked = (place.path / "asked").read_text().split("\n")[:-1]
    assert asked == ["--no-filesystems", "--show-hardware-config", "--root", str(place.path / "root")]
    # It is made once: what is there stays, whoever changed it.
    hardware.write_text("{ ... }: { }\n")
    assert place.steps("apply") == []
    assert hardware.read_text() == "{ ... }: { }\n"
    hardware.unlink()
    assert place.steps("apply") == ALL[:1]
    assert sorted(each.name for each in place.files.iterdir()) == sorted(ALL)


@pytest.mark.parametrize("script", ["echo half; exit 1", "exit 0"], ids=["half-done", "says-nothing"])
def test_a_look_that_fails_leaves_nothing_that_looks_finished(place: Place, script: str) -> None:
    place.program("nixos-generate-config", script)
    report = place.run("apply")
    assert (report["outcome"], report["error"]["kind"]) == ("failed", "CommandFailed")
    assert not (place.files / "hardware-configuration.nix").exists()
    place.program("nixos-generate-config", f"cat <<'END'\n{SCANNED}END")
    assert place.steps("apply") == ALL
    assert (place.files / "hardware-configuration.nix").read_text() == SCANNED


def test_without_it_there_is_a_plain_one(place: Place) -> None:
    assert place.steps("apply") == ALL
    assert '"virtio_blk"' in (place.files / "hardware-configuration.nix").read_text()
    assert place.steps("apply") == []


def test_generated_files_follow_the_play_and_user_files_stay(place: Place) -> None:
    place.steps("apply")
    own = place.files / "local.nix"
    own.write_text("{ ... }: { networking.firewall.enable = false; }\n")
    assert place.steps("apply", hostname="other", flake=True) == ["configuration.nix", "flake.nix"]
    configuration = place.files / "configuration.nix"
    configuration.write_text(configuration.read_text() + "# by hand\n")
    report = place.run("apply", hostname="third", flake=True)
    assert report["outcome"] == "refused"
    assert "-# by hand" in report["error"]["what"]
    assert '+  networking.hostName = "third";' in report["error"]["what"]
    assert "# by hand" in configuration.read_text()
    assert place.steps("apply", hostname="third", flake=True, overwrite=True) == ["configuration.nix", "flake.nix"]
    assert "# by hand" not in configuration.read_text()
    assert own.read_text() == "{ ... }: { networking.firewall.enable = false; }\n"
    for file in place.files.iterdir():
        subprocess.run(["nix-instantiate", "--parse", str(file)], check=True, capture_output=True)


def git(place: Place, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(place.files), *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def test_of_a_flake_in_a_repository_git_tracks_everything(place: Place) -> None:
    place.files.mkdir(parents=True)
    git(place, "init", "-q")
    (place.files / "hardware-configuration.nix").write_text("{ ... }: { }\n")
    assert place.steps("apply", flake=True) == [*ALL[1:], "flake.nix", "nixos"]
    tracked = git(place, "ls-files").split()
    assert sorted(tracked) == sorted([*ALL, "flake.nix"])
    assert place.steps("check", flake=True) == []
    # What is one's own is not taken from its owner's hands; and it is not left out without a word.
    (place.files / "local.nix").write_text("{ ... }: { }\n")
    report = place.run("check", flake=True)
    assert report["outcome"] == "refused"
    assert "git does not track local.nix" in report["error"]["what"]
    git(place, "add", "--intent-to-add", "local.nix")
    assert place.steps("check", flake=True) == []


def test_a_newer_installer_changes_no_release(place: Place) -> None:
    place.steps("apply", flake=True, state_version="25.05")
    assert place.steps("apply", flake=True, state_version="{{ none }}") == []
    assert 'system.stateVersion = "25.05";' in (place.files / "configuration.nix").read_text()
    assert "nixos-25.05" in (place.files / "flake.nix").read_text()
    (place.files / "configuration.nix").unlink()
    report = place.run("check", state_version="{{ none }}")
    assert report["outcome"] == "refused" and "is not NixOS" in report["error"]["what"]


def test_every_file_that_was_edited_is_shown(place: Place) -> None:
    place.steps("apply", hardware="plain")
    for name in ("filesystems.nix", "configuration.nix"):
        (place.files / name).write_text(f"# mine: {name}\n")
    error = place.run("check", hardware="plain")["error"]
    assert error["what"].count("was edited") == 2
    assert "-# mine: filesystems.nix" in error["what"] and "-# mine: configuration.nix" in error["what"]
    assert error["advice"].count("local.nix") == 1
