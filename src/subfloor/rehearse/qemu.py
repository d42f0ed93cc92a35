"""Make QEMU's argument list for a guest. Pure: it reads no file and starts no process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from subfloor.rehearse.model import Accelerator, Disk, Firmware, Guest
from subfloor.rehearse.scripts import AGENT_PORT

QEMU = "qemu-system-x86_64"

# `panic=-1` with -no-reboot ends QEMU at once when the guest's kernel panics. Mitigations are slow
# under emulation. A guest needs none: it runs for minutes, and only programs that its user also runs on the host.
_KERNEL_OPTIONS = (
    "console=ttyS0", "quiet", "loglevel=4", "panic=-1", "mitigations=off", "nokaslr", "no_timer_check",
    "cryptomgr.notests", "random.trust_cpu=on", "audit=0", "net.ifnames=0",
)  # fmt: skip


@dataclass(frozen=True)
class Wiring:
    """What QEMU is connected to: the log of the console, the images of the disks, the agent's socket."""

    console: Path
    images: tuple[Path, ...]
    agent: int
    accelerator: Accelerator
    firmware: Firmware | None = None


def kernel_argv(guest: Guest, kernel: Path, initrd: Path, wiring: Wiring) -> list[str]:
    """The argv of QEMU that starts the file `kernel` directly, with shared root and modules."""
    return [
        *machine_argv(guest.memory_mib, guest.cpus, wiring),
        *disks_argv(guest.disks, wiring.images),
        *_share("root", guest.share),
        *_share("modules", guest.kernel.modules),
        *("-kernel", str(kernel)),
        *("-initrd", str(initrd)),
        *("-append", " ".join(_KERNEL_OPTIONS)),
    ]


def disk_argv(
    disks: Sequence[Disk], memory_mib: int, cpus: int, wiring: Wiring, shares: Mapping[str, Path] | None = None
) -> list[str]:
    """The argv of QEMU whose firmware boots from the disks, in their order. `shares`: directories to share, by tag."""
    return [
        *machine_argv(memory_mib, cpus, wiring),
        *disks_argv(disks, wiring.images, bootable=True),
        *(word for tag, path in (shares or {}).items() for word in _share(tag, path)),
    ]


def machine_argv(memory_mib: int, cpus: int, wiring: Wiring) -> list[str]:
    """The arguments for the machine without its disks: processor, memory, firmware, console, the agent's port."""
    return [
        QEMU,
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-machine", "q35", "-accel", wiring.accelerator),
        # An emulated processor with AVX is a fifth slower than one without, since the C library then uses AVX.
        *("-cpu", "host" if wiring.accelerator == "kvm" else "Westmere"),
        *("-smp", str(cpus), "-m", str(memory_mib)),
        *_firmware(wiring.firmware),
        *("-chardev", f"file,id=console,path={_escape(wiring.console)}", "-serial", "chardev:console"),
        *("-device", "virtio-rng-pci", "-device", "virtio-serial-pci"),
        *("-chardev", f"socket,id=agent,fd={wiring.agent}"),
        *("-device", f"virtserialport,chardev=agent,name={AGENT_PORT}"),
    ]


def disks_argv(disks: Sequence[Disk], images: Sequence[Path], bootable: bool = False) -> list[str]:
    """The arguments for all disks with their images, in order."""
    argv: list[str] = []
    for number, (disk, image) in enumerate(zip(disks, images, strict=True)):
        device = _disk_device(disk, number)
        if bootable:
            device += f",bootindex={number}"
        # A crash of the host is not rehearsed, so data that the guest has flushed may stay in the host's page cache.
        drive = f"file={_escape(image)},if=none,id=disk{number},format=raw,cache=unsafe,discard=unmap"
        argv += ["-drive", drive, "-device", device]
    return argv


def _disk_device(disk: Disk, number: int) -> str:
    kind = "nvme" if disk.bus == "nvme" else "virtio-blk-pci"
    serial = disk.serial or f"subfloor{number}"
    options = {
        "drive": f"disk{number}",
        "serial": serial,
        "logical_block_size": disk.sector,
        "physical_block_size": max(disk.physical_sector, disk.sector),
        "min_io_size": disk.minimum_io,
        "opt_io_size": disk.optimal_io,
    }
    return ",".join([kind, *(f"{key}={value}" for key, value in options.items() if value)])


def _share(tag: str, path: Path) -> list[str]:
    fsdev = f"local,id={tag},path={_escape(path)},security_model=none,readonly=on,multidevs=remap"
    return ["-fsdev", fsdev, "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]


def _firmware(firmware: Firmware | None) -> list[str]:
    if firmware is None:
        return []
    return [
        *("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={_escape(firmware.code)}"),
        *("-drive", f"if=pflash,unit=1,format=raw,file={_escape(firmware.variables)}"),
    ]


def _escape(path: Path) -> str:
    """A path escaped for QEMU's option parser: each comma is doubled."""
    return str(path).replace(",", ",,")
