"""Where a fault is tried: a loop device over a copy of what a disk was, and a directory to mount things under.

What is taken down is looked for afterwards: a mount or a loop device that stays is an error, since it would
falsify every test that follows.
"""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from disk_oracle import FSCK
from loop_disks import LoopDisk, attach, in_memory, run, said, take_away

_PATIENCE = 60.0
"""Seconds for which a passer-by who scans all disks may have one open."""

_numbers = itertools.count()

_BY_CHANCE = ("DEVNAME=", "UUID_SUB=", "PART_ENTRY_DISK=")
"""What blkid says that is another each time: the node and its number, and the UUID that btrfs gives the device."""


@dataclass(frozen=True)
class LoopCopy:
    """A disk, and where its filesystems are mounted."""

    disk: LoopDisk
    root: Path

    def mounts(self) -> list[str]:
        """What is mounted at the root, or under it: target, source, type."""
        found = run("findmnt", "-rno", "TARGET,SOURCE,FSTYPE").stdout.decode().splitlines()
        return sorted(line for line in found if line.startswith((f"{self.root}/", f"{self.root} ")))

    def unmount(self) -> None:
        """Raises where somebody keeps something busy: what were left mounted would be taken for a test's rubbish."""
        deadline = time.monotonic() + _PATIENCE
        while mounts := self.mounts():
            assert time.monotonic() < deadline, f"somebody uses {mounts}"
            for line in reversed(mounts):
                run("umount", line.split()[0], check=False)

    def picture(self) -> list[str]:
        """The disk and its mounts now, as other programs show them; without names of devices."""
        lines = said("sfdisk", "--dump", self.disk.node).splitlines() + self.mounts()
        for number in self.numbers():
            found = run("blkid", "-p", "-o", "export", self.disk.partition(number), check=False).stdout.decode()
            lines += [line for line in found.splitlines() if not line.startswith(_BY_CHANCE)]
        lines += said("find", self.root, "-not", "-name", "lost+found", "-printf", "%p %M\\n").splitlines()
        lines += run("grep", "-r", "^", self.root / "etc", check=False).stdout.decode().splitlines()
        return [line.replace(self.disk.node, "DISK").replace(str(self.root), "ROOT") for line in lines]

    def numbers(self) -> list[int]:
        nodes = said("sfdisk", "--dump", self.disk.node).splitlines()
        prefix = f"{self.disk.node}p"
        return [int(line.removeprefix(prefix).split(" ")[0]) for line in nodes if line.startswith(prefix)]

    def prove(self) -> None:
        """Hold the table and every filesystem against the programs that check them; unmounts them first."""
        self.unmount()
        assert "No errors detected" in said("sfdisk", "--verify", self.disk.node)
        for number in self.numbers():
            node = self.disk.partition(number)
            kind = run("blkid", "-p", "-o", "value", "-s", "TYPE", node, check=False).stdout.decode().strip()
            if kind in FSCK:
                checked = run(*FSCK[kind], node, check=False)
                assert checked.returncode == 0, f"{node} {kind}: {checked.stdout!r} {checked.stderr!r}"


@contextmanager
def loop_copy(work: Path, start: Path | None = None, size: str = "512MiB") -> Iterator[LoopCopy]:
    """A loop device over a copy of ``start``, or a blank disk. Taken down at the end; raises where it cannot be."""
    place = work / f"loop_copy-{next(_numbers)}"
    place.mkdir()
    with in_memory(place.name) as images:
        image = images / "disk.img"
        if start:
            run("cp", "--sparse=always", "--reflink=auto", start, image)
        made = LoopCopy(attach(image, "+0" if start else size), place / "root")
        made.root.mkdir()
        try:
            if start:
                run("partx", "--update", "--nr", "1:16", made.disk.node, check=False)
            yield made
        finally:
            made.unmount()
            take_away(made.disk)
            shutil.rmtree(place)
