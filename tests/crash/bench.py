"""A layout on a disk of its own: a loop device of the running kernel, which is taken away for certain.

Runs go through the command line, each in a fork; what they come to is judged by `disk_oracle`.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from crash.forked import Ran, subfloor
from crash.layouts import LAYOUTS, PLAYBOOKS, Layout
from disk_oracle import faults, portrait
from loop_disks import LoopDisk, attach, in_memory, run, said, take_away
from subfloor.playbook.job import Request, read_job

MIB = 1 << 20
SIZE = "512MiB"
"""Of a disk on which others had their room too."""

READY = {layout.name: layout for layout in LAYOUTS if layout.name in ("nixos-tmpfs-root", "ext4-root", "data-disk")}
"""The playbooks that are ready to use, of which the tasks on disks are tried."""

CLONE_NEWNS = 0x20000
"""From linux/sched.h: a mount namespace (unshare(2))."""

SEED = f"bench-{os.getpid()}"
"""Another in each process: mkfs.btrfs refuses a UUID that any disk has, be it that of a test which runs beside."""


@dataclass(frozen=True)
class Bench:
    """A layout, and a disk to try it on."""

    layout: Layout
    disk: LoopDisk
    seed: str = SEED

    def command(self, name: str, *more: str) -> list[str]:
        """A command line of subfloor: ``name`` is check or apply."""
        return [name, *self.layout.arguments(self.disk, self.seed)[1:], *more]

    def ran(self, name: str, *more: str) -> Ran:
        return subfloor(*self.command(name, *more))

    def blank(self) -> None:
        """Make the disk blank, and the kernel forget its partitions."""
        self.disk.forget_partitions()
        # A loop device that was once over another device may not discard any more (its queue's limit stays 0).
        if run("blkdiscard", "--force", self.disk.node, check=False).returncode:
            run("blkdiscard", "--force", "--zeroout", self.disk.node)

    def portrait(self) -> str:
        return portrait(self.disk)

    def judge(self) -> None:
        """All of the layout is there, finished, sound and empty, and nothing else is."""
        assert faults(self.disk, self.layout.parts) == []


@cache
def warm() -> None:
    """Read a playbook once in this process, without a run, so that its forks need not compile it again."""
    read_job(Request(PLAYBOOKS / "nixos-tmpfs-root.yml", extra=("disk=/dev/vda",)))


@cache
def apart() -> None:
    """Put this process into a mount namespace of its own, for good.

    Whoever makes a namespace of another process's mounts keeps its devices busy for as long as that one lasts. So
    nobody is to have this one's; and this one is not to have what tests that run beside have mounted just now.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(CLONE_NEWNS) == 0, os.strerror(ctypes.get_errno())
    run("mount", "--make-rslave", "/")
    for line in reversed(said("findmnt", "-rno", "SOURCE,TARGET").splitlines()):
        source, target = line.split(" ", 1)
        if source.startswith("/dev/loop"):
            run("umount", "--lazy", target, check=False)


@contextmanager
def bench(layout: Layout, size: str = "", image: Path | None = None) -> Iterator[Bench]:
    """A layout on a disk that is blank, or a copy of an image; as small as the layout is, or of a size."""
    warm()
    apart()
    with in_memory("bench") as work:
        copy = work / "disk.img"
        if image:
            run("cp", "--sparse=always", "--reflink=auto", image, copy)
        disk = attach(copy, size or f"{layout.size}MiB")
        try:
            yield Bench(layout, disk)
        finally:
            take_away(disk)
