"""What a play declares about a system, and the texts of the configuration that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from subfloor.core.errors import Refused
from subfloor.nixos import filesystems, users
from subfloor.nixos.initrd import Initrd
from subfloor.nixos.layout import Layout
from subfloor.nixos.releases import Releases
from subfloor.nixos.system import Loader, System, configuration, flake
from subfloor.nixos.users import User

# The generated text is written for this revision of the module. No other setting fixes the revision.
_IMPERMANENCE = "f868c97f9e7f62879a97b4ad0e00b64782a845db"
_FLAKE = f"github:nix-community/impermanence/{_IMPERMANENCE}"
_TARBALL = f"https://github.com/nix-community/impermanence/archive/{_IMPERMANENCE}.tar.gz"


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """The settings of a system that do not follow from its layout. Paths are those of the installed system.

    ``no_login``: nobody needs to log in. ``store``: where ssh host keys are kept, unless the play creates them.
    ``boot_loader``: None for the default, systemd-boot. ``impermanence``: where the module is fetched from; None for
    the default. ``not_persisted``: paths that need not survive a reboot, with the reason. ``with_subfloor``: subfloor
    itself is in the directory ``subfloor`` of the configuration.
    """

    hostname: str
    timezone: str | None
    users: Mapping[str, User]
    no_login: bool
    openssh: bool
    store: str
    boot_loader: Loader | None
    grub_devices: tuple[str, ...]
    efi_variables: bool
    generations: int
    systemd_initrd: bool
    persistence: filesystems.Persistence
    not_persisted: Mapping[str, str]
    impermanence: str | None
    flake: bool
    with_subfloor: bool = False

    def texts(self, layout: Layout, releases: Releases) -> tuple[str, ...]:
        """``filesystems.nix``, ``configuration.nix`` and, if declared, ``flake.nix``.

        ``layout``: its devices have the names by which the installed system finds them. Raises ``ValueError`` for text
        that no Nix string can hold.
        """
        texts = (self._filesystems(layout), configuration(self._system(layout, releases.state_version)))
        if not self.flake:
            return texts
        return (*texts, flake(self.hostname or "nixos", releases.nixpkgs, self._module(_FLAKE)))

    def texts_of(self, layout: Layout, releases: Releases) -> tuple[str, ...]:
        """The texts, for a layout whose devices were found on a machine. Raises ``Refused``, and no ``ValueError``."""
        try:
            return self.texts(layout, releases)
        except ValueError as error:
            raise Refused(str(error), advice="change the tasks of the play that it is made from") from error

    def _filesystems(self, layout: Layout) -> str:
        homes = users.homes(self.users)
        passwords = tuple(users.password_files(self.users, layout).values())
        return filesystems.module(layout, self.persistence, homes, self.not_persisted, passwords, self.initrd(layout))

    def initrd(self, layout: Layout) -> Initrd:
        """What the initrd can read before it mounts anything.

        It may hold keys if /boot lies in a container, so that GRUB reads the initrd from there.
        """
        boot = layout.holder("/boot")
        is_encrypted = bool(boot and layout.containers(boot.device))
        return Initrd(self.systemd_initrd, embeds=self.boot_loader == "grub" and is_encrypted)

    def _module(self, usual: str) -> str | None:
        """Where the module impermanence is fetched from; None if it is not used."""
        return (self.impermanence or usual) if self.persistence == "impermanence" else None

    def _system(self, layout: Layout, state_version: str) -> System:
        return System(
            hostname=self.hostname,
            state_version=state_version,
            users=users.settings(self.users, layout, self.no_login),
            programs=users.programs(self.users),
            store=self.store,
            timezone=self.timezone,
            loader=self.boot_loader or "systemd-boot",
            esp=layout.esp or "/boot",
            grub_devices=self.grub_devices,
            efi_variables=self.efi_variables,
            generations=self.generations,
            systemd_initrd=self.systemd_initrd,
            cryptodisk=self.initrd(layout).embeds,
            openssh=self.openssh,
            host_keys=layout.is_forgetful and layout.keeps(self.store),
            made_keys=layout.host_keys,
            builds=layout.is_forgetful and layout.keeps("/nix/var"),
            flakes=self.flake,
            with_subfloor=self.with_subfloor,
            impermanence=None if self.flake else self._module(_TARBALL),
        )
