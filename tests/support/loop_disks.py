"""Loop devices over sparse files: real block devices for tests, which need root and clear up after themselves.

`disk` and `mounted` are fixtures: import them to use them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

MakeDisk = Callable[..., "LoopDisk"]
Mounter = Callable[[str], Path]


def run(*argv: object, check: bool = True, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a program, outside of everything that is tested."""
    return subprocess.run([str(word) for word in argv], input=stdin, capture_output=True, check=check)


def said(*argv: object) -> str:
    return run(*argv).stdout.decode("utf-8", "surrogateescape").strip()


_BLOCK = 1 << 20
_ROOM = 2 << 30
"""Bytes: far more than the images hold that are in memory at the same time; they are sparse."""


def extents(descriptor: int) -> Iterator[int]:
    """Where the blocks begin that are not all holes."""
    at = 0
    while True:
        try:
            at = os.lseek(descriptor, at, os.SEEK_DATA) // _BLOCK * _BLOCK
        except OSError:  # no more data
            return
        yield at
        at += _BLOCK


@dataclass(frozen=True)
class LoopDisk:
    """A loop device and the file behind it."""

    image: Path
    node: str

    def forget_partitions(self) -> None:
        """Take the kernel's partitions away. One that was in use a moment ago may be busy for a moment."""
        deadline = time.monotonic() + _PATIENCE
        while known := [
            int(found.read_text()) for found in Path("/sys/block").glob(f"{Path(self.node).name}/*/partition")
        ]:
            assert time.monotonic() < deadline, f"partitions {known} of {self.node} are still in use"
            for number in known:
                run("partx", "--delete", "--nr", f"{number}:{number}", self.node, check=False)

    def partition(self, number: int) -> str:
        """The node of a partition; 0: of the disk itself."""
        return f"{self.node}p{number}" if number else self.node

    def sfdisk(self, script: str) -> None:
        """Lay it out by hand, and tell the kernel."""
        run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", self.node, stdin=script.encode())
        run("partx", "--update", "--nr", "1:16", self.node)

    def digest(self) -> str:
        """What every byte of the image comes to; the holes in it, and zeros, are passed over."""
        run("sync", self.node)
        found = hashlib.sha256()
        with self.image.open("rb") as file:
            for at in extents(file.fileno()):
                file.seek(at)
                if (block := file.read(_BLOCK)).strip(b"\0"):
                    found.update(at.to_bytes(8, "big") + block)
        return found.hexdigest()

    def writes(self) -> int:
        """How many sectors have been written to it."""
        return int(Path(f"/sys/block/{Path(self.node).name}/stat").read_text().split()[6])

    def put(self, at: int, data: bytes) -> None:
        """Write bytes to it; counted from its end where ``at`` is negative."""
        with Path(self.node).open("r+b") as file:
            file.seek(at, 0 if at >= 0 else 2)
            file.write(data)
        run("sync", self.node)
        run("blockdev", "--flushbufs", self.node)

    def resize(self, size: str) -> None:
        run("truncate", "--size", size, self.image)
        run("losetup", "--set-capacity", self.node)


def attach(image: Path, size: str, *, sector: int = 512, read_only: bool = False) -> LoopDisk:
    """A blank disk over a new file."""
    run("truncate", "--size", size, image)
    options = ["--read-only"] if read_only else []
    disk = LoopDisk(image, said("losetup", "--find", "--show", "--sector-size", sector, *options, image))
    # What another device of this name has left: partitions, and a mark that it is read-only.
    disk.forget_partitions()
    run("blockdev", "--setro" if read_only else "--setrw", disk.node)
    return disk


_PATIENCE = 60.0
"""Seconds for which a passer-by who scans all disks may have one open, or a run that has a copy of our mounts."""


def released(node: str) -> None:
    """Wait until nothing uses a device: a copy of our mounts, in another process's namespace, keeps it mounted."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            os.close(os.open(node, os.O_RDONLY | os.O_EXCL))
            return
        except OSError:
            assert time.monotonic() < deadline, f"something still uses {node}"
            time.sleep(0.05)


def take_away(disk: LoopDisk) -> None:
    """Let go of the loop device. Raises where somebody keeps it: it would falsify every test that follows."""
    disk.forget_partitions()
    run("blockdev", "--setrw", disk.node, check=False)
    run("losetup", "--detach", disk.node)  # of one that is open it only says that it will, and ends with 0
    deadline = time.monotonic() + _PATIENCE
    while _backing(disk.node).startswith(str(disk.image)):
        assert time.monotonic() < deadline, f"{disk.node} is still attached to {disk.image}: somebody uses it"
        time.sleep(0.05)


def _backing(node: str) -> str:
    """The file behind a loop device, as sysfs has it, with a remark where it was deleted; empty: it is free."""
    try:
        return Path(f"/sys/block/{Path(node).name}/loop/backing_file").read_text()
    except OSError:  # ENOENT, or ENODEV if it was detached between open(2) and read(2)
        return ""


@contextmanager
def in_memory(name: str) -> Iterator[Path]:
    """A directory for images, in memory where there is room: a run waits for its disk many times."""
    shm = Path("/dev/shm")
    roomy = shm.is_dir() and shutil.disk_usage(shm).free > _ROOM
    with tempfile.TemporaryDirectory(prefix=f"subfloor-{name}-", dir=shm if roomy else None) as made:
        yield Path(made)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[MakeDisk]:
    """Makes a blank disk of a size; ``sector`` in bytes."""
    with in_memory(tmp_path.name) as images, ExitStack() as stack:

        def make(size: str = "512MiB", *, sector: int = 512, read_only: bool = False) -> LoopDisk:
            image = images / f"{len(list(images.iterdir()))}.img"
            made = attach(image, size, sector=sector, read_only=read_only)
            stack.callback(take_away, made)
            return made

        yield make


@pytest.fixture
def mounted(tmp_path: Path, disk: MakeDisk) -> Iterator[Mounter]:
    """Mounts a device for the time of the test. (It asks for ``disk`` to be taken down before that.)"""
    with ExitStack() as stack:

        def mount(node: str) -> Path:
            at = tmp_path / f"mnt-{node.rpartition('/')[2]}"
            at.mkdir()
            run("mount", node, at)
            stack.callback(run, "umount", at, check=False)
            return at

        yield mount
