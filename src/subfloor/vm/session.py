"""Start a guest and talk to it: the part that touches the world.

One boot serves any number of commands, one after another. Everything that can wait has a deadline,
and a guest that misses one is ended; what it last said on its console comes with the error.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Literal

from subfloor.vm import accel, agent, initrd, scripts
from subfloor.vm.kernel import early_modules, quick_start
from subfloor.vm.model import CommandTimeout, Disk, Firmware, Guest, GuestLost, VmError
from subfloor.vm.places import tool
from subfloor.vm.qemu import QEMU, Wiring, disk_argv, kernel_argv

BOOT_DEADLINE = 180.0  # seconds; emulated on a loaded host a boot takes several times its usual 5
_KILL_GRACE = 20.0  # seconds for a killed command to be gone, then the guest counts as hung
_CONSOLE_TAIL = 4000  # bytes of it that an error shows

_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}


class Machine:
    """A guest that has booted. Ends with the `with` that made it."""

    def __init__(self, process: subprocess.Popen[bytes], wire: socket.socket, wiring: Wiring) -> None:
        self._process = process
        self._wire = wire
        self._frames = agent.Frames()
        self._unsent = bytearray()
        self.images = wiring.images
        self.console = wiring.console

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 60.0,
        cwd: str = "/",
        env: Mapping[str, str] | None = None,
        output: Callable[[bytes], None] | None = None,
    ) -> CompletedProcess[bytes]:
        """Run a command as root and wait for its end; `timeout` in seconds.

        `output` is given standard output and error as they come. `env` is added to a plain environment.
        A status below 0 is a signal; 127 a command that could not be started. Raises `CommandTimeout`
        after killing the command's process group, and `GuestLost`.
        """
        self._ask(argv, cwd, env)
        for start in range(0, len(stdin), agent.CHUNK):
            self._put(stdin[start : start + agent.CHUNK])
        self._put(b"")
        said: dict[bytes, list[bytes]] = {agent.OUTPUT: [], agent.ERROR: []}
        for kind, payload in self._until_exit(timeout, argv, said):
            said[kind].append(payload)
            if output is not None:
                output(payload)
        return CompletedProcess(list(argv), self._status, b"".join(said[agent.OUTPUT]), b"".join(said[agent.ERROR]))

    def interact(self, argv: Sequence[str], *, cwd: str = "/", env: Mapping[str, str] | None = None) -> int:
        """Run a command on this process's terminal, without a deadline; its exit status."""
        size = shutil.get_terminal_size()
        term = {"TERM": os.environ.get("TERM", "dumb")}
        self._ask(argv, cwd, {**term, **(env or {})}, terminal=(size.lines, size.columns))
        with _raw_terminal() as keys:
            while True:
                for kind, payload in self._receive(None, keys):
                    if kind == agent.EXIT:
                        return int(payload)
                    os.write(1, payload)

    def power_off(self, timeout: float = 30.0) -> None:
        """Let the guest flush its disks and end. Raises `GuestLost` where it does not."""
        self._wire.shutdown(socket.SHUT_RDWR)
        self.wait(timeout)

    def wait(self, timeout: float) -> None:
        """Wait for the guest to end by itself. Raises `GuestLost` where it does not."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.cut_power()
            raise self._lost(f"The guest did not end within {timeout:g} s") from None

    def cut_power(self) -> None:
        """End the guest at once, as a power cut would; its disks stay as they are."""
        self._process.kill()
        self._process.wait()
        self._wire.close()

    def wait_for_agent(self, timeout: float) -> None:
        """Wait until commands can be run. Raises `GuestLost`."""
        deadline = time.monotonic() + timeout
        while not any(kind == agent.HELLO for kind, _ in self._receive(deadline)):
            if time.monotonic() >= deadline:
                self.cut_power()
                raise self._lost(f"The guest did not start within {timeout:g} s, and was ended")

    def console_tail(self) -> str:
        """The end of what the guest said on its console."""
        with contextlib.suppress(OSError):
            return self.console.read_bytes()[-_CONSOLE_TAIL:].decode(errors="replace").strip()
        return ""

    def _ask(
        self, argv: Sequence[str], cwd: str, env: Mapping[str, str] | None,
        terminal: tuple[int, int] | None = None,
    ) -> None:  # fmt: skip
        request = {
            "argv": list(argv),
            "cwd": cwd,
            "env": {**_ENVIRONMENT, **(env or {})},
            "terminal": terminal,
        }
        self._unsent += agent.frame(agent.RUN, json.dumps(request).encode())

    def _put(self, data: bytes) -> None:
        """Input for the command; nothing is the end of it."""
        self._unsent += agent.frame(agent.INPUT, data)

    def _until_exit(
        self, timeout: float, argv: Sequence[str], said: Mapping[bytes, list[bytes]]
    ) -> Iterator[tuple[bytes, bytes]]:
        """The frames of the command that runs, up to its exit, which is kept. Kills it at its deadline."""
        deadline = time.monotonic() + timeout
        killed = False
        while True:
            for kind, payload in self._receive(deadline):
                if kind == agent.EXIT:
                    self._status = int(payload)
                    if killed:
                        stdout, stderr = (b"".join(said[each]) for each in (agent.OUTPUT, agent.ERROR))
                        raise CommandTimeout(tuple(argv), timeout, stdout, stderr)
                    return
                yield kind, payload
            if time.monotonic() < deadline:
                continue
            if killed:
                self.cut_power()
                raise self._lost(f"{' '.join(argv)}: could not be ended; the guest hung, and was ended")
            killed = True
            deadline = time.monotonic() + _KILL_GRACE
            self._unsent += agent.frame(agent.KILL, bytes([signal.SIGKILL]))

    def _receive(self, deadline: float | None, keys: int | None = None) -> list[tuple[bytes, bytes]]:
        """Send what is unsent and take what has come; nothing, at the deadline. Raises `GuestLost`."""
        waiting: list[socket.socket | int] = [self._wire] if keys is None else [self._wire, keys]
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            readable, writable, _ = select.select(waiting, [self._wire] if self._unsent else [], [], left)
            if writable:
                del self._unsent[: self._wire.send(self._unsent[: agent.CHUNK])]
            if keys in readable and keys is not None:
                self._put(os.read(keys, 1024))
            if self._wire not in readable:
                return []
            data = self._wire.recv(agent.CHUNK)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self._end()
            raise self._lost("The guest has ended")
        return list(self._frames.feed(data))

    def _end(self) -> None:
        """The wire is closed, so QEMU is ending: give it the time to say why."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self.cut_power()

    def _lost(self, problem: str) -> GuestLost:
        said = self._process.stderr.read().decode(errors="replace").strip() if self._process.stderr else ""
        return GuestLost(
            f"{problem}\n{said}".strip() if said else problem,
            self.console_tail(),
            advice="Try again with a longer deadline or more memory; failing that, the console says where it stood",
        )


@contextmanager
def _raw_terminal() -> Iterator[int]:
    """Standard input with every key passed on as it is; put back afterwards."""
    if not sys.stdin.isatty():
        yield 0
        return
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield 0
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextmanager
def boot(
    guest: Guest,
    *,
    workdir: Path | None = None,
    deadline: float = BOOT_DEADLINE,
    accelerator: Literal["auto", "kvm", "tcg"] = "auto",
    python: Sequence[str] = (sys.executable, "-I", "-S"),
) -> Iterator[Machine]:
    """A booted guest, ended with the `with`. Its images and console log are in `workdir`, or thrown away.

    `python` starts the interpreter that the agent runs in, as the guest sees it. Raises `VmError`.
    """
    with _workdir(workdir) as work:
        archive = work / "initrd"
        archive.write_bytes(make_initrd(guest, python))
        firmware = copy_firmware(work) if guest.firmware == "uefi" else None
        kernel = guest.kernel.image if firmware else quick_start(guest.kernel)
        wiring = _wiring(work, guest.disks, accelerator, firmware)
        with _started(lambda wired: kernel_argv(guest, kernel, archive, wired), wiring) as machine:
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
) -> Iterator[Machine]:
    """A machine that its UEFI firmware boots from its own disks: what a reboot after an installation finds.

    Whether an agent answers is up to what is installed: see `Machine.wait_for_agent`, `Machine.wait`.
    Raises `VmError`.
    """
    with _workdir(workdir) as work:
        wiring = _wiring(work, disks, accelerator, copy_firmware(work))
        with _started(lambda wired: disk_argv(disks, memory_mib, cpus, wired), wiring) as machine:
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
    """Boot, run one command, throw the guest away; its exit status. `deadline`, in seconds, is for it all."""
    began = time.monotonic()
    with boot(guest, workdir=workdir, deadline=deadline) as machine:
        left = deadline - (time.monotonic() - began)
        return machine.run(argv, timeout=left, cwd=cwd, env=env, output=output).returncode


def make_initrd(guest: Guest, python: Sequence[str]) -> bytes:
    """The guest's initrd. Raises `NoTool` without a busybox."""
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


def copy_firmware(work: Path) -> Firmware:
    """UEFI firmware, with variables of the machine's own. Raises `VmError` where there is none."""
    for name in (
        "/usr/share/OVMF/OVMF_{}_4M.fd",
        "/usr/share/OVMF/OVMF_{}.fd",
        "/usr/share/edk2/x64/OVMF_{}.4m.fd",
    ):
        code, variables = Path(name.format("CODE")), Path(name.format("VARS"))
        if code.exists() and variables.exists():
            own = work / "efi-variables.fd"
            shutil.copyfile(variables, own)
            return Firmware(code, own)
    raise VmError(
        "There is no UEFI firmware for virtual machines here (OVMF)",
        advice="Install it (on Debian: apt-get install ovmf) and try again",
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
def _started(argv: Callable[[Wiring], list[str]], wiring: Wiring) -> Iterator[Machine]:
    ours, theirs = socket.socketpair()
    wired = Wiring(wiring.console, wiring.images, theirs.fileno(), wiring.accelerator, wiring.firmware)
    with contextlib.ExitStack() as stack:
        stack.callback(ours.close)
        with theirs:
            process = subprocess.Popen(
                [*_dies_with_us(), *argv(wired)], pass_fds=[theirs.fileno()], start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )  # fmt: skip
        ours.setblocking(False)
        machine = Machine(process, ours, wired)
        stack.callback(machine.cut_power)
        yield machine


def _dies_with_us() -> list[str]:
    """A prefix that ends QEMU when this process is killed. Without it only a guest that listens ends."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []
