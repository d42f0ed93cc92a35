"""A disk that fails one request, or every one from some request on.

QEMU's storage daemon serves an image through its `blkdebug` driver as a file (FUSE); a loop device makes a disk of
that file. `blkdebug` counts requests by going from state to state, and fails one when it has come to a state.
<https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html> (BlockdevOptionsBlkdebug)
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from loop_disks import LoopDisk, run, said, take_away

Request = Literal["read", "write", "flush"]

_EVENTS: dict[Request, str] = {"read": "read_aio", "write": "write_aio", "flush": "flush_to_disk"}
_EIO = 5
_DEADLINE = 120.0


@dataclass(frozen=True)
class Failing:
    """The Nth request of a kind fails, counted from 1; ``forever``: and all that follow."""

    request: Request
    number: int
    forever: bool

    def __str__(self) -> str:
        return f"{self.request} {self.number} fails{', and every one after it' if self.forever else ''}"

    def rules(self) -> str:
        """It as a file of rules for `blkdebug`."""
        event = _EVENTS[self.request]
        steps = [{"event": event, "state": n, "new_state": n + 1} for n in range(1, self.number)]
        once = "off" if self.forever else "on"
        error = {"event": event, "iotype": self.request, "state": self.number, "errno": _EIO, "once": once}
        return "".join([*(_section("set-state", step) for step in steps), _section("inject-error", error)])


def _section(name: str, values: dict[str, Any]) -> str:
    return "".join([f"[{name}]\n", *(f'{key} = "{value}"\n' for key, value in values.items())])


@contextmanager
def failing_disk(work: Path, image: Path, failing: Failing) -> Iterator[LoopDisk]:
    """The image as a disk with that fault. Raises at its end where something of it cannot be taken down."""
    export = work / "exported"
    export.write_bytes(b"")
    with _daemon(export, image, failing), _loop(export) as disk:
        yield disk


@contextmanager
def _daemon(export: Path, image: Path, failing: Failing | None, prefix: tuple[str, ...] = ()) -> Iterator[None]:
    rules = export.with_suffix(".rules")
    rules.write_text(failing.rules() if failing else "")
    chain: list[dict[str, Any]] = [
        {"driver": "file", "node-name": "file", "filename": str(image), "discard": "unmap"},
        {"driver": "blkdebug", "node-name": "faulty", "image": "file", "config": str(rules), "discard": "unmap"},
        {
            "driver": "raw",
            "node-name": "disk",
            "file": "faulty",
            "discard": "unmap",
        },  # it is this one that tells blkdebug of requests
    ]
    served = {"type": "fuse", "id": "e", "node-name": "disk", "mountpoint": str(export), "writable": True}
    words = [word for each in chain for word in ("--blockdev", json.dumps(each))]
    daemon = subprocess.Popen([*prefix, "qemu-storage-daemon", *words, "--export", json.dumps(served)])
    try:
        _wait(lambda: export.stat().st_size == image.stat().st_size, "the export")
        yield
    finally:
        daemon.terminate()
        status = daemon.wait(_DEADLINE)
        left = run("findmnt", "--mountpoint", export, check=False).stdout
        assert status == 0 and not left, f"qemu-storage-daemon ended with {status}, and left {left!r}"


@contextmanager
def _loop(export: Path) -> Iterator[LoopDisk]:
    """A loop device on the export. (Writes by direct I/O to a FUSE file were seen to be lost.)"""
    disk = LoopDisk(export, said("losetup", "--find", "--show", export))
    try:
        yield disk
    finally:
        run("blockdev", "--flushbufs", disk.node, check=False)  # what cannot be written is to be lost
        take_away(disk)


@dataclass(frozen=True)
class Counted:
    """A disk that fails nothing, and the trace of what its daemon asks of the image: one call for each request."""

    disk: LoopDisk
    trace: Path

    def requests(self) -> dict[Request, int]:
        """How many requests of each kind the disk has had so far."""
        calls = self.trace.read_text()
        return {request: len(re.findall(pattern, calls)) for request, pattern in _CALLS.items()}


_CALLS: dict[Request, str] = {"read": r" pread(?:64|v)\(", "write": r" pwrite(?:64|v)\(", "flush": r" fdatasync\("}


@contextmanager
def counting_disk(work: Path, image: Path) -> Iterator[Counted]:
    """The image as a disk that counts. Raises at its end where something of it cannot be taken down."""
    export, trace = work / "exported", work / "requests"
    export.write_bytes(b"")
    calls = "trace=pread64,preadv,pwrite64,pwritev,fdatasync"
    strace = ("strace", "-D", "-f", "-qq", "-o", str(trace), "-e", calls, "-e", "signal=none")
    with _daemon(export, image, None, strace), _loop(export) as disk:
        yield Counted(disk, trace)


def _wait(true: Any, what: str) -> None:
    end = time.monotonic() + _DEADLINE
    while not true():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)
