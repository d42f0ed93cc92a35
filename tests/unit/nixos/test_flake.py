"""The flake says what it should, evaluated by Nix itself with a stand-in for nixpkgs: nothing is fetched or built."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from places import ROOT

NIX = sorted(
    (*ROOT.glob("*.nix"), *ROOT.glob("nix/*.nix"), *ROOT.glob("src/**/*.nix"), *ROOT.glob("tests/data/flake/**/*.nix"))
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def instantiate(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    own = {"NIX_STATE_DIR": f"{home}/state", "NIX_LOG_DIR": f"{home}/log", "HOME": str(home)}
    return subprocess.run(
        ["nix-instantiate", "--store", f"{home}/store", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | own,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nix")


def evaluated(home: Path, expression: str) -> Any:
    """What Nix makes of an expression over the flake's `inputs` and `outputs`."""
    whole = f"with import {ROOT}/tests/data/flake/evaluate.nix {{ flake = {ROOT}; }}; {expression}"
    done = instantiate(home, "--eval", "--strict", "--json", "-E", whole)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("path", NIX, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_nix_file_parses(home: Path, path: Path) -> None:
    done = instantiate(home, "--parse", str(path))
    assert done.returncode == 0, done.stderr


def test_the_flake_has_all_outputs_for_each_system(home: Path) -> None:
    names = "builtins.mapAttrs (_: builtins.mapAttrs (_: builtins.attrNames))"
    found = evaluated(home, f"{names} {{ inherit (outputs) packages devShells; }}")
    systems = ("aarch64-linux", "x86_64-linux")
    assert found["packages"] == {system: ["default", "subfloor"] for system in systems}
    assert found["devShells"] == {system: ["default"] for system in systems}
    assert evaluated(home, "builtins.attrNames outputs.overlays") == ["default"]
    (module,) = evaluated(home, "map toString outputs.nixosModules.default.imports")
    assert module == f"{ROOT}/src/subfloor/nixos/installed/module.nix"


def test_the_package_has_what_pyproject_asks_for(home: Path) -> None:
    package = evaluated(
        home,
        "let p = outputs.packages.x86_64-linux.default; in { inherit (p) pname version src meta makeWrapperArgs;"
        " dependencies = map (d: d.name) p.dependencies; }",
    )
    assert (package["pname"], package["version"]) == (PROJECT["name"], PROJECT["version"])
    assert package["meta"]["mainProgram"] in PROJECT["scripts"]
    asked = sorted(requirement.split(">")[0].lower() for requirement in PROJECT["dependencies"])
    assert sorted(package["dependencies"]) == asked
    assert package["src"] == str(ROOT)
    path, *told = package["makeWrapperArgs"][3:]
    assert "-util-linux/bin:" in path
    assert path.endswith("-qemu_kvm/bin")
    assert told[1::3] == ["SUBFLOOR_BUSYBOX", "SUBFLOOR_OVMF"]
    assert told[2].endswith("-busybox-static/bin/busybox")
    assert told[5].endswith("-OVMF-fd/FV")


def test_the_development_shell_has_what_pyproject_asks_for(home: Path) -> None:
    shell = "outputs.devShells.x86_64-linux.default"
    names = "map (p: if p ? packages then map (q: q.name) p.packages else p.name)"
    packages = evaluated(home, f"{names} {shell}.packages")
    python = next(each for each in packages if isinstance(each, list))
    asked = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    wanted = {requirement.split(">")[0].lower() for requirement in asked}
    assert wanted <= {*python, *(each for each in packages if isinstance(each, str))}


def test_the_live_image(home: Path) -> None:
    iso = "outputs.nixosConfigurations.iso.config"
    playbooks = f'{iso}.environment.etc."subfloor/playbooks".source'
    packages = f"map (p: p.pname or p.name) {iso}.environment.systemPackages"
    inherited = f"inherit ({iso}) isInstaller isoImage services"
    found = evaluated(home, f"{{ {inherited}; playbooks = {playbooks}; packages = {packages}; }}")
    assert found["isInstaller"], "laid over NixOS's own"
    assert found["isoImage"] == {"squashfsCompression": "gzip -Xcompression-level 1"}
    assert found["services"]["spice-vdagentd"] == {"enable": True}
    assert found["packages"] == ["subfloor"]
    assert found["playbooks"].endswith("-subfloor/share/subfloor/playbooks")
