"""`nixos-config`: the NixOS configuration, generated from the play's own layout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

from subfloor.plugin import (
    AnySubject,
    ConfigurationDirectory,
    Contribution,
    Declaration,
    Device,
    FromPlay,
    FromPlaybook,
    Layout,
    Machine,
    Param,
    Recording,
    RunningSystem,
    StartedByUefi,
    Step,
    SystemSettings,
    Task,
    Text,
    TextFile,
    Tool,
    Unrecorded,
    block_devices,
    boot,
    device_tags,
    encryption_checks,
    hookimpl,
    lint,
    releases,
    rollback,
    self_checking,
    swaps,
    under,
    users,
    writing,
)


@dataclass(frozen=True, kw_only=True)
class NixosConfig(SystemSettings, Task):
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

    The directory `subfloor` in the configuration contains this playbook with its parts, the variables that were given,
    without secrets, and subfloor itself. So `subfloor check` works on the installed system, without arguments.
    `self_check` changes what is copied.

    With `writes: filesystems` the task writes only `filesystems.nix`, which your own configuration imports. Your
    configuration then declares everything else, such as users, the boot loader, and `boot.initrd.systemd.enable`, which
    must match `initrd` here. With `flake: true` the task adds the file to git.

    If the root is a tmpfs, the task warns about each path that a system needs after a reboot and that no task
    keeps. `not_persisted` lists the paths that are left out on purpose. The task also warns about the state of
    services that `local.nix` enables, or whose group a user is in.
    """

    key: ClassVar[str] = "nixos-config"
    alone: ClassVar[str] = "declares what the other tasks of its play mount, keep and use"
    examples: ClassVar[tuple[str, ...]] = (
        "nixos-config: {root: /mnt, hostname: nixos}",
        'nixos-config: {root: /, hostname: kiosk, state_version: "25.11", overwrite: true}',
        "nixos-config: {persistence: impermanence, devices: partuuid, flake: true}",
        "nixos-config: {openssh: true, users: {ada: {uid: 1000, groups: [wheel]}}}",
        "nixos-config: {root: /, path: /etc/nixos/hosts/ada, writes: filesystems, flake: true}",
    )

    writes: Annotated[
        Literal["system", "filesystems"],
        Param("`system`: a whole configuration; `filesystems`: only `filesystems.nix`, which yours imports"),
    ] = "system"
    devices: block_devices.NamingParameter = "label"
    hardware: writing.HardwareSource = "scan"
    platform: writing.Platform = "x86_64-linux"
    nixpkgs: releases.Nixpkgs | None = None
    self_check: self_checking.SelfCheck = "full"
    overwrite: Annotated[bool, Param("Overwrite a file that was edited by hand")] = False
    layout: Annotated[Layout, FromPlay()] = field(default_factory=Layout)
    recording: Annotated[Recording | Unrecorded | None, FromPlaybook()] = None
    small_esps: Annotated[tuple[str, ...], FromPlay()] = ()
    bios_boot: Annotated[bool, FromPlay()] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self._is_whole:
            return
        given = ("users", "openssh", "boot_loader", "grub_device", "timezone", "state_version", "nixpkgs")
        for name in given:
            if getattr(self, name):
                raise ValueError(f"{name}: with `writes: filesystems` your own configuration declares it")

    def within(self, play: tuple[Task, ...]) -> Task:
        others = (task.within(play) for task in play if task.key != self.key)
        layout = under(self.root, (each for task in others for each in task.contributes()))
        rollback.check(layout, systemd_initrd=self.initrd == "systemd")
        small, place = tuple(lint.small_esps(play)), all(boot.has_place(each, play) for each in self.grub_devices)
        whole = replace(self, layout=layout.stacked(device_tags.by_label(play)), small_esps=small, bios_boot=place)
        # Text that no Nix string can hold is reported before anything is looked at.
        whole._declaration.texts(whole.layout, releases.NOT_YET_KNOWN)
        if self.devices == "label":
            encryption_checks.check_labels(whole.layout)
        return whole

    def warnings(self) -> tuple[str, ...]:
        store = self.store if self.openssh else None
        return (
            *lint.forgotten(self.layout, self.users, self.path, store, self.not_persisted),
            *(self_checking.warnings(self._recording, self.self_check) if self._is_whole else ()),
            *self.small_esps,
            *lint.open_esps(self.layout),
            *(lint.ambiguous_labels(self.layout) if self.devices == "label" else ()),
            *(lint.locked_out(self.administrators(self._files.here), self.layout) if self._is_whole else ()),
            *encryption_checks.warnings(self.layout, self._declaration.initrd(self.layout)),
        )

    def warnings_on(self, machine: Machine) -> tuple[str, ...]:
        if not self._is_whole:
            return ()
        local = machine[TextFile(self._files.local)]
        text = local.content.decode("utf-8", "replace") if isinstance(local, Text) else ""
        return (
            *lint.forgotten_by_services(text, self.layout, self.users, self.not_persisted),
            *releases.newer(self.state_version, machine[RunningSystem()]),
            *boot.mismatch(self._booting, machine[StartedByUefi()]),
        )

    def contributes(self) -> tuple[Contribution, ...]:
        if not self._is_whole:
            return ()
        return (self.administrators(self._files.here), *users.contributed_homes(self.users, self.root))

    def subjects(self) -> frozenset[AnySubject]:
        devices = (block_devices.stable_looks(*self._found_by(each)) for each in self.layout.devices)
        machine: set[AnySubject] = {Tool(writing.SCANNER), RunningSystem(), StartedByUefi()}
        tagged = device_tags.looks(self.layout)
        return self._files.subjects().union(machine, tagged, swaps.looks(self.layout, self.root), *devices)

    def next_step(self, machine: Machine) -> Step | None:
        files = self._files
        if self._is_whole:
            boot.check(self._booting, machine[StartedByUefi()])
        writing.check_tracked(machine, files)
        located = device_tags.located(machine, self.layout)
        named = located.named(lambda each: block_devices.stable(machine, *self._found_by(each)))
        offset = swaps.offset(machine, self.layout, self.root)
        texts = self._texts(machine, replace(named, resume_offset=offset or 0))
        unknown = files.generated[:1] if offset is None else ()  # only `filesystems.nix` contains the offset
        missing = writing.missing(machine, {**self._self_check_texts, **texts}, self.overwrite, unknown)
        copied = {path: content for path, content in missing.items() if path not in texts}
        program = self._self_check_files.program
        bring = writing.copies(machine, files, copied, program.content if program else None)
        write = writing.files(machine, files, {path: missing[path] for path in texts if path in missing}, unknown)
        describe = writing.hardware(machine, files, self.hardware, self.platform) if self._is_whole else None
        rest = (writing.owned(machine, texts), writing.tracking(machine, files))
        return next((step for step in (describe, bring, *write, *rest) if step), None)

    def _texts(self, machine: Machine, layout: Layout) -> Mapping[str, str]:
        """The texts of the generated files, by path."""
        files = self._files
        if not self._is_whole:
            return dict(zip(files.generated, self._declaration.texts_of(layout, releases.NOT_YET_KNOWN), strict=False))
        chosen = releases.chosen(self.state_version, self.nixpkgs, releases.known_on(machine, files), self.overwrite)
        return dict(zip(files.generated, self._declaration.texts_of(layout, chosen), strict=True))

    @property
    def _is_whole(self) -> bool:
        return self.writes == "system"

    @property
    def _files(self) -> ConfigurationDirectory:
        copied = self._self_check_files
        return ConfigurationDirectory(
            self.root, self.path, self.flake, tuple(copied.texts), copied.name, whole=self._is_whole
        )

    @property
    def _recording(self) -> Recording | Unrecorded | None:
        return self_checking.usable(self.recording, self.root)

    @property
    def _self_check_files(self) -> self_checking.SelfCheckFiles:
        return self_checking.files_for_self_check(
            self._recording, self.path, self.self_check if self._is_whole else "none"
        )

    @property
    def _self_check_texts(self) -> Mapping[str, str]:
        return {self._files.file(name): text for name, text in self._self_check_files.texts.items()}

    @property
    def _booting(self) -> boot.Booting:
        return boot.Booting(self.boot_loader, ", ".join(self.grub_devices), self.layout, self.bios_boot)

    @property
    def _declaration(self) -> Declaration:
        return self.declaration(with_subfloor=self._self_check_files.program is not None)

    def _found_by(self, each: Device) -> tuple[str, str, block_devices.Naming]:
        """A device's path and label, and whether the installed system finds it by this label or by its PARTUUID."""
        return (each.path, "", "partuuid") if each.overwritten else (each.path, each.label, self.devices)


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (NixosConfig,)
