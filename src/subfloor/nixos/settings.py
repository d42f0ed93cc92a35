"""The parameters of `nixos-config` that describe the installed system, apart from its layout."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from subfloor.core.contributions import Administrators
from subfloor.core.parameters import Param, checked
from subfloor.nixos import filesystems, lint, releases, system, users
from subfloor.nixos.declaration import Declaration
from subfloor.observe.path import check_clean
from subfloor.steps import parameters


@dataclass(frozen=True, kw_only=True)
class SystemSettings:
    """What a playbook declares of the installed system. `nixos-config` documents the fields.

    Raises ``ValueError`` for a value that a field cannot have, or that contradicts another.
    """

    state_version: releases.Release | None = None
    root: parameters.InstallRoot = "/mnt"
    path: Annotated[str, Param("The configuration's directory, on the installed system")] = "/etc/nixos"
    hostname: system.HostName = "nixos"
    timezone: system.TimeZone | None = None
    persistence: filesystems.PersistenceParameter = "binds"
    store: Annotated[str, Param("Where ssh host keys are kept, on the installed system")] = "/nix/persist"
    users: Annotated[users.ByName, Param("The users, by name; `root` may be among them")] = field(default_factory=dict)
    openssh: Annotated[bool, Param("Run sshd, with persistent host keys")] = False
    initrd: system.InitrdKind = "systemd"
    generations: Annotated[int, Param("How many generations the boot loader keeps and lists", minimum=1)] = 10
    boot_loader: system.BootLoader | None = None
    grub_device: system.GrubDevice = ""
    grub_mirrors: system.GrubMirrors = ()
    efi_variables: Annotated[bool, Param("Let the boot loader add itself to the firmware's boot entries")] = True
    flake: Annotated[bool, Param("Write a flake too, with a configuration of the host's name")] = False
    impermanence: Annotated[str | None, Param("The module impermanence: a flake, or a tarball's URL")] = None
    not_persisted: lint.NotPersisted = field(default_factory=dict)
    no_login: Annotated[str, Param("Why no password or key is needed here; disables the warning")] = ""

    def __post_init__(self) -> None:
        for name in ("root", "path", "store"):
            checked(name, check_clean, getattr(self, name))
        for path in self.not_persisted:
            checked("not_persisted", check_clean, path)
        checked("users", users.check_paths, self.users)
        checked("users", users.check, self.users)
        if (self.boot_loader == "grub") != bool(self.grub_device):
            raise ValueError("grub_device: give it with `boot_loader: grub`, and only then")
        if self.grub_mirrors and not self.grub_device:
            raise ValueError("grub_mirrors: give the first disk as `grub_device`")
        for name in ("hostname", "timezone", "state_version"):
            checked(name, system.check_one_line, getattr(self, name) or "")

    @property
    def grub_devices(self) -> tuple[str, ...]:
        """The disks that GRUB is installed on."""
        return (self.grub_device, *self.grub_mirrors) if self.grub_device else ()

    def administrators(self, here: str) -> Administrators:
        """Who may become root. ``here``: where the configuration's directory is now."""
        return users.administrators(self.users, here, self.openssh, bool(self.no_login))

    def declaration(self, *, with_subfloor: bool) -> Declaration:
        """The settings, in the form that the texts are made from. ``with_subfloor``: subfloor itself is copied, too."""
        return Declaration(
            hostname=self.hostname,
            timezone=self.timezone,
            users=self.users,
            no_login=bool(self.no_login),
            openssh=self.openssh,
            store=self.store,
            boot_loader=self.boot_loader,
            grub_devices=self.grub_devices,
            efi_variables=self.efi_variables,
            generations=self.generations,
            systemd_initrd=self.initrd == "systemd",
            persistence=self.persistence,
            not_persisted=self.not_persisted,
            impermanence=self.impermanence,
            flake=self.flake,
            with_subfloor=with_subfloor,
        )
