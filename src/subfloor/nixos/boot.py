"""Whether a boot loader can start the system that a play lays out, on the machine as it was started."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from subfloor.core.errors import Refused
from subfloor.nixos.layout import ESP_PLACES, Layout
from subfloor.nixos.system import Loader


@dataclass(frozen=True)
class Booting:
    """The boot loader as it is declared, None where it is not; the layout; and GRUB's disk.

    ``bios_boot``: GRUB has a place on its disk.
    """

    loader: Loader | None
    grub_device: str
    layout: Layout
    bios_boot: bool


def has_place(disk: str, play: Iterable[object]) -> bool:
    """Whether GRUB can be embedded: on a GPT that the play makes only in a partition of type bios-boot.

    The gap after the first sector that it uses with an MBR belongs to the table (grub-install(8), "BIOS Boot
    Partition"). Of a disk whose table the play does not make nothing is known here.
    """
    tasks = [task for task in play if getattr(task, "device", None) == disk]
    makes = any(getattr(task, "key", "") == "gpt-label" for task in tasks)
    return not makes or any(getattr(task, "type", "") == "bios-boot" for task in tasks)


def check(booting: Booting, uefi: bool) -> None:
    """Raise ``Refused`` where the system would not start. ``uefi``: UEFI started the machine."""
    mounts_root = any(each.path == "/" for each in booting.layout.filesystems)
    if booting.loader == "grub":
        _check_grub(booting)
    if booting.loader is None and mounts_root and not booting.layout.esp:
        raise Refused(
            f"systemd-boot needs an EFI system partition, and the play mounts none (vfat at {', '.join(ESP_PLACES)})",
            advice="mount one; or, for a machine that starts by BIOS, give `boot_loader: grub` and `grub_device`; "
            "or give `boot_loader: none`, and declare the boot loader in local.nix",
        )
    if booting.loader is None and not uefi:
        raise Refused(
            "systemd-boot needs UEFI, and a BIOS started this machine (there is no /sys/firmware/efi)",
            advice="start it again by UEFI, if its setup (or the virtual machine's) lets you; else give "
            "`boot_loader: grub` and `grub_device`; or give `boot_loader: systemd-boot` if the disk will start in "
            "another machine",
        )


def _check_grub(booting: Booting) -> None:
    if not booting.bios_boot:
        raise Refused(
            f"GRUB has no place on {booting.grub_device}: on a GPT it needs a partition of type bios-boot",
            advice="add one, such as `aligned-partition: {type: bios-boot, size: 1MiB, raw: true, …}`",
        )
    if booting.layout.is_forgetful and not booting.layout.keeps("/boot"):
        raise Refused(
            "GRUB's files are in /boot, which does not outlive a boot here",
            advice="mount a partition at /boot, or keep it with `bind-persist`",
        )


def mismatch(booting: Booting, uefi: bool) -> Iterator[str]:
    """A warning where what is declared does not start a machine that was started like this one."""
    if booting.loader == "systemd-boot" and not uefi:
        yield (
            "systemd-boot is declared, and a BIOS started this machine (there is no /sys/firmware/efi): the system "
            "starts only in a machine with UEFI; else give `boot_loader: grub` and `grub_device`"
        )
    if booting.loader == "grub" and uefi:
        yield (
            f"GRUB is declared for {booting.grub_device}, where only a BIOS looks for it, and UEFI started this "
            "machine: the system does not start so; leave `boot_loader` and `grub_device` out for systemd-boot"
        )
