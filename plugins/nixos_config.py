"""`nixos-config`: the configuration that NixOS is installed from, made from the play's own layout."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

from subfloor.plugin import (
    FILE,
    PROFILES,
    ROOT,
    Absent,
    Administrators,
    AnySubject,
    Command,
    Contribution,
    Device,
    FromPlay,
    Home,
    Layout,
    Machine,
    Node,
    NotYetVisible,
    Param,
    Path,
    Refused,
    Releases,
    Repository,
    RunningSystem,
    StartedByUefi,
    Step,
    Task,
    Text,
    TextFile,
    Tool,
    Tracking,
    Unknown,
    User,
    block_devices,
    boot,
    check_clean,
    checked,
    filesystems,
    generated,
    hookimpl,
    keep_output,
    lint,
    paths,
    plain,
    releases,
    seen,
    system,
    tracked,
    under,
    users,
    write_file,
)

_SCAN = "nixos-generate-config"
# One state of the module, which the text that is generated is written for: nothing else would say which it was.
_IMPERMANENCE = "f868c97f9e7f62879a97b4ad0e00b64782a845db"
_FLAKE = f"github:nix-community/impermanence/{_IMPERMANENCE}"
_TARBALL = f"https://github.com/nix-community/impermanence/archive/{_IMPERMANENCE}.tar.gz"


@dataclass(frozen=True, kw_only=True)
class NixosConfig(Task):
    """Generate the NixOS configuration from this play.

    `filesystems.nix` contains what the other tasks of the play mount, keep and swap on below `root`, so layout
    and configuration cannot disagree. `configuration.nix` imports it, and also `hardware-configuration.nix` and
    your own `local.nix` if it exists. With `flake: true` there is a `flake.nix`, too.

    `hardware-configuration.nix` is created once, by `nixos-generate-config` if the machine has it. Each other
    file contains a checksum that shows whether it was edited. A file generated from another version of the play
    is written again. An edited file is shown as a diff and refused, unless `overwrite` is given.

    `state_version` and the nixpkgs of a flake come from the existing configuration, else from the NixOS that
    runs, which is the installer. On any other system, `state_version` is required. It never changes on an
    installed system.

    A flake in a git repository contains only files that git tracks. The task adds the generated files to git.
    It refuses if another file, such as `local.nix`, is not tracked, since Nix would leave it out silently.

    If the root is a tmpfs, the task warns about each path that a system needs after a reboot and that no task
    keeps. `not_persisted` lists the paths that are left out on purpose. It also warns about the state of
    services that `local.nix` switches on, or whose group a user is in.
    """

    key: ClassVar[str] = "nixos-config"
    examples: ClassVar[tuple[str, ...]] = (
        "nixos-config: {root: /mnt, hostname: nixos}",
        'nixos-config: {root: /, hostname: kiosk, state_version: "25.11", overwrite: true}',
        "nixos-config: {persistence: impermanence, devices: partuuid, flake: true}",
        "nixos-config: {openssh: true, users: {ada: {uid: 1000, groups: [wheel]}}}",
    )

    state_version: Annotated[
        str | None,
        Param(
            "The release of NixOS that it is first installed from; else as the configuration says, or the installer's",
            pattern=releases.PATTERN,
            examples=("25.11",),
        ),
    ] = None
    root: Annotated[str, Param("Where the installed system's root is mounted now", examples=("/mnt", "/"))] = "/mnt"
    path: Annotated[str, Param("The configuration's directory, as the installed system has it")] = "/etc/nixos"
    hostname: Annotated[str, Param("The host's name", pattern="^$|^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$")] = (
        "nixos"
    )
    timezone: Annotated[
        str | None, Param("The time zone; else UTC", pattern="^[A-Za-z0-9_+/-]+$", examples=("Europe/Zurich",))
    ] = None
    devices: Annotated[
        block_devices.Naming,
        Param("Find partitions by the label that the play gives to what is on them, or by their own UUID"),
    ] = "label"
    persistence: Annotated[
        filesystems.Persistence, Param("What is kept is mounted by `filesystems.nix`, or by the module impermanence")
    ] = "binds"
    store: Annotated[str, Param("Where ssh host keys are kept, as the installed system has it")] = "/nix/persist"
    users: Annotated[Mapping[users.Name, User], Param("The users, by name; `root` may be among them")] = field(
        default_factory=dict
    )
    openssh: Annotated[bool, Param("Run sshd, with host keys that are kept")] = False
    initrd: Annotated[
        Literal["systemd", "scripted"],
        Param("What mounts the root at boot: systemd, or NixOS's former scripts, which 26.11 no longer has"),
    ] = "systemd"
    generations: Annotated[
        int, Param("How many generations the boot loader lists, and keeps kernels of", minimum=1)
    ] = 10
    boot_loader: Annotated[
        system.Loader | None,
        Param(
            "What boots it; else systemd-boot, for which the play has to mount an EFI system partition and UEFI must "
            "have started the machine; `none`: local.nix says it"
        ),
    ] = None
    grub_device: Annotated[
        str, Param("The disk that a BIOS starts GRUB from, by a name that stays", pattern="^$|^/dev/[^\n]+$")
    ] = ""
    efi_variables: Annotated[bool, Param("The boot loader may write itself into the firmware's list")] = True
    hardware: Annotated[
        Literal["scan", "plain"],
        Param("`scan`: by nixos-generate-config where it is there; `plain`: what every machine may have"),
    ] = "scan"
    platform: Annotated[
        Literal["x86_64-linux", "aarch64-linux"], Param("What kind of machine it is, if nothing looks")
    ] = "x86_64-linux"
    flake: Annotated[bool, Param("Make a flake, too, with the host's name")] = False
    nixpkgs: Annotated[
        str | None,
        Param(
            "Where a flake takes nixpkgs from; else as it does already, or from the branch of the installer's release"
        ),
    ] = None
    impermanence: Annotated[str | None, Param("Where the module impermanence is had: a flake, or a tarball's URL")] = (
        None
    )
    not_persisted: Annotated[
        Mapping[str, Annotated[str, Param("Why not", min_length=1)]],
        Param("Paths that need not survive a reboot, with the reason; subfloor does not warn about them"),
    ] = field(default_factory=dict)
    no_login: Annotated[str, Param("Why no password or key is needed here; disables the warning")] = ""
    overwrite: Annotated[bool, Param("Overwrite a file that was edited by hand")] = False
    layout: Annotated[Layout, FromPlay()] = field(default_factory=Layout)
    small_esps: Annotated[tuple[str, ...], FromPlay()] = ()
    bios_boot: Annotated[bool, FromPlay()] = True

    def __post_init__(self) -> None:
        for name in ("root", "path", "store"):
            checked(name, check_clean, getattr(self, name))
        for path in self.not_persisted:
            checked("not_persisted", check_clean, path)
        for user in self.users.values():
            for path in filter(None, (user.home, user.password_file)):
                checked("users", check_clean, path)
        checked("users", users.check, self.users)
        if (self.boot_loader == "grub") != bool(self.grub_device):
            raise ValueError("grub_device: it is given with `boot_loader: grub`, and only with that")
        for name in ("hostname", "timezone", "state_version"):
            checked(name, _check_one_line, getattr(self, name) or "")

    def within(self, play: tuple[Task, ...]) -> Task:
        others = (task.within(play) for task in play if task.key != self.key)
        found = under(self.root, (each for task in others for each in task.contributes()))
        whole = replace(self, layout=found, small_esps=tuple(lint.small_esps(play)))
        whole = replace(whole, bios_boot=boot.has_place(self.grub_device, play))
        whole._texts(found, _ANY)  # what no Nix string can say is said before anything is looked at
        return whole

    def warnings(self) -> tuple[str, ...]:
        store = self.store if self.openssh else None
        forgotten = lint.forgotten(self.layout, self.users, self.path, store, self.not_persisted)
        labels = lint.ambiguous_labels(self.layout) if self.devices == "label" else ()
        told = (*forgotten, *self.small_esps, *lint.open_esps(self.layout), *labels)
        if not lint.is_locked_out(self._administrators, self.layout):
            return told
        return (*told, f"{lint.LOCKED_OUT}, unless local.nix says who; {lint.LET_IN}")

    def warnings_on(self, machine: Machine) -> tuple[str, ...]:
        local = machine[TextFile(self._local)]
        text = local.content.decode("utf-8", "replace") if isinstance(local, Text) else ""
        return (
            *lint.forgotten_by_services(text, self.layout, self.users, self.not_persisted),
            *releases.newer(self.state_version, machine[RunningSystem()]),
            *boot.mismatch(self._booting, machine[StartedByUefi()]),
        )

    def contributes(self) -> tuple[Contribution, ...]:
        """Who may become root: `nixos-install` does not install what nobody could log in to. And the users' homes."""
        numbers = {name: "root" if name == "root" else user.uid for name, user in self.users.items()}
        homes = users.homes(self.users).items()
        return (
            self._administrators,
            *(Home(posixpath.join(self.root, home[1:]), f"{numbers[name] or ''}") for name, home in homes),
        )

    @property
    def _administrators(self) -> Administrators:
        """Paths in it are as they are now, like those of every contribution."""
        return users.administrators(self.users, self._folder, self.openssh, bool(self.no_login))

    def subjects(self) -> frozenset[AnySubject]:
        files = (kind(path) for path in (*self._paths, self._hardware) for kind in (Path, TextFile))
        looks = (block_devices.stable_looks(*self._by(each)) for each in self.layout.devices)
        more = {Tracking(self._folder)} if self.flake else set[AnySubject]()
        whole = {Tool(_SCAN), RunningSystem(), StartedByUefi(), Path(self._profile), TextFile(self._local)}
        return frozenset({*files, *whole, *more}).union(*looks)

    def next_step(self, machine: Machine) -> Step | None:
        boot.check(self._booting, machine[StartedByUefi()])
        own = (*self._paths, self._hardware)
        if self.flake:
            tracked.check(seen(machine, Tracking(self._folder)), self._folder, map(posixpath.basename, own))
        # All of them at once: where one is refused, none is written.
        layout = self.layout.named(lambda each: block_devices.stable(machine, *self._by(each)))
        texts = self._texts(layout, self._releases(machine))
        steps = [
            self._write(machine, path, generated.marked(text)) for path, text in zip(self._paths, texts, strict=True)
        ]
        return next((step for step in (self._describe(machine), *steps, self._track(machine, own)) if step), None)

    # What is wanted.

    @property
    def _booting(self) -> boot.Booting:
        return boot.Booting(self.boot_loader, self.grub_device, self.layout, self.bios_boot)

    @property
    def _folder(self) -> str:
        return posixpath.join(self.root, self.path[1:])

    @property
    def _hardware(self) -> str:
        return posixpath.join(self._folder, "hardware-configuration.nix")

    @property
    def _local(self) -> str:
        return posixpath.join(self._folder, "local.nix")

    @property
    def _paths(self) -> tuple[str, ...]:
        """The files, in the order in which they are written: what is imported first."""
        names = ("filesystems.nix", "configuration.nix", *(("flake.nix",) if self.flake else ()))
        return tuple(posixpath.join(self._folder, name) for name in names)

    @property
    def _profile(self) -> str:
        """What leads to the system, once it is installed."""
        return posixpath.join(self.root, PROFILES, "system")

    def _releases(self, machine: Machine) -> Releases:
        known = releases.Known(
            configuration=seen(machine, TextFile(posixpath.join(self._folder, "configuration.nix"))),
            flake=seen(machine, TextFile(posixpath.join(self._folder, "flake.nix"))) if self.flake else Absent(),
            running=machine[RunningSystem()],
            # What cannot be seen yet may be one.
            is_installed=isinstance(machine[Path(self._profile)], Node | NotYetVisible),
            is_running=self.root == "/",
        )
        return releases.chosen(self.state_version, self.nixpkgs, known, self.overwrite)

    def _texts(self, layout: Layout, of: Releases) -> tuple[str, ...]:
        """What the files say; ``layout``: with devices as the installed system finds them."""
        how = self.persistence == "impermanence"
        fetched = (self.impermanence or _TARBALL) if how and not self.flake else None
        whole = system.System(
            hostname=self.hostname,
            state_version=of.state_version,
            users=users.settings(self.users, layout, bool(self.no_login)),
            programs=users.programs(self.users),
            store=self.store,
            timezone=self.timezone,
            loader=self.boot_loader or "systemd-boot",
            esp=layout.esp or "/boot",
            grub_device=self.grub_device,
            efi_variables=self.efi_variables,
            generations=self.generations,
            systemd_initrd=self.initrd == "systemd",
            openssh=self.openssh,
            host_keys=layout.is_forgetful and layout.keeps(self.store),
            made_keys=layout.host_keys,
            builds=layout.is_forgetful and layout.keeps("/nix/var"),
            flakes=self.flake,
            impermanence=fetched,
        )
        homes = users.homes(self.users)
        passwords = tuple(users.password_files(self.users, layout).values())
        mounts = filesystems.module(layout, self.persistence, homes, self.not_persisted, passwords)
        texts = (mounts, system.configuration(whole))
        if not self.flake:
            return texts
        module = (self.impermanence or _FLAKE) if how else None
        return (*texts, system.flake(self.hostname or "nixos", of.nixpkgs, module))

    def _by(self, each: Device) -> tuple[str, str, block_devices.Naming]:
        """How the installed system finds a device."""
        return (each.path, "", "partuuid") if each.overwritten else (each.path, each.label, self.devices)

    # What is there.

    def _describe(self, machine: Machine) -> Step | None:
        """The hardware's part is made once: what is there may be better than what would be made now."""
        path = self._hardware
        if isinstance(paths.there(machine, path, FILE), Node):
            return None
        if self.hardware == "plain" or not machine[Tool(_SCAN)]:
            return self._written(machine, path, generated.marked(plain(self.platform)))
        # It refuses `--root /`, which is its default (nixos-generate-config.pl).
        root = () if self.root == "/" else ("--root", self.root)
        scan = (_SCAN, "--no-filesystems", "--show-hardware-config", *root)
        return Step(
            says=f"Write {path}, of what {_SCAN} finds",
            commands=(*keep_output(path, scan), *self._told(machine, path)),
            after=_made(machine, path, Unknown()),
        )

    def _write(self, machine: Machine, path: str, content: bytes) -> Step | None:
        paths.there(machine, path, FILE)
        there: Text | Absent = seen(machine, TextFile(path))
        if there == Text(content):
            return None
        if isinstance(there, Text) and not generated.is_intact(there.content) and not self.overwrite:
            raise Refused(
                f"{path} was edited, or is not from here; it differs from what would be written:\n"
                + generated.difference(there.content, content, path),
                advice="take what is your own into local.nix beside it and remove the file, or give `overwrite: true`",
            )
        return self._written(machine, path, content)

    def _written(self, machine: Machine, path: str, content: bytes) -> Step:
        return Step(
            says=f"Write {path}",
            commands=(*write_file(path, content), *self._told(machine, path)),
            after=_made(machine, path, Text(content)),
        )

    def _told(self, machine: Machine, path: str) -> tuple[Command, ...]:
        """What makes git track a file that was just written, where the flake lies in a repository."""
        repository = seen(machine, Tracking(self._folder)) if self.flake else None
        return (tracked.track((path,)),) if repository else ()

    def _track(self, machine: Machine, own: tuple[str, ...]) -> Step | None:
        """The same for those that were written before."""
        repository: Repository | None = seen(machine, Tracking(self._folder)) if self.flake else None
        paths = [path for path in own if repository and posixpath.basename(path) in repository.untracked]
        if not repository or not paths:
            return None
        names = frozenset(map(posixpath.basename, paths))
        return Step(
            says=f"Have git track {', '.join(sorted(names))} in {self._folder}",
            commands=(tracked.track(paths),),
            after=machine.with_(Tracking(self._folder), replace(repository, untracked=repository.untracked - names)),
        )


# Stands for what is known only once the machine was looked at.
_ANY = Releases("00.00", "")


def _check_one_line(text: str) -> None:
    """Raise ``ValueError`` for an end of line, which the pattern of a schema lets pass at the end of a text."""
    if "\n" in text:
        raise ValueError(f"{text!r} is not one line")


def _made(machine: Machine, path: str, says: Text | Unknown) -> Machine:
    return paths.made(machine, path, Node(FILE, 0o644, ROOT, ROOT)).updated({TextFile(path): says})


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (NixosConfig,)
