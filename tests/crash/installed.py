"""A machine that a playbook has installed, with files on it: on a loop device and below a directory.

The playbook is kept as a list of tasks, so that a test can change it as a person would, and apply it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from crash.bench import MIB, Bench, bench
from crash.forked import Ran
from crash.layouts import Layout
from disk_oracle import Part, put_files
from loop_disks import extents, run, said

FILES = {"letter.txt": b"dear"}

Tasks = list[dict[str, Any]]
Change = Callable[[Tasks], Tasks]


def _partition(number: int, name: str, kind: str, size: str, type: str, label: str) -> Tasks:
    device = f"{{{{ disk | partition({number}) }}}}"
    return [
        {"aligned-partition": {"device": "{{ disk }}", "number": number, "name": name, "type": kind, "size": size}},
        {"mkfs": {"device": device, "type": type, "label": label}},
    ]


def _mount(number: int, path: str) -> dict[str, Any]:
    device = f"{{{{ disk | partition({number}) }}}}"
    return {"mount": {"source": device, "path": f"{{{{ root }}}}{path}", "type": "ext4", "options": ["noatime"]}}


DISK: Tasks = [
    {"wipefs": {"device": "{{ disk }}"}},
    {"gpt-label": {"device": "{{ disk }}"}},
    *_partition(1, "ESP", "esp", "36MiB", "vfat", "boot"),
    *_partition(2, "swap", "swap", "4MiB", "swap", "swap"),
    *_partition(3, "data", "linux", "24MiB", "ext4", "data"),
    *_partition(4, "nix", "linux", "48MiB", "ext4", "nixos"),
]
MOUNTS: Tasks = [
    {"tmpfs-mount": {"path": "{{ root }}", "size": "16MiB"}},
    _mount(4, "/nix"),
    _mount(3, "/data"),
    {"bind-persist": {"root": "{{ root }}", "path": "/etc/nixos"}},
    {"bind-persist": {"root": "{{ root }}", "path": "/var/log"}},
]
PARTS = (
    Part(1, "ESP", "vfat", "boot", "esp", FILES),
    Part(2, "swap", "swap", "swap", "swap"),
    Part(3, "data", "ext4", "data", files=FILES),
    Part(4, "nix", "ext4", "nixos", files=FILES),
)
PLACES = {1: range(1, 37), 2: range(37, 41), 3: range(41, 65), 4: range(65, 113)}
"""Which of the disk's MiB each partition has."""

SIZE = 176
"""Of the disk, in MiB: there is room behind the last partition."""


@dataclass(frozen=True)
class Installed:
    """What has been installed; ``work`` is where its playbooks are written, ``root`` where it is mounted."""

    place: Bench
    work: Path

    @property
    def root(self) -> Path:
        return self.work / "root"

    def ran(self, name: str, tasks: Tasks, *more: str, seed: str = "bench") -> Ran:
        """A playbook of these tasks, checked or applied; a disk's name in an option is put in its place."""
        play = self.work / "play.yml"
        play.write_text(yaml.safe_dump([{"name": "Changed", "hosts": "all", "seed": "{{ seed }}", "tasks": tasks}]))
        options = [each.format(disk=self.place.disk.node) for each in more]
        made = replace(self.place, layout=replace(self.place.layout, play=play), seed=seed)
        variables = self.root.with_suffix(".yml")  # a file may hold what not every play reads
        variables.write_text(json.dumps({"root": str(self.root)}))
        return made.ran(name, "-e", f"@{variables}", *options)

    def blocks(self) -> dict[int, bytes]:
        """The content of each MiB of the disk, by its number, except those that are all zeros."""
        run("sync", self.place.disk.node)
        found = {}
        with self.place.disk.image.open("rb") as file:
            for at in extents(file.fileno()):
                file.seek(at)
                if (block := file.read(MIB)).strip(b"\0"):
                    found[at // MIB] = hashlib.blake2b(block).digest()
        return found

    def mounts(self) -> list[str]:
        """The mount points at and below the root, in the order they were mounted, and their options."""
        lines = said("findmnt", "-rno", "TARGET,FSTYPE,OPTIONS").splitlines()
        return [line for line in lines if line.split()[0].startswith(str(self.root))]

    def unmount(self) -> None:
        for line in reversed(self.mounts()):
            run("umount", line.split()[0])


def layout() -> Layout:
    return Layout("changed", Path(), SIZE, PARTS)


@contextmanager
def installed(work: Path, image: Path | None = None) -> Iterator[Installed]:
    """The machine, from an image of its disk where there is one; nothing of it is left mounted."""
    with bench(layout(), image=image) as place:
        made = Installed(place, work)
        made.root.mkdir(exist_ok=True)
        if image:
            run("partx", "--update", "--nr", "1:16", place.disk.node)
        try:
            yield made
        finally:
            made.unmount()


def install(work: Path) -> Path:
    """Install one, put files on it, and keep an image of its disk."""
    with installed(work) as machine:
        done = machine.ran("apply", DISK)
        assert done.status == 0, done.said
        for part in PARTS:
            put_files(machine.place.disk.partition(part.number), part.type, part.files)
        machine.place.judge()
        run("sync", machine.place.disk.node)
        image = work / "installed.img"
        run("cp", "--sparse=always", machine.place.disk.image, image)
    return image


# How a person changes a playbook.


def in_task(key: str, change: Mapping[str, Any], **where: Any) -> Change:
    """Parameters of the task of this key whose own are these are given other values."""

    def changed(tasks: Tasks) -> Tasks:
        found = [each for each in tasks if key in each and where.items() <= each[key].items()]
        assert found, f"there is no {key} with {where}"
        return [{key: each[key] | change} if each in found else each for each in tasks]

    return changed


def without(*keys: str, **where: Any) -> Change:
    """Without the tasks of these keys whose parameters are these."""
    return lambda tasks: [
        each for each in tasks if not any(key in each and where.items() <= each[key].items() for key in keys)
    ]


def with_more(more: Sequence[dict[str, Any]], at: int | None = None) -> Change:
    """With more tasks, at the end or at a place."""
    return lambda tasks: [*tasks[:at], *more, *tasks[at:]] if at is not None else [*tasks, *more]


def both(*changes: Change) -> Change:
    def changed(tasks: Tasks) -> Tasks:
        for change in changes:
            tasks = change(tasks)
        return tasks

    return changed


partition = _partition
mounting = _mount
