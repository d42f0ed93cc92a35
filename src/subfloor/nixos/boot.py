"""Checks that the boot loader can start the installed system on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from subfloor.core.errors import Refused
from subfloor.nixos.layout import ESP_PLACES, Layout
from subfloor.nixos.system import Loader


@dataclass(frozen=True)
class Booting:
    """The values that the checks use.

    ``loader``: None for the default, systemd-boot. ``bios_boot``: GRUB can be embedded on its disk, as far as the
    play shows.
    """

    loader: Loader | None
    grub_device: str
    layout: Layout
    bios_boot: bool


def has_place(disk: str, play: Iterable[object]) -> bool:
    """Whether GRUB can be embedded on a disk; True if the play does not make its partition table.

    A GPT needs a partition of type bios-boot: the gap after the first sector, which GRUB uses with an MBR, holds
    the table (grub-install(8), "BIOS Boot Partition").
    """
    tasks = [task for task in play if getattr(task, "device", None) == disk]
    makes = any(getattr(task, "key", "") == "gpt-label" for task in tasks)
    return not makes or any(getattr(task, "type", "") == "bios-boot" for task in tasks)


def check(booting: Booting, uefi: bool) -> None:
    """Raise ``Refused`` if the installed system could not boot. ``uefi``: this machine booted with UEFI."""
    mounts_root = any(each.path == "/" for each in booting.layout.filesystems)
    if booting.loader == "grub":
        _check_grub(booting)
    if booting.loader is None and mounts_root and not booting.layout.esp:
        raise Refused(
            f"systemd-boot needs an EFI system partition, and the play mounts none (vfat at {', '.join(ESP_PLACES)})",
            advice="mount one; or, for a machine that boots with BIOS, set `boot_loader: grub` and `grub_device`; or "
            "set `boot_loader: none` and declare the boot loader in local.nix",
        )
    if booting.loader is None and not uefi:
        raise Refused(
            "systemd-boot needs UEFI, but this machine booted with BIOS (there is no /sys/firmware/efi)",
            advice="reboot in UEFI mode if the firmware (or the virtual machine) supports it; or set `boot_loader: "
            "grub` and `grub_device`; or set `boot_loader: systemd-boot` if the disk will boot in another machine",
        )


def _check_grub(booting: Booting) -> None:
    if not booting.bios_boot:
        raise Refused(
            f"GRUB cannot be installed on {booting.grub_device}: on a GPT it needs a partition of type bios-boot",
            advice="add one, such as `aligned-partition: {type: bios-boot, size: 1MiB, raw: true, …}`",
        )
    if booting.layout.is_forgetful and not booting.layout.keeps("/boot"):
        raise Refused(
            "GRUB's files are in /boot, which does not survive a reboot in this layout",
            advice="mount a partition at /boot, or persist it with `bind-persist`",
        )


def mismatch(booting: Booting, uefi: bool) -> Iterator[str]:
    """A warning if the declared boot loader cannot boot this machine in its present mode, UEFI or BIOS."""
    if booting.loader == "systemd-boot" and not uefi:
        yield (
            "systemd-boot is declared, but this machine booted with BIOS (there is no /sys/firmware/efi): the system "
            "boots only on a machine with UEFI; for BIOS, set `boot_loader: grub` and `grub_device`"
        )
    if booting.loader == "grub" and uefi:
        yield (
            f"GRUB is declared for {booting.grub_device}, where only a BIOS finds it, but this machine booted with "
            "UEFI and could not boot the system; for UEFI, remove `boot_loader` and `grub_device`: the default is "
            "systemd-boot"
        )
