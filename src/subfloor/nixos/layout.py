"""What a play lays out, with the paths of the installed system."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from subfloor.core.contributions import (
    Administrators,
    ArrayDevice,
    Contribution,
    EncryptedDevice,
    FileSystem,
    HostKey,
    LogicalVolume,
    PasswordFile,
    Persisted,
    Rollback,
    SwapDevice,
    SwapFile,
)

# The paths that NixOS mounts in stage 1 by default (nixos/lib/utils.nix, pathsNeededForBoot).
ALWAYS_EARLY = frozenset(
    {"/", "/nix", "/nix/store", "/var", "/var/log", "/var/lib", "/var/lib/nixos", "/etc", "/usr"},
)


ESP_PLACES = ("/boot", "/efi", "/boot/efi")
"""Where an EFI system partition is mounted: NixOS's own default, and those of bootctl(1)."""


@dataclass(frozen=True)
class Device:
    """A device by its name in the play, and the label that the play gives to its content.

    ``overwritten``: the content does not last, so the device cannot be found by it.
    """

    path: str
    label: str = ""
    overwritten: bool = False


@dataclass(frozen=True)
class Layout:
    """The mounts, persistent paths, swap areas and containers of a play.

    ``rollback``: the root is a btrfs subvolume that is replaced at every boot. ``resume_offset``: where the swap
    file for hibernation begins on its device, in pages; 0 if unknown. ``arrays``: md arrays. ``inside``: each
    device with the names of the containers that it lies in; ``grouped``: the devices that lie on logical volumes.
    ``left_behind``: the containers whose key file is outside of the install root.
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
    encrypted: tuple[EncryptedDevice, ...] = ()
    inside: tuple[tuple[str, frozenset[str]], ...] = ()
    left_behind: tuple[str, ...] = ()
    logical: tuple[LogicalVolume, ...] = ()
    grouped: frozenset[str] = frozenset()
    arrays: tuple[ArrayDevice, ...] = ()

    @property
    def stores(self) -> tuple[str, ...]:
        """The persistent stores."""
        return tuple(dict.fromkeys(each.store for each in self.persisted))

    @property
    def is_forgetful(self) -> bool:
        """Whether the root is empty after every boot."""
        return any(each.path == "/" and self._forgets(each) for each in self.filesystems)

    @property
    def esp(self) -> str | None:
        """Where the EFI system partition is mounted: the first of ``ESP_PLACES`` with a vfat filesystem; else None."""
        return next(
            (at for at in ESP_PLACES if any((each.path, each.type) == (at, "vfat") for each in self.filesystems)), None
        )

    @property
    def devices(self) -> tuple[Device, ...]:
        """The devices that are mounted, used as swap or opened."""
        named = (*map(_device, self.filesystems), *map(_device, self.swaps), *map(_device, self.encrypted))
        return tuple(found for found in named if found)

    @property
    def paths(self) -> tuple[str, ...]:
        """The mount points and the persistent paths."""
        return (*(each.path for each in self.filesystems), *(each.path for each in self.persisted))

    def named(self, name: Callable[[Device], str]) -> Layout:
        """The layout with each device under the name by which the installed system finds it."""
        names = {each.path: name(each) for each in self.devices}
        return replace(
            self,
            filesystems=tuple(_named(each, names) for each in self.filesystems),
            swaps=tuple(_named(each, names) for each in self.swaps),
            encrypted=tuple(_named(each, names) for each in self.encrypted),
            inside=tuple((names.get(device, device), containers) for device, containers in self.inside),
            grouped=frozenset(names.get(device, device) for device in self.grouped),
        )

    def stacked(self, below: Mapping[str, str]) -> Layout:
        """The layout with completed ``inside`` and ``grouped``.

        ``below``: for a device, another name of it, or the device that it lies on.
        """
        opened = {path: each for each in self.encrypted for path in _places(each)}
        active = {path: each for each in self.logical for path in _links(each)}
        lower: dict[str, tuple[str, ...]] = {path: each.devices for path, each in active.items()}
        lower |= {path: (each.device,) for path, each in opened.items()}
        stacks = {each.path: _stack(each.path, lower, below) for each in self.devices}
        known = dict(self.inside)

        def names(stack: frozenset[str]) -> frozenset[str]:
            found = frozenset(opened[each].name for each in stack & opened.keys())
            return found.union(*(known.get(each, ()) for each in stack))

        return replace(
            self,
            inside=tuple((path, names(stack)) for path, stack in stacks.items()),
            grouped=self.grouped | {path for path, stack in stacks.items() if stack & active.keys()},
        )

    def containers(self, device: str) -> tuple[EncryptedDevice, ...]:
        """The containers that a device lies in."""
        names = dict(self.inside).get(device, frozenset())
        return tuple(each for each in self.encrypted if each.name in names)

    def holder(self, path: str) -> FileSystem | None:
        """The filesystem that a path lies on."""
        holders = [each for each in self.filesystems if lies_in(path, each.path)]
        return max(holders, key=lambda each: len(each.path), default=None)

    def origin(self, path: str) -> str:
        """Where the content of a path is stored: at its path in a store if it is persisted, else at the path itself."""
        kept = [each for each in self.persisted if lies_in(path, each.path)]
        nearest = max(kept, key=lambda each: len(each.path), default=None)
        return posixpath.join(nearest.store, path[1:]) if nearest else path

    def keeps(self, path: str) -> bool:
        """Whether the content of a path survives a reboot."""
        kept = any(lies_in(path, each.path) for each in self.persisted)
        holder = self.holder(path)
        return kept or (holder is not None and not self._forgets(holder))

    def _forgets(self, each: FileSystem) -> bool:
        return each.type == "tmpfs" or (each.path == "/" and self.rollback is not None)


_Used = TypeVar("_Used", FileSystem, SwapDevice, EncryptedDevice)


def _named(each: _Used, names: Mapping[str, str]) -> _Used:
    return replace(each, device=names.get(each.device, each.device))


def _device(each: FileSystem | SwapDevice | EncryptedDevice) -> Device | None:
    if isinstance(each, SwapDevice):
        return Device(each.device, each.label, each.random_key)
    if isinstance(each, EncryptedDevice):
        # With a detached header, the label is not on the device.
        return Device(each.device, each.label, overwritten=each.header is not None)
    return None if each.type == "tmpfs" else Device(each.device, each.label)


def _stack(device: str, lower: Mapping[str, tuple[str, ...]], same: Mapping[str, str]) -> frozenset[str]:
    """A device and all devices below it, each with all of its names. ``same``: another name of a device."""
    found, pending = set[str](), [device]
    while pending:
        each = pending.pop()
        if each not in found:
            found.add(each)
            pending += (*lower.get(each, ()), same.get(each, each))
    return frozenset(found)


def _places(each: EncryptedDevice) -> tuple[str, ...]:
    """The paths of an open container."""
    return (each.path, f"/dev/disk/by-id/dm-name-{each.name}")


def _links(each: LogicalVolume) -> tuple[str, ...]:
    """The paths of an active logical volume."""
    name = each.path.rpartition("/")[2]
    return (each.path, f"/dev/{each.group}/{each.name}", f"/dev/disk/by-id/dm-name-{name}")


def source(each: Persisted) -> str:
    """The path in the store of a persisted file or directory."""
    return posixpath.join(each.store, each.path[1:])


def lies_in(path: str, folder: str) -> bool:
    """Whether a path is ``folder``, or lies below it."""
    return posixpath.commonpath((path, folder)) == folder


def under(root: str, contributions: Iterable[Contribution]) -> Layout:
    """The layout that the tasks of a play contribute, as far as it is under ``root``.

    Raises ``ValueError`` if two contributions have the same path or the same user, or if two roots are rolled back.
    """
    every = tuple(contributions)
    found = [each for contribution in every for each in _inside(root, contribution)]
    layout = Layout(
        tuple(each for each in found if isinstance(each, FileSystem)),
        tuple(each for each in found if isinstance(each, Persisted)),
        tuple(each for each in found if isinstance(each, SwapDevice)),
        tuple(each for each in found if isinstance(each, PasswordFile)),
        tuple(each for each in found if isinstance(each, Administrators)),
        tuple(each for each in found if isinstance(each, HostKey)),
        tuple(each for each in found if isinstance(each, SwapFile)),
        next((each for each in found if isinstance(each, Rollback)), None),
        encrypted=tuple(each for each in found if isinstance(each, EncryptedDevice)),
        logical=tuple(each for each in found if isinstance(each, LogicalVolume)),
        arrays=tuple(each for each in found if isinstance(each, ArrayDevice)),
        left_behind=tuple(
            each.name
            for each in every
            if isinstance(each, EncryptedDevice) and each.key_file and not _kept_place(root, each.key_file)
        ),
    )
    if sum(isinstance(each, Rollback) for each in found) > 1:
        raise ValueError("root: the play rolls back more than one subvolume at every boot, but a system has one root")
    if twice := _twice(layout.paths):
        raise ValueError(f"root: more than one task of the play mounts at {twice} under {root}")
    if twice := _twice(tuple(each.user for each in layout.passwords)):
        raise ValueError(f"root: more than one task of the play makes a password file for {twice}")
    if twice := _twice(tuple(each.name for each in layout.encrypted)):
        raise ValueError(f"root: more than one task of the play opens a container as {twice}")
    _check_headers(root, every)
    kept = tuple(
        replace(
            each,
            key_file=each.key_file and layout.origin(each.key_file),
            header=each.header and layout.origin(each.header),
        )
        for each in layout.encrypted
    )
    return replace(layout, encrypted=kept).stacked({})


def _check_headers(root: str, contributions: Iterable[Contribution]) -> None:
    for each in contributions:
        if isinstance(each, EncryptedDevice) and each.header and not _kept_place(root, each.header):
            raise ValueError(
                f"root: the installed system does not have the header of {each.name}, {each.header}; put it under "
                f"{root}, or on a device"
            )


def _twice(names: tuple[str, ...]) -> str:
    return ", ".join(sorted({name for name in names if names.count(name) > 1}))


def _inside(root: str, each: Contribution) -> Iterator[Contribution]:
    """The contribution with the paths of the installed system; nothing if it is not under ``root``."""
    if isinstance(each, SwapDevice | Rollback | LogicalVolume | ArrayDevice):
        yield each
        return
    if isinstance(each, EncryptedDevice):
        yield replace(each, key_file=_kept_place(root, each.key_file), header=_kept_place(root, each.header))
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


def _kept_place(root: str, path: str | None) -> str | None:
    """The path of a file in the installed system; None if it is outside of ``root``. A device keeps its path."""
    return path if path is None or path.startswith("/dev/") else _stripped(root, path)
