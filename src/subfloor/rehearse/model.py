"""The values that describe a virtual machine, and the errors of starting and running one.

They are separate from the code that starts QEMU, so that a guest can be described, compared and tested without it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from subfloor.core.errors import SubfloorError

Accelerator = Literal["kvm", "tcg"]

_SERIAL_MAX = 20  # bytes; the limit of virtio-blk
_MEMORY_MIN = 512  # MiB
_NAME_OF_DRIVE = "abcdefghijklmnopqrstuvwxyz"


class VmError(SubfloorError):
    """The virtual machine could not be started, or has failed."""


class NoTool(VmError):
    """A program that the virtual machine needs is not installed."""


class NoKernel(VmError):
    """No kernel with modules was found, and none could be fetched."""


class GuestLost(VmError):
    """The guest hung or ended; the error contains the end of the guest's console output."""

    def __init__(self, what: str, console: str, *, advice: str) -> None:
        tail = console or "(the console is empty)"
        super().__init__(f"{what}. The end of its console:\n{tail}", advice=advice)
        self.console = console


class CommandTimeout(VmError):
    """A command in the guest ran past its deadline and was killed; the guest itself is alive."""

    def __init__(self, argv: tuple[str, ...], timeout: float, stdout: bytes, stderr: bytes) -> None:
        said = (stderr or stdout)[-2000:].decode(errors="replace")
        super().__init__(
            f"{' '.join(argv)}: did not end in the guest within {timeout:g} s and was killed. Its output:\n{said}",
            advice="Give it a longer deadline, or look at the guest while it runs",
        )
        self.argv = argv
        self.timeout = timeout
        self.stdout = stdout
        self.stderr = stderr


@dataclass(frozen=True)
class Disk:
    """A disk of the guest. Sizes are in bytes; an I/O hint of 0 means that the disk has no such hint.

    `image`: an existing raw image, used with the content that it has. None: a blank sparse file is made.
    """

    size: int = 0
    bus: Literal["virtio", "nvme"] = "virtio"
    sector: Literal[512, 4096] = 512
    serial: str = ""
    image: Path | None = None
    physical_sector: int = 0
    minimum_io: int = 0
    optimal_io: int = 0

    def __post_init__(self) -> None:
        if self.image is None and (self.size <= 0 or self.size % self.sector):
            raise ValueError(f"a disk of {self.size} bytes: give a positive multiple of {self.sector}")
        if len(self.serial) > _SERIAL_MAX or not re.fullmatch(r"[A-Za-z0-9._-]*", self.serial):
            raise ValueError(f"the serial number {self.serial!r}: give at most {_SERIAL_MAX} letters, digits, or . _ -")


@dataclass(frozen=True)
class Kernel:
    """A Linux kernel: its bootable image, and its directory /lib/modules/RELEASE."""

    image: Path
    modules: Path

    @property
    def release(self) -> str:
        """The release as in `uname -r`: the name of the directory of modules."""
        return self.modules.name


@dataclass(frozen=True)
class Guest:
    """A virtual machine that runs the host's own root, read-only under a memory overlay.

    `share` is the directory that becomes the guest's root; `udev` starts udevd in it. `firmware`
    "uefi" boots the same kernel through OVMF, so that the guest sees EFI variables (slower).
    `memory_mib` is in MiB; half of it is for everything that the guest writes outside its disks.
    """

    kernel: Kernel
    disks: tuple[Disk, ...] = ()
    memory_mib: int = 2048
    cpus: int = 2
    share: Path = Path("/")
    udev: bool = True
    firmware: Literal["bios", "uefi"] = "bios"

    def __post_init__(self) -> None:
        if self.memory_mib < _MEMORY_MIN:
            raise ValueError(f"a guest with {self.memory_mib} MiB of memory: give it {_MEMORY_MIN} or more")


@dataclass(frozen=True)
class Firmware:
    """UEFI firmware: the code (shared, read-only) and the machine's own writable copy of the variables."""

    code: Path
    variables: Path


def device_names(disks: Sequence[Disk]) -> tuple[str, ...]:
    """The path of each disk's device in the guest, in the order given."""
    names: list[str] = []
    virtio = nvme = 0
    for disk in disks:
        if disk.bus == "nvme":
            names.append(f"/dev/nvme{nvme}n1")
            nvme += 1
        else:
            names.append(f"/dev/vd{_NAME_OF_DRIVE[virtio]}")
            virtio += 1
    return tuple(names)
