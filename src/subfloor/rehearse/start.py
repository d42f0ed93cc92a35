"""Start a guest: make what it boots from, connect it, and wait until it answers."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from subfloor.rehearse import accel, agent, initrd, scripts
from subfloor.rehearse.kernel import early_modules, quick_start
from subfloor.rehearse.model import Disk, Firmware, Guest, VmError, device_names
from subfloor.rehearse.places import install, tool
from subfloor.rehearse.qemu import QEMU, Wiring, disk_argv, kernel_argv
from subfloor.rehearse.session import Machine

BOOT_DEADLINE = 180.0  # seconds; emulated on a loaded host a boot takes several times its usual 5


@contextmanager
def boot(
    guest: Guest,
    *,
    workdir: Path | None = None,
    deadline: float = BOOT_DEADLINE,
    accelerator: Literal["auto", "kvm", "tcg"] = "auto",
    python: Sequence[str] = (sys.executable, "-I", "-S"),
) -> Iterator[Machine]:
    """A booted guest, which ends with the `with` block. Its images and console log are in `workdir`, or temporary.

    If a `workdir` is used again, disks without `Disk.image` are blank again, but the firmware's variables are kept.
    `deadline`, in seconds, is for the boot. `python` starts the agent's interpreter in the guest. Raises `VmError`.
    """
    with _workdir(workdir) as work:
        archive = work / "initrd"
        archive.write_bytes(make_initrd(guest, python))
        firmware = find_firmware(work) if guest.firmware == "uefi" else None
        kernel = guest.kernel.image if firmware else quick_start(guest.kernel)
        wiring = _wiring(work, guest.disks, accelerator, firmware)
        with _started(lambda wired: kernel_argv(guest, kernel, archive, wired), wiring, guest.disks) as machine:
            machine.wait_for_agent(deadline)
            yield machine


@contextmanager
def boot_from_disk(
    disks: Sequence[Disk],
    *,
    workdir: Path | None = None,
    memory_mib: int = 2048,
    cpus: int = 2,
    accelerator: Literal["auto", "kvm", "tcg"] = "auto",
    shares: Mapping[str, Path] | None = None,
) -> Iterator[Machine]:
    """A machine that UEFI firmware boots from the disks, like a reboot after an installation.

    `shares`: directories that the machine may mount read-only by 9p, by their tags.
    Whether an agent answers depends on the installed system: see `Machine.wait_for_agent`, `Machine.wait`.
    Raises `VmError`.
    """
    with _workdir(workdir) as work:
        wiring = _wiring(work, disks, accelerator, find_firmware(work))
        with _started(lambda wired: disk_argv(disks, memory_mib, cpus, wired, shares), wiring, disks) as machine:
            yield machine


def run(
    guest: Guest,
    argv: Sequence[str],
    *,
    deadline: float,
    output: Callable[[bytes], None] | None = None,
    cwd: str = "/",
    env: Mapping[str, str] | None = None,
    workdir: Path | None = None,
) -> int:
    """Boot, run one command, end the guest; returns the exit status. `deadline`, in seconds, is for all of it."""
    began = time.monotonic()
    with boot(guest, workdir=workdir, deadline=deadline) as machine:
        left = deadline - (time.monotonic() - began)
        return machine.run(argv, timeout=left, cwd=cwd, env=env, output=output).returncode


def make_initrd(guest: Guest, python: Sequence[str]) -> bytes:
    """The guest's initrd. Raises `NoTool` if there is no busybox."""
    kernel = guest.kernel
    modules = {path: (kernel.modules / path).read_bytes() for path in early_modules(kernel)}
    return initrd.build(
        tool("busybox").read_bytes(),
        modules,
        {
            "/init": scripts.init(kernel.release),
            "/stage2": scripts.stage2(guest, python),
            "/agent.py": Path(agent.__file__).read_bytes(),
        },
    )


def find_firmware(work: Path) -> Firmware:
    """UEFI firmware, with a copy of its variables in `work` for this machine. Raises `VmError` if there is none.

    SUBFLOOR_OVMF names a directory with OVMF_CODE.fd and OVMF_VARS.fd; the flake's package sets it.
    """
    told = os.environ.get("SUBFLOOR_OVMF")
    for name in (
        *((f"{told}/OVMF_{{}}.fd",) if told else ()),
        "/usr/share/OVMF/OVMF_{}_4M.fd",
        "/usr/share/OVMF/OVMF_{}.fd",
        "/usr/share/edk2/x64/OVMF_{}.4m.fd",
    ):
        code, variables = Path(name.format("CODE")), Path(name.format("VARS"))
        if code.exists() and variables.exists():
            own = work / "efi-variables.fd"
            if not own.exists():
                shutil.copyfile(variables, own)
            return Firmware(code, own)
    raise VmError(
        "UEFI firmware for virtual machines (OVMF) is not installed",
        advice=install("ovmf"),
    )


@contextmanager
def _workdir(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="subfloor-vm-") as name:
        yield Path(name)


def _wiring(
    work: Path, disks: Sequence[Disk], wanted: Literal["auto", "kvm", "tcg"], firmware: Firmware | None
) -> Wiring:
    tool(QEMU)
    images = tuple(_image(work / f"disk{number}.raw", disk) for number, disk in enumerate(disks))
    return Wiring(work / "console.log", images, agent=-1, accelerator=accel.choose(wanted), firmware=firmware)


def _image(path: Path, disk: Disk) -> Path:
    if disk.image is not None:
        return disk.image.absolute()
    with path.open("wb") as image:
        image.truncate(disk.size)
    return path


@contextmanager
def _started(argv: Callable[[Wiring], list[str]], wiring: Wiring, disks: Sequence[Disk]) -> Iterator[Machine]:
    ours, theirs = socket.socketpair()
    wired = replace(wiring, agent=theirs.fileno())
    with theirs:
        process = subprocess.Popen(
            [*_dies_with_us(), *argv(wired)], pass_fds=[theirs.fileno()], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
    images = dict(zip(device_names(disks), wiring.images, strict=True))
    machine = Machine(process, ours, wiring.console, images)
    with contextlib.closing(machine):
        yield machine


def _dies_with_us() -> list[str]:
    """A prefix that ends QEMU when this process is killed. Without it, only a guest with a running agent would end."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []
