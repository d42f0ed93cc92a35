"""What the campaigns lay out: each with what was on the disk before, and what must be there in the end.

For each type of filesystem: on a blank disk; over the same layout of the same identity, wiped, whose files
must not come back; made again from a whole one that bears the unfinished name; its label changed in place;
and as a second partition beside a finished one. And the playbooks that are ready to use, with small disks.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from crash.forked import subfloor
from disk_oracle import Part, put_files
from loop_disks import LoopDisk, run
from places import ROOT

PLAYS = Path(__file__).parent / "plays"
PLAYBOOKS = ROOT / "playbooks"

OLD = {"old.bin": random.Random("old").randbytes(8192)}
KEPT = {"kept.bin": random.Random("kept").randbytes(8192)}

SIZES = {"ext4": 16, "vfat": 36, "xfs": 304, "btrfs": 112, "f2fs": 64, "swap": 4}
"""The smallest that each type can well be, in MiB."""


def _blank(layout: Layout, disk: LoopDisk, seed: str) -> None:
    """Nothing is on it."""


@dataclass(frozen=True)
class Layout:
    """``before`` makes what is on the disk, given the seed; ``size`` is the disk's, in MiB.

    ``destroys``: what the recorded run has consent to destroy. "foreign": the disk is somebody else's;
    "finished": a partition of ours is finished. ``mounted``: a partition that is mounted meanwhile.
    """

    name: str
    play: Path
    size: int
    parts: tuple[Part, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    before: Before = _blank
    options: tuple[str, ...] = ()
    destroys: str = ""
    mounted: int = 0

    def arguments(self, disk: LoopDisk, seed: str, **changed: str) -> list[str]:
        """The command line that lays it out."""
        variables = {"disk": disk.node, "seed": seed, **self.variables, **changed}
        extra = [word for key, value in variables.items() for word in ("-e", f"{key}={value}")]
        return ["apply", str(self.play), *extra, *self.options]


Before = Callable[[Layout, LoopDisk, str], None]
"""Makes what is on the disk before, given the seed of the run that is to come."""


def _lay_out(layout: Layout, disk: LoopDisk, seed: str, **changed: str) -> None:
    done = subfloor(*layout.arguments(disk, seed, **changed))
    assert done.status == 0, done.said


def _with_files(layout: Layout, disk: LoopDisk, seed: str, files: Mapping[str, bytes], **changed: str) -> None:
    _lay_out(layout, disk, seed, **changed)
    for part in layout.parts:
        put_files(disk.partition(part.number), changed.get("type", part.type), files)


def _wiped(layout: Layout, disk: LoopDisk, seed: str) -> None:
    """`wipefs` of the disk alone leaves its filesystems; the same layout would bring them back."""
    _with_files(layout, disk, seed, OLD)
    disk.forget_partitions()
    run("wipefs", "--all", disk.node)


def _unfinished(layout: Layout, disk: LoopDisk, seed: str) -> None:
    _with_files(layout, disk, seed, OLD)
    for part in layout.parts:
        name = f"{part.name}.unfinished"
        run("sfdisk", "--no-reread", "--no-tell-kernel", "--part-label", disk.node, part.number, name)


def _old_label(layout: Layout, disk: LoopDisk, seed: str) -> None:
    _with_files(layout, disk, seed, KEPT, label="old")


def _smaller(layout: Layout, disk: LoopDisk, seed: str) -> None:
    _with_files(layout, disk, seed, KEPT, size="2MiB")


def _other_type(layout: Layout, disk: LoopDisk, seed: str) -> None:
    _with_files(layout, disk, seed, OLD, type="vfat")


def _with_another_type(layout: Layout, disk: LoopDisk, seed: str) -> None:
    _with_files(layout, disk, seed, OLD, type="xfs")


def _without_primary(layout: Layout, disk: LoopDisk, seed: str) -> None:
    _with_files(layout, disk, seed, KEPT)
    disk.put(512, bytes(33 * 512))


def _without_backup(layout: Layout, disk: LoopDisk, seed: str) -> None:
    _with_files(layout, disk, seed, KEPT)
    disk.put(-33 * 512, bytes(33 * 512))


def _grown(layout: Layout, disk: LoopDisk, seed: str) -> None:
    _with_files(layout, disk, seed, KEPT)
    disk.resize(f"{layout.size + 4}MiB")


def _first_of_two(layout: Layout, disk: LoopDisk, seed: str) -> None:
    one = Layout("", PLAYS / "one.yml", layout.size, layout.parts[:1], _one("ext4", 16))
    _with_files(one, disk, seed, KEPT)


def _foreign_whole(layout: Layout, disk: LoopDisk, seed: str) -> None:
    run("mkfs.ext4", "-q", "-F", "-L", "photos", disk.node)
    put_files(disk.node, "ext4", OLD)


def _foreign_gpt(layout: Layout, disk: LoopDisk, seed: str) -> None:
    """Somebody's ESP, and data where ours will be."""
    disk.sfdisk("label: gpt\n1: start=1MiB,size=40MiB,name=theirs,type=L\n2: start=41MiB,size=36MiB,name=ESP,type=U\n")
    run("mkfs.ext4", "-q", "-F", "-L", "data", disk.partition(1))
    put_files(disk.partition(1), "ext4", OLD)
    run("mkfs.fat", "-F", "32", disk.partition(2))
    put_files(disk.partition(2), "vfat", OLD)


def _foreign_mbr(layout: Layout, disk: LoopDisk, seed: str) -> None:
    disk.sfdisk("label: dos\n1: start=1MiB,size=24MiB,type=83\n2: start=25MiB,size=8MiB,type=82\n")
    run("mkfs.ext4", "-q", "-F", "-L", "data", disk.partition(1))
    put_files(disk.partition(1), "ext4", OLD)
    run("mkswap", disk.partition(2))


def _foreign_pool(layout: Layout, disk: LoopDisk, seed: str) -> None:
    """A physical volume of LVM, as a program other than ours labels it."""
    run("pvcreate", "--yes", "--devices", disk.node, disk.node)


def _noise(layout: Layout, disk: LoopDisk, seed: str) -> None:
    """Bytes of which nothing is known, where a filesystem begins: no write of zeros leaves them as they were."""
    disk.put(0, random.Random("noise").randbytes(min(layout.size, 24) << 20))


def _another_seed(layout: Layout, disk: LoopDisk, seed: str) -> None:
    """The same layout, made under another identity."""
    _with_files(layout, disk, f"{seed}-theirs", OLD)


def _one(type: str, size: int) -> dict[str, str]:
    return {"type": type, "size": f"{size}MiB", "label": "data"}


def _of_one(name: str, type: str, before: Before, *, keeps: bool = False, destroys: str = "") -> Layout:
    """One partition; ``keeps``: what is on it before must be there in the end."""
    part = Part(1, "data", type, "data", files=KEPT if keeps and type != "swap" else {})
    variables = _one(type, SIZES[type])
    return Layout(f"{name}-{type}", PLAYS / "one.yml", SIZES[type] + 3, (part,), variables, before, destroys=destroys)


def _beside(type: str) -> Layout:
    """A second partition, while the first one is in use."""
    parts = (Part(1, "data", "ext4", "data", files=KEPT), Part(2, "more", type, "more"))
    variables = {"second_type": type, "second_size": f"{SIZES[type]}MiB"}
    return Layout(f"beside-{type}", PLAYS / "beside.yml", SIZES[type] + 19, parts, variables, _first_of_two, mounted=1)


def _of_type(type: str) -> tuple[Layout, ...]:
    return (
        _of_one("blank", type, _blank),
        _of_one("wiped", type, _wiped, destroys="foreign"),
        _of_one("unfinished", type, _unfinished),
        _of_one("label", type, _old_label, keeps=True),
        _beside(type),
    )


def _whole(name: str, type: str, before: Before, *, keeps: bool = False, destroys: str = "") -> Layout:
    """A filesystem on the whole disk."""
    part = Part(0, "", type, "data", files=KEPT if keeps and type != "swap" else {})
    variables = {"type": type, "label": "data"}
    name = f"whole-{name}-{type}"
    return Layout(name, PLAYS / "whole.yml", SIZES[type] + 3, (part,), variables, before, destroys=destroys)


WHOLE: tuple[Layout, ...] = (
    *(_whole("blank", type, _blank) for type in SIZES if type != "vfat"),
    *(_whole("label", type, _old_label, keeps=True) for type in SIZES if type != "vfat"),
    replace(_whole("other-type", "btrfs", _with_another_type, destroys="finished"), size=310),
    _whole("noise", "swap", _noise, destroys="foreign"),
    _whole("foreign", "ext4", _foreign_whole, destroys="foreign"),
    replace(_whole("foreign-gpt", "ext4", _foreign_gpt, destroys="foreign"), size=83),
    _whole("foreign-mbr", "f2fs", _foreign_mbr, destroys="foreign"),
    _whole("another-seed", "ext4", _another_seed, destroys="foreign"),
)
"""Disks without a partition table."""


_ESP = Part(1, "ESP", "vfat", "boot", "esp")
_SWAP = Part(2, "swap", "swap", "swap", "swap")
_SMALL = {"esp_size": "36MiB", "swap": "4MiB"}


def _ready(playbook: str, before: Before = _blank, name: str = "", destroys: str = "") -> Layout:
    """A playbook that is ready to use; of it what concerns the disk."""
    last = Part(3, "root", "ext4", "root") if playbook == "ext4-root" else Part(3, "nix", "ext4", "nixos")
    parts = (_ESP, _SWAP, last)
    options = ("--tags", "disk")
    return Layout(
        name or playbook, PLAYBOOKS / f"{playbook}.yml", 59, parts, _SMALL, before, options, destroys=destroys
    )


LAYOUTS: tuple[Layout, ...] = (
    *(layout for type in SIZES for layout in _of_type(type)),
    *(_of_one("noise", type, _noise, destroys="foreign") for type in ("ext4", "vfat", "f2fs", "swap")),
    _of_one("grown-partition", "swap", _smaller, keeps=True),
    _of_one("grown-disk", "ext4", _grown, keeps=True),
    _of_one("no-primary-table", "ext4", _without_primary, keeps=True),
    _of_one("no-backup-table", "xfs", _without_backup, keeps=True),
    _of_one("other-type", "btrfs", _other_type, destroys="finished"),
    _of_one("foreign-whole", "ext4", _foreign_whole, destroys="foreign"),
    replace(_of_one("foreign-gpt", "ext4", _foreign_gpt, destroys="foreign"), size=83),
    _of_one("foreign-mbr", "vfat", _foreign_mbr, destroys="foreign"),
    _of_one("foreign-lvm", "f2fs", _foreign_pool, destroys="foreign"),
    _of_one("another-seed", "xfs", _another_seed, destroys="foreign"),
    _ready("nixos-tmpfs-root"),
    _ready("ext4-root"),
    Layout(
        "data-disk",
        PLAYBOOKS / "data-disk.yml",
        435,
        (Part(1, "home", "ext4", "home"), Part(2, "media", "xfs", "media"), Part(3, "backup", "btrfs", "backup")),
        options=("-e", f"@{PLAYS / 'volumes.yml'}", "--tags", "disk"),
    ),
    _ready("nixos-tmpfs-root", _wiped, "nixos-tmpfs-root-wiped", "foreign"),
    *WHOLE,
)
