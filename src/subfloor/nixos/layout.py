"""What a play lays out, with paths as the installed system has them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from subfloor.core.contributions import (
    Administrators,
    Contribution,
    EncryptedDevice,
    FileSystem,
    HostKey,
    PasswordFile,
    Persisted,
    Rollback,
    SwapDevice,
    SwapFile,
)

# The paths that NixOS mounts in stage 1 without being told (nixos/lib/utils.nix, pathsNeededForBoot).
ALWAYS_EARLY = frozenset(
    {"/", "/nix", "/nix/store", "/var", "/var/log", "/var/lib", "/var/lib/nixos", "/etc", "/usr"},
)


ESP_PLACES = ("/boot", "/efi", "/boot/efi")
"""Where an EFI system partition is mounted: NixOS's own default, and those of bootctl(1)."""


@dataclass(frozen=True)
class Device:
    """A device as the play names it, and the label that it gives to what is on it.

    ``overwritten``: what is on it does not last, so it cannot be found by that.
    """

    path: str
    label: str = ""
    overwritten: bool = False


@dataclass(frozen=True)
class Layout:
    """Everything that is mounted, kept and swapped on.

    ``rollback``: what becomes of the root at every boot, if it lies on a btrfs. ``resume_offset``: where the swap file
    for hibernation begins on its device, in pages; 0 as long as it is unknown.
    """

    filesystems: tuple[FileSystem, ...] = ()
    persisted: tuple[Persisted, ...] = ()
    swaps: tuple[SwapDevice, ...] = ()
    passwords: tuple[PasswordFile, ...] = ()
    administrators: tuple[Administrators, ...] = ()
    host_keys: tuple[HostKey, ...] = ()
    swap_files: tuple[SwapFile, ...] = ()
    rollback: Rollback | None = None
    resume_offset: int = 0

    @property
    def stores(self) -> tuple[str, ...]:
        """The directories that hold what is kept."""
        return tuple(dict.fromkeys(each.store for each in self.persisted))

    @property
    def is_forgetful(self) -> bool:
        """Whether the root is empty after every boot."""
        return any(each.path == "/" and self._forgets(each) for each in self.filesystems)

    @property
    def esp(self) -> str | None:
        """Where the boot loader's partition is mounted: a FAT filesystem at one of the places that it is sought at."""
        return next(
            (at for at in ESP_PLACES if any((each.path, each.type) == (at, "vfat") for each in self.filesystems)), None
        )

    @property
    def devices(self) -> tuple[Device, ...]:
        """Everything that is mounted, or swapped on, and is a device."""
        mounted = (_device(each) for each in self.filesystems)
        return tuple(found for found in (*mounted, *map(_device, self.swaps)) if found)

    @property
    def paths(self) -> tuple[str, ...]:
        """Where something is mounted, or kept."""
        return (*(each.path for each in self.filesystems), *(each.path for each in self.persisted))

    def named(self, name: Callable[[Device], str]) -> Layout:
        """The layout with devices as the installed system finds them."""
        return replace(
            self,
            filesystems=tuple(_named(each, name) for each in self.filesystems),
            swaps=tuple(_named(each, name) for each in self.swaps),
        )

    def holder(self, path: str) -> FileSystem | None:
        """The filesystem that a path lies on."""
        holders = [each for each in self.filesystems if lies_in(path, each.path)]
        return max(holders, key=lambda each: len(each.path), default=None)

    def keeps(self, path: str) -> bool:
        """Whether what is at a path outlives a boot."""
        kept = any(lies_in(path, each.path) for each in self.persisted)
        holder = self.holder(path)
        return kept or (holder is not None and not self._forgets(holder))

    def _forgets(self, each: FileSystem) -> bool:
        return each.type == "tmpfs" or (each.path == "/" and self.rollback is not None)


_Mounted = TypeVar("_Mounted", FileSystem, SwapDevice)


def _named(each: _Mounted, name: Callable[[Device], str]) -> _Mounted:
    found = _device(each)
    return replace(each, device=name(found)) if found else each


def _device(each: FileSystem | SwapDevice) -> Device | None:
    if isinstance(each, SwapDevice):
        return Device(each.device, each.label, each.random_key)
    return None if each.type == "tmpfs" else Device(each.device, each.label)


def source(each: Persisted) -> str:
    """Where it is kept."""
    return posixpath.join(each.store, each.path[1:])


def lies_in(path: str, folder: str) -> bool:
    """Whether a path is a directory, or something under it."""
    return posixpath.commonpath((path, folder)) == folder


def under(root: str, contributions: Iterable[Contribution]) -> Layout:
    """What the tasks of a play contribute, as far as it is under ``root``.

    Raises ``ValueError`` where two of them are to be at one path, or are for one user, or roll back two roots.
    """
    found = [each for contribution in contributions for each in _inside(root, contribution)]
    layout = Layout(
        tuple(each for each in found if isinstance(each, FileSystem)),
        tuple(each for each in found if isinstance(each, Persisted)),
        tuple(each for each in found if isinstance(each, SwapDevice)),
        tuple(each for each in found if isinstance(each, PasswordFile)),
        tuple(each for each in found if isinstance(each, Administrators)),
        tuple(each for each in found if isinstance(each, HostKey)),
        tuple(each for each in found if isinstance(each, SwapFile)),
        next((each for each in found if isinstance(each, Rollback)), None),
    )
    if sum(isinstance(each, Rollback) for each in found) > 1:
        raise ValueError("root: more than one subvolume is rolled back at every boot, and there is one root")
    if twice := _twice(layout.paths):
        raise ValueError(f"root: more than one task of the play mounts at {twice} under {root}")
    if twice := _twice(tuple(each.user for each in layout.passwords)):
        raise ValueError(f"root: more than one task of the play makes a password file for {twice}")
    return layout


def _twice(names: tuple[str, ...]) -> str:
    return ", ".join(sorted({name for name in names if names.count(name) > 1}))


def _inside(root: str, each: Contribution) -> Iterator[Contribution]:
    """The contribution with paths as the installed system has them; nothing where it is not under ``root``."""
    if isinstance(each, SwapDevice | Rollback):
        yield each
        return
    if isinstance(each, EncryptedDevice):
        yield replace(each, key_file=_stripped(root, each.key_file) if each.key_file else None)
        return
    path = _stripped(root, each.path)
    store = _stripped(root, each.store) if isinstance(each, Persisted) else None
    if path and store and isinstance(each, Persisted):
        yield replace(each, path=path, store=store)
    elif path and not isinstance(each, Persisted):
        yield replace(each, path=path)


def _stripped(root: str, path: str) -> str | None:
    if root == "/" or path == root:
        return path if root == "/" else "/"
    return path.removeprefix(root) if lies_in(path, root) else None
