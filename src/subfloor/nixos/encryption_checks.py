"""Checks of encrypted layouts: containers that the system could not open, and keys that would protect nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from subfloor.core.contributions import EncryptedDevice
from subfloor.nixos.initrd import Initrd, files
from subfloor.nixos.layout import Layout, lies_in


def check(layout: Layout, initrd: Initrd, early: Collection[str]) -> None:
    """Raise ``ValueError`` for a container that could not be opened, or whose key would not be protected."""
    for each in layout.encrypted:
        _check_words(each)
        if each.name in early and each.tokens and not initrd.systemd:
            raise ValueError(
                f"initrd: NixOS's older scripts cannot open {each.name} by a token ({', '.join(each.tokens)}); "
                "give `initrd: systemd`"
            )
        if each.name in early and not initrd.systemd:
            _check_order(each, layout)
        for what, path in files(each):
            _check_file(each, f"the {what} of {each.name}, {path},", path, layout)
            _check_stage(each, f"the {what} of {each.name}, {path},", path, layout, initrd, early)
    for mount in layout.filesystems:
        if mount.path == layout.esp and (held := layout.containers(mount.device)):
            raise ValueError(
                f"root: {mount.path} is the EFI system partition, but it is in the container {held[0].name}, which "
                "no firmware can open; mount an unencrypted one"
            )


def _check_order(each: EncryptedDevice, layout: Layout) -> None:
    for below in layout.containers(each.device):
        if below.name > each.name:
            raise ValueError(
                f"initrd: NixOS's older scripts open containers in the order of their names, so {each.name} before "
                f"{below.name}, which contains it; set `initrd: systemd`, or rename them"
            )


def _check_words(each: EncryptedDevice) -> None:
    """Raise ``ValueError`` for text that crypttab(5) cannot hold.

    White space separates its fields, and commas separate options. Neither can be escaped.
    """
    for text in filter(None, (each.name, each.device, each.key_file)):
        if text.split() != [text] or ":" in (each.key_file or ""):
            raise ValueError(f"root: {text!r} has to be in crypttab(5), which allows neither white space nor `:` there")
    if each.header and (each.header.split() != [each.header] or "," in each.header):
        raise ValueError(
            f"root: {each.header!r} has to be in crypttab(5), which allows neither white space nor commas there"
        )


def _check_file(each: EncryptedDevice, named: str, path: str, layout: Layout) -> None:
    if layout.holder(path) and not layout.keeps(path):
        raise ValueError(f"root: {named} does not survive a reboot; put it on a persistent filesystem")
    if lies_in(path, "/nix/store"):
        raise ValueError(f"root: {named} is in the Nix store, which all users can read; put it elsewhere")


def _check_stage(
    each: EncryptedDevice, named: str, path: str, layout: Layout, initrd: Initrd, early: Collection[str]
) -> None:
    is_early = each.name in early
    if is_early and initrd.embeds:
        return
    if each.name in _needed(layout, each):
        raise ValueError(
            f"root: {named} can be read only once that container is open"
            + (", and the initrd must not hold it, because it is not encrypted" if is_early else "")
            + "; leave it out, and the system asks for a passphrase; or use a token, or a file on another disk"
        )
    if is_early and not initrd.systemd:
        raise ValueError(
            f"initrd: {named} is on a filesystem, and NixOS's older scripts open {each.name} before they mount one; "
            "give `initrd: systemd`; or leave the file out, and the system asks for a passphrase"
        )


def _needed(layout: Layout, each: EncryptedDevice) -> frozenset[str]:
    """The containers that must be open before this one."""
    found, pending = set[str](), [each]
    while pending:
        below = _directly_needed(layout, pending.pop())
        pending += [other for other in below if other.name not in found]
        found |= {other.name for other in below}
    return frozenset(found)


def _directly_needed(layout: Layout, each: EncryptedDevice) -> list[EncryptedDevice]:
    """The containers that hold its device, or a filesystem that is mounted above one of its files, such as the root."""
    paths = [path for _, path in files(each)]
    mounts = (mount for mount in layout.filesystems if any(lies_in(path, mount.path) for path in paths))
    devices = (each.device, *(mount.device for mount in mounts))
    return [found for device in devices for found in layout.containers(device)]


def check_labels(layout: Layout) -> None:
    """Raise ``ValueError`` if a container and another device have the same label: the system may find either by it."""
    labels = {each.path: each.label for each in layout.devices if each.label and not each.overwritten}
    for each in layout.encrypted:
        others = [path for path, label in labels.items() if label == each.label and path != each.device]
        if labels.get(each.device) and others:
            raise ValueError(
                f"devices: {each.device} and {others[0]} have the same label, {each.label}, so the system may find "
                "either by it; give one of them another label, or `devices: partuuid`"
            )


def warnings(layout: Layout, initrd: Initrd) -> tuple[str, ...]:
    """Warnings about keys that protect less than they seem to, and about unencrypted memory on a disk."""
    found = (_left_behind(layout), _open_keys(layout), _open_swaps(layout), _hard_for_grub(layout, initrd))
    return tuple(warning for each in found for warning in each)


def _left_behind(layout: Layout) -> Iterator[str]:
    for name in layout.left_behind:
        yield (
            f"the installed system does not have the key file of {name}, which is outside of the install root: it asks "
            "for a passphrase at every boot, so the container needs one"
        )


def _open_keys(layout: Layout) -> Iterator[str]:
    for each in layout.encrypted:
        keys = [path for what, path in files(each) if what == "key file"]
        holder = layout.holder(keys[0]) if keys else None
        if holder and not layout.containers(holder.device):
            yield (
                f"the key file of {each.name}, {keys[0]}, is on {holder.path}, which is not encrypted: whoever has "
                "both devices can read everything; put it on an encrypted filesystem, or on a disk that you unplug"
            )


def _open_swaps(layout: Layout) -> Iterator[str]:
    names = ", ".join(each.name for each in layout.encrypted)
    for swap in layout.swaps:
        if names and not swap.random_key and not layout.containers(swap.device):
            yield (
                f"{swap.device} is unencrypted swap: the kernel writes parts of the memory to it, and at hibernation "
                f"the whole memory, including the keys of {names}; put the swap into a container, or "
                "set `encryption: random`"
            )


def _hard_for_grub(layout: Layout, initrd: Initrd) -> Iterator[str]:
    boot = layout.holder("/boot")
    for each in layout.containers(boot.device) if boot and initrd.embeds else ():
        if each.pbkdf != "pbkdf2":
            yield (
                f"GRUB has to open {each.name} for /boot, and most versions of it support no key derivation but "
                "pbkdf2; give the container `pbkdf: pbkdf2`, or mount an unencrypted /boot"
            )
