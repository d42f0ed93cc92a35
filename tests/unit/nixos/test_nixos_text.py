"""Whatever a playbook says, Nix reads it back from the generated files unchanged: it never gets out of its string.

Nix's own lexer is the oracle. A call costs a process, so each example is a pool of texts, of which every
part of a configuration takes the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subfloor.core.contributions import FileSystem, PasswordFile, Persisted, SwapDevice
from subfloor.nixos import filesystems, system, users
from subfloor.nixos.layout import Layout, source
from subfloor.nixos.users import User
from unit.nixos.test_nix import evaluate

# What means something to Nix, more often than by chance; NUL and halves of characters no Nix string can have.
_CHARS = st.sampled_from("${}\"'\\#/*\n\r\t; ") | st.characters(exclude_characters="\0", exclude_categories=["Cs"])
_NASTY = ["${builtins.abort ''x''}", "''${x}", '"; }', "\\", "$", "$${", "*/", "# ", "\r\n", "''\\n", "\\${", "${"]
POOLS = st.lists(st.sampled_from(_NASTY) | st.text(_CHARS, min_size=1, max_size=8), min_size=40, max_size=40)

_often = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Pool:
    """Texts, one after another; as names they are made unique, and without slashes."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = iter(texts)
        self._count = 0

    def text(self) -> str:
        return next(self._texts)

    def name(self) -> str:
        self._count += 1
        return f"{self.text().replace('/', '-')}{self._count}"

    def path(self) -> str:
        return f"/{self.name()}/{self.name()}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nix")


def filled(pool: Pool) -> Layout:
    mounted = tuple(
        FileSystem(pool.path(), f"/dev/disk/by-label/{pool.text()}", "ext4", (pool.text(), pool.text()))
        for _ in range(3)
    )
    kept = tuple(Persisted(pool.path(), pool.path()) for _ in range(3))
    return Layout(mounted, kept, (SwapDevice(pool.text()),))


def notes(pool: Pool) -> Iterator[tuple[str, str]]:
    for _ in range(3):
        yield pool.path(), pool.text()


@_often
@given(texts=POOLS)
def test_a_layout_is_read_back(home: Path, texts: list[str]) -> None:
    """Paths, devices and options; and reasons as comments, which must end where they should."""
    pool = Pool(texts)
    layout = filled(pool)
    found = evaluate(f"({filesystems.module(layout, 'binds', {}, dict(notes(pool)))}) {{ }}", home)
    told = {path: (about["device"], about["options"]) for path, about in found["fileSystems"].items()}
    mounted = {each.path: (each.device, list(each.options)) for each in layout.filesystems}
    assert told == mounted | {each.path: (source(each), ["bind"]) for each in layout.persisted}
    assert [swap["device"] for swap in found["swapDevices"]] == [swap.device for swap in layout.swaps]


@_often
@given(texts=POOLS)
def test_impermanence_gets_the_same_paths(home: Path, texts: list[str]) -> None:
    layout = filled(Pool(texts))
    found = evaluate(f"({filesystems.module(layout, 'impermanence', {}, {})}) {{ }}", home)
    told = {(store, *about["directories"]) for store, about in found["environment"]["persistence"].items()}
    assert told == {(each.store, each.path) for each in layout.persisted}


@_often
@given(texts=POOLS)
def test_a_system_is_read_back(home: Path, texts: list[str]) -> None:
    """Host name, time zone, store, and users with everything that is said of them."""
    pool = Pool(texts)
    store, key = pool.path(), pool.text()
    declared = {
        pool.name(): User(description=pool.text(), groups=(pool.text(), pool.text()), ssh_keys=(key,), home=pool.path())
        for _ in range(3)
    }
    whole = system.System(
        hostname=pool.text(),
        state_version="24.05",
        users=users.settings(declared, Layout(passwords=(PasswordFile("root", store),))),
        store=store,
        timezone=pool.text(),
        openssh=True,
        flakes=True,
    )
    found = evaluate(f'removeAttrs (({system.configuration(whole)}) {{ }}) [ "imports" ]', home)
    assert (found["networking"]["hostName"], found["time"]["timeZone"]) == (whole.hostname, whole.timezone)
    assert {each["path"].rpartition("/")[0] for each in found["services"]["openssh"]["hostKeys"]} == {
        f"{store}/etc/ssh"
    }
    assert found["users"]["users"] == {
        "root": {"hashedPasswordFile": store},
        **{name: _told(user) for name, user in declared.items()},
    }


def _told(user: User) -> dict[str, Any]:
    return {
        "isNormalUser": True,
        "description": user.description,
        "extraGroups": list(user.groups),
        "home": user.home,
        "openssh": {"authorizedKeys": {"keys": list(user.ssh_keys)}},
    }


@_often
@given(texts=POOLS)
def test_a_flake_is_read_back(home: Path, texts: list[str]) -> None:
    """Its inputs must be literals (Nix, flake.cc), so they are read without calling anything."""
    host, nixpkgs, module, tarball = texts[:4]
    of = "{ nixpkgs.lib.nixosSystem = each: builtins.length each.modules; impermanence.nixosModules.impermanence = 1; }"
    text = system.flake(host, nixpkgs, module)
    found = evaluate(f"let each = {text}; in {{ inherit (each) inputs; made = each.outputs {of}; }}", home)
    its_own = {"nixpkgs": {"follows": "nixpkgs"}, "home-manager": {"follows": ""}}
    assert found["inputs"] == {"nixpkgs": {"url": nixpkgs}, "impermanence": {"url": module, "inputs": its_own}}
    assert found["made"] == {"nixosConfigurations": {host: 2}}
    whole = system.System(hostname="x", state_version="24.05", users={}, store="/", impermanence=tarball)
    imports = f"let builtins.fetchTarball = url: url; in {system.configuration(whole)}"
    fetching = imports.replace("builtins.pathExists", "(path: false)").replace("builtins.filter", "(_: _: [ ])")
    found = evaluate(f"builtins.elemAt (({fetching}) {{ }}).imports 2", home)
    assert found == f"{tarball}/nixos.nix"


@pytest.mark.parametrize(
    ("shells", "programs"), [(("zsh", "fish", "zsh"), {"fish", "zsh"}), (("bash",), set()), ((None,), set())]
)
def test_a_shell_is_a_package_whose_module_is_switched_on(
    home: Path, shells: tuple[Any, ...], programs: set[str]
) -> None:
    """NixOS refuses a shell of a user without `programs.SHELL.enable`."""
    declared = {f"user{number}": User(shell=shell) for number, shell in enumerate(shells)}
    whole = system.System(
        hostname="x",
        state_version="25.11",
        users=users.settings(declared, Layout()),
        programs=users.programs(declared),
        store="/",
    )
    given = '{ pkgs = { zsh = "zsh"; fish = "fish"; bashInteractive = "bash"; }; }'
    found = evaluate(f'removeAttrs (({system.configuration(whole)}) {given}) [ "imports" ]', home)
    assert [user.get("shell") for user in found["users"]["users"].values()] == list(shells)
    assert found.get("programs", {}) == {name: {"enable": True} for name in programs}
