"""Warnings about a play: paths that a system needs after a reboot and that no task persists, and other risks.

They depend on the play alone, not on the machine.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from subfloor.core.contributions import Administrators
from subfloor.core.parameters import Param
from subfloor.nixos import services
from subfloor.nixos.layout import Layout, lies_in
from subfloor.nixos.users import User, homes, password_files
from subfloor.storage import devices, sizes

NotPersisted = Annotated[
    Mapping[str, Annotated[str, Param("The reason", min_length=1)]],
    Param("Paths that need not survive a reboot, with the reason; subfloor does not warn about them"),
]
"""Paths that get no warning, each with the reason."""


@dataclass(frozen=True)
class Need:
    """A path that a system needs after a reboot, and what happens without it."""

    path: str
    otherwise: str


COMMON = (
    Need("/etc/machine-id", "the journal and DHCP treat the machine as a new one after every boot"),
    Need("/var/lib/nixos", "users and groups may get different numeric IDs, and then own each other's files"),
    Need("/var/lib/systemd", "timers forget when they last ran, and the random seed and coredumps are lost"),
    Need("/var/log", "logs are lost, and with them the cause of a crash"),
    Need("/etc/NetworkManager/system-connections", "known networks and their passwords are lost"),
    Need("/var/lib/bluetooth", "paired devices must be paired again"),
    Need("/root", "root's files, such as known hosts and shell history, are lost"),
    Need("/var/lib/private", "services with `DynamicUser` lose their data"),
    Need("/var/lib/NetworkManager", "leases and the secret for stable addresses are lost, so addresses change"),
    Need("/var/lib/dhcpcd", "leases and the DUID are lost, so addresses change"),
)


def needs(layout: Layout, users: Mapping[str, User], folder: str, keys: str | None) -> Iterator[Need]:
    """All paths that this system needs after a reboot.

    ``folder``: the directory of its configuration; ``keys``: the directory of sshd's host keys, if sshd runs.
    """
    yield from COMMON
    yield Need(folder, "the configuration is lost, so the system cannot be changed")
    if keys:
        yield Need(keys, "sshd gets new host keys at every boot, and clients refuse to connect")
    for name, path in password_files(users, layout).items():
        yield Need(path, f"{name} cannot log in after a boot")
    for name, home in homes(users).items():
        if name != "root" and not any(lies_in(path, home) for path in layout.paths):
            yield Need(home, f"the files of {name} are lost")


def forgotten(
    layout: Layout, users: Mapping[str, User], folder: str, store: str | None, excused: Mapping[str, str]
) -> tuple[str, ...]:
    """A warning for each path that is needed and not persisted.

    ``excused``: these paths, and all paths below them, get no warning. ``store``: where sshd's host keys are kept; None
    if sshd does not run.
    """
    keys = posixpath.join(store, "etc/ssh") if store else None
    if layout.host_keys:
        keys = posixpath.dirname(layout.host_keys[0].path)
    return _lost(needs(layout, users, folder, keys), layout, excused)


def forgotten_by_services(
    text: str, layout: Layout, users: Mapping[str, User], excused: Mapping[str, str]
) -> tuple[str, ...]:
    """A warning for each path with the state of a service that is not persisted.

    ``text``: the text of local.nix, which may enable services.
    """
    found = services.switched_on(text, users.values())
    return _lost((Need(each.path, each.otherwise) for each in found), layout, excused)


def _lost(needs: Iterable[Need], layout: Layout, excused: Mapping[str, str]) -> tuple[str, ...]:
    if not layout.is_forgetful:
        return ()
    lost = (each for each in needs if not layout.keeps(each.path))
    return tuple(
        f"{each.path} does not survive a reboot: {each.otherwise}; persist it, or give the reason in `not_persisted`"
        for each in lost
        if not any(lies_in(each.path, path) for path in excused)
    )


_ESP_ROOM = 1 << 30


def small_esps(play: Iterable[object]) -> Iterator[str]:
    """A warning for each EFI system partition that the play makes with a declared size below 1 GiB.

    A kernel with its initrd takes 50 to 150 MB, and a new generation is written before an old one is removed.
    """
    for task in play:
        size = getattr(task, "size", None) if getattr(task, "type", None) == "esp" else None
        if isinstance(size, str) and size[:1].isdigit() and sizes.parse(size) < _ESP_ROOM:
            yield (
                f"an EFI system partition of {size} holds few kernels, and an update fails once it is full; "
                "make it 1GiB or more: the next partition on the disk prevents it from growing later"
            )


def open_esps(layout: Layout) -> Iterator[str]:
    """A warning for an EFI system partition that all users can read: bootctl keeps a random seed there."""
    for each in layout.filesystems:
        if each.path == layout.esp and not _is_closed(dict(option.partition("=")[::2] for option in each.options)):
            yield (
                f"all users can read the EFI system partition at {each.path}, and the random seed on it, which bootctl "
                "calls a security hole; mount it with `options: [fmask=0077, dmask=0077]`"
            )


def _is_closed(options: Mapping[str, str]) -> bool:
    """Whether the masks of a FAT filesystem deny others everything (mount(8))."""
    masks = (options.get(name, options.get("umask", "")) for name in ("fmask", "dmask"))
    return all(mask.endswith("7") for mask in masks)


# Labels in the NixOS manual, in guides that follow it, and in subfloor's playbooks.
_COMMON_LABELS = frozenset({"nixos", "boot", "swap", "root", "home", "data", "nix", "esp", "efi"})


def ambiguous_labels(layout: Layout) -> Iterator[str]:
    """A warning if devices are found by labels that other disks often carry, or that are on several disks."""
    found = [each for each in layout.devices if each.label and not each.overwritten]
    common = sorted({each.label for each in found if each.label.lower() in _COMMON_LABELS})
    if common:
        yield (
            f"devices are found by label, and other disks often carry {_quoted(common)} too: with two such disks the "
            "machine may mount the wrong one at boot; set `devices: partuuid`, or choose unusual labels"
        )
    disks = sorted({disk for each in found if (disk := _disk_of(each.path))})
    if len(disks) > 1:
        yield (
            f"devices on {len(disks)} disks ({', '.join(disks)}) are found by label: a copy of one of them, or an old "
            "disk, may be mounted in its place; give `devices: partuuid`"
        )


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _disk_of(path: str) -> str | None:
    """The disk of a partition that is named after its disk; None for any other name."""
    try:
        return devices.partition_of(path)[0]
    except ValueError:
        return None


LOCKED_OUT = "nobody can log in and become root"
LET_IN = (
    "give root, or a user in the group wheel, a `password-file` task on a persistent filesystem, or ssh keys with "
    "`openssh: true`; or give the reason in `no_login`"
)


def is_locked_out(who: Administrators, layout: Layout) -> bool:
    """Whether nobody could log in and become root. NixOS checks only a part of this.

    A key needs sshd. A password needs a file that survives a reboot.
    """
    files = (*who.password_files, *layout.passwords)
    able = {each.user for each in files if each.user in who.names and layout.keeps(each.path)}
    return not (who.excused or who.by_ssh or able)


def locked_out(who: Administrators, layout: Layout) -> Iterator[str]:
    """A warning if nobody could log in and become root."""
    if is_locked_out(who, layout):
        yield f"{LOCKED_OUT}, unless local.nix allows it; {LET_IN}"
