"""Run commands in a started guest, and end it.

One boot is enough for any number of commands, one after another. Every wait has a deadline. A guest that misses a
deadline is ended, and the error contains the end of the guest's console output.
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
import termios
import time
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess

from subfloor.rehearse import agent
from subfloor.rehearse.model import CommandTimeout, GuestLost

_KILL_GRACE = 20.0  # seconds until a killed command must have ended; after that the guest counts as hung
_CONSOLE_TAIL = 4000  # bytes of the console that an error shows

_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}


class Machine:
    """A started guest. It ends with the `with` block that made it.

    `images`: the image files of its disks, by the name of the device in the guest; `console`: the log of its console.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], wire: socket.socket, console: Path, images: Mapping[str, Path]
    ) -> None:
        self._process = process
        self._wire = wire
        self._wire.setblocking(False)
        self._frames = agent.Frames()
        self._unsent = bytearray()
        self._status = 0
        self.console = console
        self.images = images

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

        `output` receives standard output and error as they come. `env` is added to a minimal environment.
        A negative status is a signal; 127 means that the command could not be started. Raises `CommandTimeout` if the
        command takes too long (its process group is killed first), and `GuestLost`.
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
        """Run a command on this process's terminal, without a deadline; returns its exit status."""
        size = shutil.get_terminal_size()
        term = {"TERM": os.environ.get("TERM", "dumb")}
        self._ask(argv, cwd, {**term, **(env or {})}, terminal=(size.lines, size.columns))
        with _raw_terminal() as keys:
            return self._pass_on(keys, lambda _, payload: os.write(1, payload))

    def connect(self, argv: Sequence[str], stream: int, output: Callable[[bytes, bytes], object]) -> int:
        """Run a command whose input comes from this descriptor, without a deadline; returns its exit status.

        The command must end when its input does. ``output`` receives `agent.OUTPUT` or `agent.ERROR`, and bytes.
        """
        self._ask(argv, "/", None)
        return self._pass_on(stream, output)

    def _pass_on(self, stream: int, output: Callable[[bytes, bytes], object]) -> int:
        while True:
            for kind, payload in self._receive(None, stream):
                if kind == agent.EXIT:
                    return int(payload)
                output(kind, payload)

    def power_off(self, timeout: float = 30.0) -> None:
        """Make the guest flush its disks and end; `timeout` in seconds. Raises `GuestLost` if it does not end."""
        self._wire.shutdown(socket.SHUT_RDWR)
        self.wait(timeout)

    def wait(self, timeout: float) -> None:
        """Wait until the guest ends by itself; `timeout` in seconds. Raises `GuestLost` if it does not end."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.cut_power()
            raise self._lost(f"The guest did not stop within {timeout:g} s") from None

    def cut_power(self) -> None:
        """End the guest at once, like a power cut; its disks stay as they are."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the guest if it still runs, and close the connection to it."""
        self.cut_power()
        self._wire.close()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def wait_for_agent(self, timeout: float) -> None:
        """Wait until commands can be run; `timeout` in seconds. Raises `GuestLost`."""
        deadline = time.monotonic() + timeout
        while not any(kind == agent.HELLO for kind, _ in self._receive(deadline)):
            if time.monotonic() >= deadline:
                self.cut_power()
                raise self._lost(f"The guest did not start within {timeout:g} s, and was ended")

    def console_tail(self) -> str:
        """The end of the guest's console output."""
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
        """Send input to the command; empty data ends the input."""
        self._unsent += agent.frame(agent.INPUT, data)

    def _until_exit(
        self, timeout: float, argv: Sequence[str], said: Mapping[bytes, list[bytes]]
    ) -> Iterator[tuple[bytes, bytes]]:
        """The frames of the running command until its exit; sets `_status`. Kills the command at its deadline."""
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
                raise self._lost(f"{' '.join(argv)}: could not be killed: the guest no longer answered, and was ended")
            killed = True
            deadline = time.monotonic() + _KILL_GRACE
            self._unsent += agent.frame(agent.KILL, bytes([signal.SIGKILL]))

    def _receive(self, deadline: float | None, keys: int | None = None) -> list[tuple[bytes, bytes]]:
        """Send unsent data, or wait for frames until the deadline; returns the received frames. Raises `GuestLost`."""
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
            raise self._lost("The guest has stopped")
        return list(self._frames.feed(data))

    def _end(self) -> None:
        """The connection is closed, so QEMU is ending: give it time to print the reason."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self.cut_power()

    def _lost(self, problem: str) -> GuestLost:
        said = self._process.stderr.read().decode(errors="replace").strip() if self._process.stderr else ""
        return GuestLost(
            f"{problem}\n{said}".strip() if said else problem,
            self.console_tail(),
            advice="Try again with a longer deadline or more memory; if that fails, see the console above",
        )


@contextmanager
def _raw_terminal() -> Iterator[int]:
    """Standard input in raw mode, so that every key is passed on; restored afterwards."""
    if not sys.stdin.isatty():
        yield 0
        return
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield 0
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
