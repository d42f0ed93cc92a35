"""`nixos-install`: an installed NixOS, with a boot loader that starts it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from subfloor.plugin import (
    Administrators,
    AnySubject,
    FromPlay,
    InstallTarget,
    Machine,
    Param,
    Step,
    System,
    Task,
    TextFile,
    Tracking,
    check_clean,
    check_safe_root,
    checked,
    hookimpl,
    installable,
    installing,
    is_below,
    lint,
    parameters,
    seen,
    sources,
    tracked,
    under,
)


@dataclass(frozen=True, kw_only=True)
class NixosInstall(Task):
    """Install the current configuration with nixos-install, with a boot loader that starts it.

    The task is satisfied if the system profile below `root` leads to a system that exists and was made from the
    current configuration, and if the boot partition has a boot loader and an entry for this system, with kernel
    and initrd of the same length as in the store. The source of a system is recorded in `state` as the last
    step, so an interrupted installation never counts as finished. The next run removes the files that it left on the
    boot partition, and resumes: everything that was built is still in the store.

    Temporary files go to `state` too, since a root in memory has little room. The task refuses if nothing is
    mounted, or if the store or `state` would be in memory.

    It refuses a flake in a git repository that does not track one of its files, such as `local.nix`: Nix would
    leave the file out silently.

    It refuses a configuration with which nobody could log in and become root, before anything is written. If there
    is a `local.nix`, the task does not refuse, since that file may declare who can log in.

    With `root: /` nothing is installed: use nixos-rebuild on a running system. There the task refuses if the
    configuration was changed and the system was not rebuilt since.
    """

    key: ClassVar[str] = "nixos-install"
    alone: ClassVar[str] = "installs what the other tasks of its play declare"
    examples: ClassVar[tuple[str, ...]] = (
        "nixos-install: {root: /mnt}",
        'nixos-install: {root: /mnt, flake: "/etc/nixos#kiosk", timeout: 36000}',
    )

    root: parameters.InstallRoot = "/mnt"
    path: Annotated[str, Param("The configuration's directory, on the installed system")] = "/etc/nixos"
    flake: Annotated[
        str,
        Param(
            "Install from this flake and not from channels: its directory on the installed system, `#`, and the "
            "configuration's name. Or any other reference to a flake; then the task does not look at its files",
            pattern="^$|^[^#]+#[^#]+$",
            examples=("/etc/nixos#nixos", "github:me/machines#kiosk"),
        ),
    ] = ""
    boot: Annotated[
        str, Param("Where the boot partition is mounted, on the installed system; empty: it is not checked")
    ] = "/boot"
    state: Annotated[
        str, Param("A directory on the disk, for the record and temporary files, on the installed system")
    ] = "/nix/persist/var/lib/subfloor"
    channel_copy: Annotated[bool, Param("Copy the installer's channel to the installed system")] = True
    timeout: Annotated[int, Param("Timeout of the installation, in seconds", minimum=1)] = 6 * 3600
    written: Annotated[tuple[str, ...], FromPlay()] = ()
    locked_out: Annotated[bool, FromPlay()] = False

    def __post_init__(self) -> None:
        for name in ("root", "path", "state", *(("boot",) if self.boot else ())):
            checked(name, check_clean, getattr(self, name))
        checked("root", check_safe_root, self.root)
        if self._target.is_local_flake:
            checked("flake", check_clean, self.flake.partition("#")[0])

    def within(self, play: tuple[Task, ...]) -> Task:
        """The task with what the other tasks of the play declare.

        The files that they will write to the configuration count even before they are written.
        """
        others = [task for task in play if task.key != self.key]
        written = {each.path for task in others for each in task.subjects() if isinstance(each, TextFile)}
        return replace(
            self,
            written=tuple(sorted(path for path in written if is_below(path, self._target.configuration))),
            locked_out=self._is_locked_out(others),
        )

    def _is_locked_out(self, others: Iterable[Task]) -> bool:
        """Whether the play declares the users, and none of them could log in and become root."""
        told = [each for task in others for each in task.contributes()]
        users = [each for each in told if isinstance(each, Administrators) and each.path == self._target.configuration]
        return bool(users) and any(lint.is_locked_out(each, under(self.root, told)) for each in users)

    def subjects(self) -> frozenset[AnySubject]:
        return self._target.subjects().union(map(TextFile, self.written))

    def next_step(self, machine: Machine) -> Step | None:
        target = self._target
        if not target.is_running:
            installable.check_persistent(machine, target)
        files = sources.files(machine, target.configuration, self.written)
        digest = sources.digest(files, self.flake)
        if target.is_local_flake:
            tracked.check(seen(machine, Tracking(target.configuration)), target.configuration)
        there = seen(machine, target.system)
        if isinstance(there, System) and there.boots and sources.is_made_from(there.made_from, digest):
            return None
        if target.is_running:
            installable.check_running(target, there)
            return None
        installable.check_configured(target, files)
        installable.check_login(target, files, self.locked_out)
        return (
            installing.remove_leftovers(machine, target)
            or installing.lock_flake(machine, target, files, self.timeout)
            or installing.install(machine, target, digest, self.channel_copy, self.timeout)
        )

    @property
    def _target(self) -> InstallTarget:
        return InstallTarget(root=self.root, path=self.path, flake=self.flake, boot=self.boot, state=self.state)


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (NixosInstall,)
