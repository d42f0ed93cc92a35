"""The agent that runs in the guest, and the protocol between it and the host.

The agent is a single file that uses only the standard library, because it is copied into the guest and run alone.
The host imports the protocol from here, so it is defined once. A serial console would mix the output of the kernel
with that of commands, so the agent has its own virtio port.

A frame is a kind (one byte), a length (four bytes, big-endian), and that many bytes.
From the host: RUN (JSON), INPUT (an empty frame ends the input), KILL (one byte: the signal).
From the guest: HELLO, OUTPUT, ERROR, EXIT (a decimal status). Every RUN is answered by exactly one EXIT.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RUN, INPUT, KILL = b"R", b"I", b"K"
HELLO, OUTPUT, ERROR, EXIT = b"H", b"O", b"E", b"X"
NOT_STARTED = 127  # the exit status of a command that could not be executed, as a shell gives it

_HEAD = struct.Struct(">cI")
CHUNK = 1 << 16  # bytes moved at once: the size of a pipe's buffer
_END_OF_FILE = b"\x04"  # Ctrl-D on a terminal


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """The bytes of one frame."""
    return _HEAD.pack(kind, len(payload)) + payload


class Frames:
    """Splits a stream of bytes, fed in any pieces, into frames."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The frames that `data` completes; each is (kind, payload)."""
        self._held += data
        while len(self._held) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._held)
            end = _HEAD.size + length
            if len(self._held) < end:
                return
            payload, self._held = self._held[_HEAD.size : end], self._held[end:]
            yield kind, payload


class Port:
    """The guest's end of the connection. ``frames``: those that were received and not taken yet."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.frames: deque[tuple[bytes, bytes]] = deque()
        self._cutter = Frames()

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """Write one frame completely. Raises `OSError`."""
        data = memoryview(frame(kind, payload))
        while data:
            data = data[os.write(self.descriptor, data) :]

    def fill(self) -> None:
        """Wait for bytes. Raises `EOFError` if the host has disconnected."""
        data = os.read(self.descriptor, CHUNK)
        if not data:
            raise EOFError
        self.frames.extend(self._cutter.feed(data))

    def take(self) -> tuple[bytes, bytes]:
        """The next frame. Raises `EOFError` if the host has disconnected."""
        while not self.frames:
            self.fill()
        return self.frames.popleft()


class Job:
    """A started command, and the agent's ends of its streams. Raises `OSError` if it cannot be started."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.outputs: dict[int, bytes] = {}
        self._pending = bytearray()
        self._input_ended = False
        self._terminal = request["terminal"]
        self._start(request)
        self.ended = os.pidfd_open(self.process.pid)
        for descriptor in (self._input, *self.outputs):
            os.set_blocking(descriptor, False)

    def _start(self, request: dict[str, Any]) -> None:
        if self._terminal:
            ours, theirs = pty.openpty()
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", *self._terminal, 0, 0))
            self._mine, streams = [ours], [theirs, theirs, theirs]
            self._input, self.outputs = ours, {ours: OUTPUT}
        else:
            (in_end, self._input), (out, out_end), (err, err_end) = os.pipe(), os.pipe(), os.pipe()
            self._mine, streams = [self._input, out, err], [in_end, out_end, err_end]
            self.outputs = {out: OUTPUT, err: ERROR}
        try:
            self.process = subprocess.Popen(
                request["argv"], stdin=streams[0], stdout=streams[1], stderr=streams[2],
                cwd=request["cwd"], env=request["env"], start_new_session=True,
                preexec_fn=_take_terminal if self._terminal else None,
            )  # fmt: skip
        except OSError:
            self._close_all(self._mine)
            raise
        finally:
            self._close_all(streams)

    @staticmethod
    def _close_all(descriptors: list[int]) -> None:
        for descriptor in set(descriptors):
            os.close(descriptor)

    def obey(self, kind: bytes, payload: bytes) -> None:
        """Process a frame from the host: KILL or INPUT."""
        if kind == KILL:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, payload[0])
        elif kind == INPUT and payload:
            self._pending += payload
        elif kind == INPUT:
            self._input_ended = True
            self._pending += _END_OF_FILE if self._terminal else b""

    def wants_to_write(self) -> list[int]:
        """The descriptor to wait for; none if there is no input to pass on. Closes it after the last input."""
        if not self._pending and self._input_ended and not self._terminal:
            self._close_input()
        return [self._input] if self._pending and self._input >= 0 else []

    def write(self) -> None:
        """Pass on as much input as the command accepts now."""
        try:
            del self._pending[: os.write(self._input, self._pending)]
        except BlockingIOError:
            pass
        except OSError:  # the command reads no more: the rest of the input is dropped
            self._pending.clear()
            self._input_ended = True

    def _close_input(self) -> None:
        if self._input >= 0:
            self._mine.remove(self._input)
            os.close(self._input)
            self._input = -1

    def read(self, descriptor: int) -> bytes | None:
        """The bytes that the command has written; None if there are none now, or the stream has ended."""
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return None
        except OSError:  # a terminal whose other side is closed
            data = b""
        if not data:
            del self.outputs[descriptor]
        return data or None

    def finish(self) -> int:
        """Wait for the process and close everything; returns its exit status, or minus the number of its signal."""
        status = self.process.wait()
        self._close_all([*self._mine, self.ended])
        return status


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def run(port: Port, request: dict[str, Any]) -> None:
    """Run one command to its end, and pass on its streams as they come."""
    try:
        job = Job(request)
    except OSError as error:
        port.send(ERROR, f"{request['argv'][0]}: {error}\n".encode())
        port.send(EXIT, b"%d" % NOT_STARTED)
        return
    try:
        while not _pass_on(port, job):
            pass
    except EOFError:
        job.obey(KILL, bytes([signal.SIGKILL]))
        raise
    # The process has ended; its pipes may still hold output. A process that it left running may keep
    # them open and write more, so this does not wait for their end.
    for descriptor, kind in tuple(job.outputs.items()):
        while (data := job.read(descriptor)) is not None:
            port.send(kind, data)
    port.send(EXIT, b"%d" % job.finish())


def _pass_on(port: Port, job: Job) -> bool:
    """Wait for the next input or output and pass it on; returns whether the process has ended."""
    while port.frames:
        job.obey(*port.frames.popleft())
    waiting = [port.descriptor, job.ended, *job.outputs]
    readable, writable, _ = select.select(waiting, job.wants_to_write(), [])
    if port.descriptor in readable:
        port.fill()
    if writable:
        job.write()
    for descriptor in [each for each in readable if each in job.outputs]:
        kind = job.outputs[descriptor]
        if (data := job.read(descriptor)) is not None:
            port.send(kind, data)
    return job.ended in readable


def open_port(name: str) -> Port:
    """The virtio port of that name, after the host has connected. Raises `LookupError` if there is none."""
    for directory in Path("/sys/class/virtio-ports").glob("*"):
        if (directory / "name").read_text().strip() == name:
            descriptor = os.open(f"/dev/{directory.name}", os.O_RDWR)
            watch = select.poll()
            watch.register(descriptor, 0)
            while watch.poll(0):  # POLLHUP: not connected yet
                time.sleep(0.01)
            return Port(descriptor)
    raise LookupError(f"the machine has no port named {name}")


def serve(port: Port) -> None:
    """Run the commands that the host sends, one after another, until it disconnects."""
    port.send(HELLO)
    try:
        while True:
            kind, payload = port.take()
            if kind == RUN:
                run(port, json.loads(payload))
    except EOFError:
        return


if __name__ == "__main__":
    serve(open_port(sys.argv[1]))
