"""Records every write of a whole run, at two grains: as the disk sees them, and as the programs make them.

The disk's: qemu-storage-daemon offers a file whose writes and flushes go through its blklogwrites driver, and
a loop device over that file is the disk. The programs': strace tells their calls. A recording is believed
only if it makes the very disk that the run made, when it is replayed.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from crash import blklog, strace_writes
from crash.content import Content, Event, load
from crash.forked import subfloor
from crash.layouts import Layout
from disk_oracle import faults, label_id, mounted, portrait
from loop_disks import LoopDisk, attach, run, said, take_away


@dataclass(frozen=True)
class Recording:
    """A run of a layout: the disk before, all that was written, and what it came to."""

    layout: Layout
    seed: str
    before: Content
    events: tuple[Event, ...]
    portrait: str
    label_id: str


Record = Callable[[Layout, str, Path], Recording]


def programs(layout: Layout, seed: str, work: Path) -> Recording:
    """As the programs make them: the states that a SIGKILL can leave."""
    image, before = _prepared(layout, seed, work)
    with _attached(image) as disk, _neighbour(disk, layout):
        trace = work / "trace"
        nodes = [disk.node, *map(disk.partition, range(1, 5))]
        starts = _starts(disk)
        done = run(
            *("strace", "-f", "-qq", "-y", "-xx", "--seccomp-bpf", "-e", f"trace={strace_writes.CALLS}"),
            *("-e", "signal=none", "-e", "abbrev=none", "-s", 1 << 26, "-o", trace),
            *(word for node in nodes for word in ("-P", node)),
            *(sys.executable, "-m", "subfloor", *_consenting(layout, disk, seed)),
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        with trace.open() as lines:
            events = tuple(strace_writes.events(lines, {**starts, **_starts(disk)}))
        trace.unlink()
    return _recorded(layout, seed, image, before, events)


def the_disk(layout: Layout, seed: str, work: Path) -> Recording:
    """As the disk sees them, flushes among them: the states that a power cut can leave."""
    image, before = _prepared(layout, seed, work)
    log = work / "log"
    with _logged(image, log) as export, _attached(export) as disk, _neighbour(disk, layout):
        done = subfloor(*_consenting(layout, disk, seed))
        assert done.status == 0, done.said
    events = tuple(blklog.parse(log.read_bytes()))
    log.unlink()
    return _recorded(layout, seed, image, before, events)


def _prepared(layout: Layout, seed: str, work: Path) -> tuple[Path, Content]:
    """The image with what is on the disk before."""
    image = work / "image"
    disk = attach(image, f"{layout.size}MiB")
    try:
        layout.before(layout, disk, seed)
        run("sync", disk.node)
    finally:
        take_away(disk)
    return image, load(image)


def _recorded(layout: Layout, seed: str, image: Path, before: Content, events: tuple[Event, ...]) -> Recording:
    """The recording, if replayed it is the run, and if the run came to what it should. Takes the image away."""
    assert before.copy().replay(events).digest == load(image).digest, "not all that was written was recorded"
    with _attached(image) as disk:
        run("partx", "--update", disk.node, check=layout.parts[0].number > 0)
        found = faults(disk, layout.parts)
        assert not found, found
        recording = Recording(layout, seed, before, events, portrait(disk), label_id(disk))
    image.unlink()
    return recording


def _consenting(layout: Layout, disk: LoopDisk, seed: str) -> list[str]:
    return [*layout.arguments(disk, seed), *(("--destroy", disk.node) if layout.destroys else ())]


def _starts(disk: LoopDisk) -> Mapping[str, int]:
    """Where each node begins on the disk, in bytes."""
    table = run("sfdisk", "--dump", disk.node, check=False).stdout.decode()
    found = re.findall(r"^(\S+) : start= *(\d+)", table, re.MULTILINE)
    return {disk.node: 0, **{node: int(start) * 512 for node, start in found}}


@contextlib.contextmanager
def _attached(file: Path, *options: str) -> Iterator[LoopDisk]:
    disk = LoopDisk(file, said("losetup", "--find", "--show", *options, file))
    disk.forget_partitions()
    try:
        yield disk
        run("sync", disk.node)
    finally:
        disk.forget_partitions()
        run("losetup", "--detach", disk.node)


@contextlib.contextmanager
def _neighbour(disk: LoopDisk, layout: Layout) -> Iterator[None]:
    """Something on the disk is in use meanwhile. Read-only: else it writes by itself."""
    if not layout.mounted:
        yield
        return
    run("partx", "--update", disk.node)
    with mounted(disk.partition(layout.mounted), layout.parts[layout.mounted - 1].type):
        yield


@contextlib.contextmanager
def _logged(image: Path, log: Path) -> Iterator[Path]:
    """A file that is the image, and whose writes and flushes are logged.

    The loop device over it must do without direct I/O: then a request waits for the one before it. Several at
    once are more than the export of QEMU 7.2 can bear (it polls within a write, whose buffer is then reused).
    """
    export = log.with_name("export")
    for file in (export, log):
        file.touch()
    daemon = subprocess.Popen(
        [
            "qemu-storage-daemon",
            *("--blockdev", f"driver=file,node-name=image,filename={image}"),
            *("--blockdev", f"driver=file,node-name=log,filename={log}"),
            "--blockdev",
            "driver=blklogwrites,node-name=logged,file=image,log=log,log-append=off,log-sector-size=512",
            "--export",
            f"type=fuse,id=export,node-name=logged,mountpoint={export},growable=off,writable=on",
        ]
    )
    try:
        _await(lambda: export.stat().st_size == image.stat().st_size)
        yield export
    finally:
        daemon.terminate()
        daemon.wait(30)
        run("umount", "--lazy", export, check=False)
        export.unlink(missing_ok=True)


def _await(there: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline, "qemu-storage-daemon did not offer its file"
        time.sleep(0.02)
