"""The way from a run on this machine to a shell in a guest, so that only its commands are emulated.

As a program: `guest_shell.py SOCKET PROGRAM…` runs the program in the guest that listens at SOCKET.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import struct
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from subfloor import rehearse
from subfloor.rehearse import agent

_CHUNK = 1 << 16
_LENGTH = struct.Struct(">I")


@contextmanager
def listening(machine: rehearse.Machine) -> Iterator[tuple[str, ...]]:
    """Serve shells in the guest, one at a time; the argv that leads to one."""
    with tempfile.TemporaryDirectory(prefix="guest-", dir="/tmp") as work, socket.socket(socket.AF_UNIX) as server:
        path = str(Path(work) / "socket")
        server.bind(path)
        server.listen()
        thread = threading.Thread(target=_serve, args=(machine, server), daemon=True)
        thread.start()
        yield (sys.executable, __file__, path)
        server.shutdown(socket.SHUT_RDWR)
        thread.join(60)


def _serve(machine: rehearse.Machine, server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:  # it was shut down
            return
        with connection:
            _one(machine, connection)


def _one(machine: rehearse.Machine, connection: socket.socket) -> None:
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    argv = json.loads(_exactly(connection, length))
    status = machine.connect(
        argv, connection.fileno(), lambda kind, payload: connection.sendall(agent.frame(kind, payload))
    )
    connection.sendall(agent.frame(agent.EXIT, b"%d" % status))


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        data += connection.recv(length - len(data))
    return data


def _forward(path: str, argv: list[str]) -> int:
    frames, asked = agent.Frames(), json.dumps(argv).encode()
    with socket.socket(socket.AF_UNIX) as guest, selectors.DefaultSelector() as ready:
        guest.connect(path)
        guest.sendall(_LENGTH.pack(len(asked)) + asked)
        ready.register(0, selectors.EVENT_READ)
        ready.register(guest, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fd == 0:
                    if data := os.read(0, _CHUNK):
                        guest.sendall(data)
                    else:
                        ready.unregister(0)
                        guest.shutdown(socket.SHUT_WR)
                    continue
                for kind, payload in frames.feed(guest.recv(_CHUNK)):
                    if kind == agent.EXIT:
                        return int(payload)
                    _write(1 if kind == agent.OUTPUT else 2, payload)


def _write(stream: int, data: bytes) -> None:
    while data:
        data = data[os.write(stream, data) :]


if __name__ == "__main__":
    sys.exit(_forward(sys.argv[1], sys.argv[2:]))
