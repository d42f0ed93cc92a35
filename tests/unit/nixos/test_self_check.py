"""An installed system checks itself: what the configuration brings, and what is made of it there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from places import DATA, ROOT
from subfloor.playbook.program import program

pytestmark = pytest.mark.root

PART = '- directory: {path: "{{ root }}/srv", mode: "{{ mode | default(\'0755\') }}"}\n'


class Machine:
    """A playbook, the root that it is applied to, and the system that is there afterwards."""

    def __init__(self, path: Path) -> None:
        self.root, self.playbook = path / "root", path / "plays/machine.yml"
        self.own = self.root / "etc/nixos/subfloor"
        (path / "plays/parts").mkdir(parents=True)
        (path / "plays/parts/srv.yml").write_text(PART)
        self.play()

    def play(self, **config: Any) -> None:
        usual = {"root": "{{ root }}", "state_version": "25.11", "no_login": "x", "boot_loader": "none"}
        tasks = [{"include": "parts/srv.yml"}, {"nixos-config": {**usual, **config}}]
        self.playbook.write_text(json.dumps([{"hosts": "all", "vars": {"root": "/mnt"}, "tasks": tasks}]))

    def run(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """The exit status and the report of a command; the root of the system is where it is, for want of another."""
        argv = [sys.executable, "-m", "subfloor", *arguments, "-e", f"root={self.root}", "--format", "json"]
        done = subprocess.run(
            argv, capture_output=True, check=False, env=os.environ | {"SUBFLOOR_RECORDED": f"{self.own}"}
        )
        return done.returncode, json.loads(done.stdout)

    def apply(self, *arguments: str) -> dict[str, Any]:
        status, report = self.run("apply", str(self.playbook), "-y", *arguments)
        assert status == 0, report
        return report

    def drift(self, *arguments: str) -> list[str]:
        """The steps that it finds without a playbook."""
        _, report = self.run("check", *arguments)
        tasks = report["hosts"]["localhost"]["tasks"]
        return [step["says"] for task in tasks for step in task["steps"]]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_check_without_arguments_finds_drift_only_after_a_change(machine: Machine) -> None:
    machine.apply("-e", "mode='0750'")
    assert machine.run("check")[0] == 0
    (machine.root / "srv").chmod(0o700)
    assert machine.drift() == [f"Set the mode of {machine.root}/srv to 0750"]
    assert machine.run("apply", "-y")[0] == 0
    assert machine.run("check")[0] == 0


def test_the_copied_files(machine: Machine) -> None:
    machine.apply("-e", "mode='0750'")
    names = {str(each.relative_to(machine.own)) for each in machine.own.rglob("*") if each.is_file()}
    wheels = {name for name in names if name.endswith(".whl")}
    assert len(wheels) == 1
    assert names - wheels == {
        *("default.nix", "module.nix", "package.nix", "tools.nix"),
        *("playbook.yml", "parts/srv.yml", "inventory.yml", "variables.yml"),
    }
    assert (machine.own / "variables.yml").read_text().split("\n", 1)[1] == 'mode: "0750"\nroot: "/"\n'
    assert "./subfloor" in (machine.own.parent / "configuration.nix").read_text()


def test_the_copies_are_written_in_one_step_and_what_is_missing_is_written_again(machine: Machine) -> None:
    machine.apply()
    (machine.own / "module.nix").unlink()
    assert machine.drift() == [f"Write {machine.own}/module.nix"]
    (machine.own / "inventory.yml").unlink()
    (machine.own / "parts/srv.yml").unlink()
    reads = "by which the installed system checks itself"
    assert machine.drift(str(machine.playbook)) == [f"Write 3 files to {machine.own}, {reads}"]
    machine.apply()
    assert machine.run("check")[0] == 0


def test_the_playbook_can_be_edited_where_it_was_brought(machine: Machine) -> None:
    machine.apply()
    part = machine.own / "parts/srv.yml"
    part.write_text(part.read_text().replace("0755", "0700"))
    assert machine.drift() == [f"Set the mode of {machine.root}/srv to 0700"]
    # The original playbook says something else, and does not overwrite what was edited.
    status, report = machine.run("check", str(machine.playbook))
    assert status == 3
    assert f"{part} was edited" in json.dumps(report)


@pytest.mark.parametrize(("wanted", "brought"), [("playbook", {"playbook.yml"}), ("none", set())])
def test_less_of_it(machine: Machine, wanted: str, brought: set[str]) -> None:
    machine.play(self_check=wanted)
    machine.apply()
    assert {each.name for each in machine.own.glob("playbook.yml")} == brought
    assert not [*machine.own.glob("*.whl")]
    assert "./subfloor" not in (machine.own.parent / "configuration.nix").read_text()


def test_a_fixed_root_is_warned_about(machine: Machine) -> None:
    machine.play(root=str(machine.root))
    report = machine.apply()
    warnings = report["hosts"]["localhost"]["tasks"][-1]["warnings"]
    assert any("cannot check itself" in each and "fixed `root`" in each for each in warnings)
    assert not machine.own.exists()


def test_a_machine_without_its_own_playbook_asks_for_one(machine: Machine) -> None:
    status, report = machine.run("check")
    assert status == 64
    assert "there is no" in json.dumps(report)


def test_git_tracks_all_of_it(machine: Machine) -> None:
    folder = machine.own.parent
    folder.mkdir(parents=True)
    subprocess.run(["git", "-C", str(folder), "init", "-q"], check=True)
    machine.play(flake=True)
    machine.apply()
    listed = subprocess.run(["git", "-C", str(folder), "ls-files"], capture_output=True, text=True, check=True).stdout
    assert {"subfloor/default.nix", "subfloor/module.nix", "subfloor/playbook.yml"} <= set(listed.split())
    assert ".whl" in listed
    assert machine.run("check")[0] == 0


_EVALUATED = """
let
  lib = import {nixpkgs}/lib.nix // {{ mkDefault = value: value; }};
  all = import {nixpkgs} {{ system = "x86_64-linux"; }};
  config = import {own}/default.nix {{ inherit lib; pkgs = all; config = {{ services = config.services; }}; }};
  package = config.services.subfloor.package;
in {{
  inherit (package) name version format makeWrapperArgs;
  source = baseNameOf package.src;
  dependencies = map (each: each.name) package.dependencies;
  installed = map (each: each.name) config.environment.systemPackages;
}}
"""


def test_nix_makes_a_package_of_it(machine: Machine, tmp_path: Path) -> None:
    machine.apply()
    expression = _EVALUATED.format(nixpkgs=DATA / "flake/nixpkgs", own=machine.own)
    argv = ["nix-instantiate", "--store", f"{tmp_path}/store", "--eval", "--strict", "--json", "-E", expression]
    own = {"NIX_STATE_DIR": f"{tmp_path}/state", "NIX_LOG_DIR": f"{tmp_path}/log", "HOME": str(tmp_path)}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=os.environ | own)
    assert done.returncode == 0, done.stderr
    package = json.loads(done.stdout)
    made = program()
    assert made is not None
    assert (package["name"], package["version"], package["format"]) == ("subfloor", made.version, "wheel")
    assert package["source"] == made.name
    assert (machine.own / made.name).is_file()
    assert package["makeWrapperArgs"][-3:] == ["--set-default", "SUBFLOOR_RECORDED", "/etc/nixos/subfloor"]
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert sorted(package["dependencies"]) == sorted(each.split(">")[0].lower() for each in requirements)
    assert package["installed"] == ["subfloor"]
