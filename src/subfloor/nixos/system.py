"""The module that everything else is imported by, ``configuration.nix``, and the flake that names it."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from subfloor.nixos import nix

_FILES = "./filesystems.nix ./hardware-configuration.nix"
_OWN = "builtins.filter builtins.pathExists [ ./local.nix ]"
_KEYS: tuple[tuple[str, dict[str, nix.Value]], ...] = (
    ("ssh_host_ed25519_key", {"type": "ed25519"}),
    ("ssh_host_rsa_key", {"type": "rsa", "bits": 4096}),
)


@dataclass(frozen=True, kw_only=True)
class System:
    """What a configuration says of the system as a whole.

    ``store``: where host keys are kept. ``impermanence``: where its source is to be had, if the
    configuration itself has to fetch it. ``users``: the option of that name.
    """

    hostname: str
    state_version: str
    users: Mapping[str, nix.Value]
    store: str
    timezone: str | None = None
    efi_variables: bool = True
    openssh: bool = False
    flakes: bool = False
    impermanence: str | None = None


def configuration(system: System) -> str:
    """The text of ``configuration.nix``."""
    loader: nix.Value = {
        "systemd-boot": {"enable": True},
        "efi": {"canTouchEfiVariables": system.efi_variables},
    }
    settings: dict[str, nix.Value] = {
        "imports": nix.Expression(_imports(system)),
        "boot": {"loader": loader},
        "networking": {"hostName": system.hostname},
    }
    if system.timezone:
        settings["time"] = {"timeZone": system.timezone}
    settings["users"] = system.users
    if system.openssh:
        settings["services"] = {"openssh": {"enable": True, "hostKeys": _host_keys(system.store)}}
    if system.flakes:
        settings["nix"] = {"settings": {"experimental-features": ["nix-command", "flakes"]}}
    settings["system"] = {"stateVersion": system.state_version}
    return f"{{ ... }}:\n{nix.render(settings)}\n"


def _imports(system: System) -> str:
    fetched = ""
    if system.impermanence:
        fetched = f' "${{builtins.fetchTarball {nix.string(system.impermanence)}}}/nixos.nix"'
    return f"[ {_FILES}{fetched} ] ++ {_OWN}"


def _host_keys(store: str) -> list[nix.Value]:
    """On the store, where sshd finds them again, and makes them at its first start."""
    return [{**about, "path": posixpath.join(store, "etc/ssh", name)} for name, about in _KEYS]


def flake(hostname: str, nixpkgs: str, impermanence: str | None) -> str:
    """The text of ``flake.nix``. ``nixpkgs``, ``impermanence``: references to flakes; None: it is not used."""
    inputs: dict[str, nix.Value] = {"nixpkgs": {"url": nixpkgs}}
    names, modules = "nixpkgs", "./configuration.nix"
    if impermanence:
        inputs["impermanence"] = {"url": impermanence}
        names, modules = f"{names}, impermanence", f"{modules} impermanence.nixosModules.impermanence"
    system = nix.Expression(f"nixpkgs.lib.nixosSystem {{ modules = [ {modules} ]; }}")
    outputs = nix.render({"nixosConfigurations": {hostname: system}}, 1)
    said: dict[str, nix.Value] = {"inputs": inputs, "outputs": nix.Expression(f"{{ {names}, ... }}: {outputs}")}
    return f"{nix.render(said)}\n"
