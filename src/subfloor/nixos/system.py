"""The texts of ``configuration.nix``, which imports the other modules, and of ``flake.nix``."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from subfloor.core.contributions import HostKey
from subfloor.core.parameters import Param
from subfloor.nixos import nix

HostName = Annotated[str, Param("The host's name", pattern="^$|^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$")]
TimeZone = Annotated[
    str, Param("The time zone; default: UTC", pattern="^[A-Za-z0-9_+/-]+$", examples=("Europe/Zurich",))
]
Loader = Literal["systemd-boot", "grub", "none"]
BootLoader = Annotated[
    Loader,
    Param(
        "The boot loader; default: systemd-boot, which needs an EFI system partition in the play and a machine "
        "that UEFI started; `none`: local.nix declares it"
    ),
]
GrubDevice = Annotated[
    str, Param("The disk from which a BIOS starts GRUB, by a persistent name", pattern="^$|^/dev/[^\n]+$")
]
GrubMirrors = Annotated[
    tuple[str, ...], Param("Further disks that GRUB is installed on, so that each of them starts the system")
]
InitrdKind = Annotated[
    Literal["systemd", "scripted"],
    Param("What mounts the root at boot: systemd, or NixOS's older scripts, which NixOS 26.11 no longer has"),
]

_FILES = "./filesystems.nix ./hardware-configuration.nix"
_OWN = "builtins.filter builtins.pathExists [ ./local.nix ]"
_KEYS = ("ed25519", "rsa")
_BITS: dict[str, dict[str, nix.Value]] = {"rsa": {"bits": 4096}}
# Nix's own default since 2.30; before that it was /tmp.
_BUILDS = "/nix/var/nix/builds"


@dataclass(frozen=True, kw_only=True)
class System:
    """The settings of a system as a whole.

    ``store``: where host keys are kept, except ``made_keys``, which the play creates. ``impermanence``: where the
    configuration fetches the module from; None if it does not. ``users``, ``programs``: the options of these names.
    ``generations``: how many generations the boot partition holds. ``host_keys``: set the paths of sshd's keys, even if
    only local.nix may enable sshd. ``builds``: let Nix build on the filesystem of its store, since the root has little
    room. ``cryptodisk``: GRUB opens the container that /boot is in. ``with_subfloor``: subfloor itself is in
    ``subfloor/``.
    """

    hostname: str
    state_version: str
    users: Mapping[str, nix.Value]
    programs: Mapping[str, nix.Value] = field(default_factory=dict)
    store: str
    timezone: str | None = None
    efi_variables: bool = True
    generations: int = 10
    systemd_initrd: bool = True
    openssh: bool = False
    loader: Loader = "systemd-boot"
    esp: str = "/boot"
    grub_devices: tuple[str, ...] = ()
    cryptodisk: bool = False
    host_keys: bool = False
    made_keys: tuple[HostKey, ...] = ()
    builds: bool = False
    flakes: bool = False
    impermanence: str | None = None
    with_subfloor: bool = False


def check_one_line(text: str) -> None:
    """Raise ``ValueError`` for text with an end of line. The pattern of a schema accepts one at the end of the text."""
    if "\n" in text:
        raise ValueError(f"{text!r} is not one line")


def configuration(system: System) -> str:
    """The text of ``configuration.nix``."""
    settings: dict[str, nix.Value] = {
        "imports": nix.Expression(_imports(system)),
        # Set in either case, since the default depends on the release.
        "boot": {**_loader(system), "initrd": {"systemd": {"enable": system.systemd_initrd}}},
        "networking": {"hostName": system.hostname},
    }
    if system.timezone:
        settings["time"] = {"timeZone": system.timezone}
    settings["users"] = system.users
    if system.programs:
        settings["programs"] = system.programs
    openssh: dict[str, nix.Value] = {"enable": True} if system.openssh else {}
    if system.openssh or system.host_keys or system.made_keys:
        settings["services"] = {"openssh": {**openssh, "hostKeys": _host_keys(system)}}
    of_nix: dict[str, nix.Value] = {"experimental-features": ["nix-command", "flakes"]} if system.flakes else {}
    if system.builds:
        of_nix["build-dir"] = _BUILDS
        settings["systemd"] = {"tmpfiles": {"rules": [f"d {_BUILDS} 0755 root root 7d -"]}}
    if of_nix:
        settings["nix"] = {"settings": of_nix}
    settings["system"] = {"stateVersion": system.state_version}
    text = nix.render(settings)
    return f"{{ {'pkgs, ' if _uses_packages(system) else ''}... }}:\n{text}\n"


def _uses_packages(system: System) -> bool:
    """Whether the text uses ``pkgs``: a user's login shell is a package."""
    users = system.users.get("users", {})
    return isinstance(users, Mapping) and any(isinstance(user, Mapping) and "shell" in user for user in users.values())


def _loader(system: System) -> dict[str, nix.Value]:
    """The option `boot.loader`; nothing if local.nix declares the boot loader."""
    if system.loader == "none":
        return {}
    if system.loader == "grub":
        on = system.grub_devices
        where: dict[str, nix.Value] = {"devices": list(on)} if len(on) > 1 else {"device": "".join(on)}
        grub: dict[str, nix.Value] = {"enable": True, **where}
        grub["configurationLimit"] = system.generations
        return {"loader": {"grub": grub | ({"enableCryptodisk": True} if system.cryptodisk else {})}}
    elsewhere: dict[str, nix.Value] = {} if system.esp == "/boot" else {"efiSysMountPoint": system.esp}
    return {
        "loader": {
            "systemd-boot": {"enable": True, "configurationLimit": system.generations},
            "efi": {"canTouchEfiVariables": system.efi_variables, **elsewhere},
        }
    }


def _imports(system: System) -> str:
    fetched = ""
    if system.impermanence:
        fetched = f' "${{builtins.fetchTarball {nix.string(system.impermanence)}}}/nixos.nix"'
    itself = " ./subfloor" if system.with_subfloor else ""
    return f"[ {_FILES}{itself}{fetched} ] ++ {_OWN}"


def _host_keys(system: System) -> list[nix.Value]:
    """The host keys that the play creates; without any, keys in the store, which sshd creates at its first start."""
    usual = (HostKey(posixpath.join(system.store, "etc/ssh", f"ssh_host_{kind}_key"), kind) for kind in _KEYS)
    keys = system.made_keys or usual
    return [{"type": each.type, **_BITS.get(each.type, {}), "path": each.path} for each in keys]


def flake(hostname: str, nixpkgs: str, impermanence: str | None) -> str:
    """The text of ``flake.nix``. ``nixpkgs``, ``impermanence``: references to flakes; None: not used."""
    inputs: dict[str, nix.Value] = {"nixpkgs": {"url": nixpkgs}}
    names, modules = "nixpkgs", "./configuration.nix"
    if impermanence:
        # Only the tests of impermanence use its inputs. Without this, Nix would fetch another nixpkgs and home-manager.
        follows: dict[str, nix.Value] = {"nixpkgs": {"follows": "nixpkgs"}, "home-manager": {"follows": ""}}
        inputs["impermanence"] = {"url": impermanence, "inputs": follows}
        names, modules = f"{names}, impermanence", f"{modules} impermanence.nixosModules.impermanence"
    system = nix.Expression(f"nixpkgs.lib.nixosSystem {{ modules = [ {modules} ]; }}")
    outputs = nix.render({"nixosConfigurations": {hostname: system}}, 1)
    said: dict[str, nix.Value] = {"inputs": inputs, "outputs": nix.Expression(f"{{ {names}, ... }}: {outputs}")}
    return f"{nix.render(said)}\n"
