"""The tools of each filesystem: how to make, check, repair and label it, and how long a label may be.

One table describes each filesystem in one place. The limits are from the man pages of the mkfs programs.
``check`` only reads (``-n``, ``--readonly``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import UUID

Argv = tuple[str, ...]


@dataclass(frozen=True)
class Call:
    """A program to run, and the exit statuses besides 0 that mean success."""

    argv: Argv
    accepts: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Growth:
    """A filesystem to make larger: it is on ``node``, and mounted at ``path``. ``size``: its new size, in bytes.

    ``block``: the size of its blocks in bytes; ``size`` is a multiple of it. ``number``: the number of the device in
    the filesystem.
    """

    node: str
    path: str
    size: int
    block: int
    number: int


@dataclass(frozen=True)
class Tools:
    """The commands of one filesystem. ``make`` takes a device's node, a label, a UUID and further options.

    ``check`` takes the node, ``relabel`` the node and the new label. ``label_bytes``: the longest label, in bytes.
    ``relabels_in_use``: whether the label can be changed while the filesystem is mounted. ``settle``: prepares a
    filesystem that was not unmounted cleanly for a new label, and fails if the filesystem is damaged; without
    ``settle``, the filesystem must pass ``check``. ``mend``: repairs a superblock that a power cut tore while the label
    was written, and leaves a sound superblock unchanged; without ``mend``, ``relabel`` is the repair, because it writes
    everything that can be torn. ``env``: added to the environment of ``make``. ``dry_run``: options with which ``make``
    only reports whether it would succeed, for a device of any size; without them, a trial is needed. ``sized``: for a
    size in bytes, a multiple of 1 MiB, the arguments that limit the filesystem to it, before the node and after the
    node; None if ``make`` has no such arguments. ``grow``: makes a mounted filesystem larger; None if no program can,
    or if an interruption could damage the filesystem.
    """

    make: Callable[[str, str, UUID, Argv], Argv]
    check: Callable[[str], Argv]
    relabel: Callable[[str, str], Argv]
    label_bytes: int
    relabels_in_use: bool = False
    settle: Callable[[str], Call] | None = None
    mend: Callable[[str], Call] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    dry_run: Argv = ()
    sized: Callable[[int], tuple[Argv, Argv]] | None = None
    grow: Callable[[Growth], Argv] | None = None

    def made(self, node: str, label: str, uuid: UUID, options: Argv, size: int | None) -> Argv:
        """The command that makes the filesystem. ``size``: in bytes; None: as large as the device."""
        if size is None:
            return self.make(node, label, uuid, options)
        assert self.sized
        before, behind = self.sized(size)
        return (*self.make(node, label, uuid, (*before, *options)), *behind)


def _if(label: str, *argv: str) -> Argv:
    return argv if label else ()


TOOLS: Mapping[str, Tools] = {
    "ext4": Tools(
        lambda node, label, uuid, options: (
            *("mkfs.ext4", "-q", "-F", "-U", str(uuid)),
            *_if(label, "-L", label),
            *options,
            node,
        ),
        lambda node: ("e2fsck", "-f", "-n", node),
        lambda node, label: ("e2label", node, label),
        label_bytes=16,
        relabels_in_use=True,
        # e2fsck replays the journal and makes safe repairs. If it repaired something, it exits with 1: a success.
        settle=lambda node: Call(("e2fsck", "-p", node), frozenset({1})),
        # In a torn superblock only the checksum is wrong. debugfs writes a correct checksum when it sets any
        # value. (e2fsck could repair the superblock from a backup, but a small filesystem has no backup.)
        mend=lambda node: Call(("debugfs", "-n", "-w", "-R", "set_super_value wtime now", node)),
        sized=lambda size: ((), (f"{size // 1024}k",)),
        grow=lambda to: ("resize2fs", to.node, f"{to.size // 1024}K"),
    ),
    "vfat": Tools(
        lambda node, label, uuid, options: (
            *("mkfs.fat", "-F", "32", "-i", fat_serial(uuid).replace("-", "")),
            *_if(label, "-n", label),
            *options,
            node,
        ),
        lambda node: ("fsck.fat", "-n", node),
        lambda node, label: ("fatlabel", node, label) if label else ("fatlabel", "--reset", node),
        label_bytes=11,
        sized=lambda size: ((), (str(size // 1024),)),
    ),
    "xfs": Tools(
        lambda node, label, uuid, options: (
            *("mkfs.xfs", "-q", "-f", "-m", f"uuid={uuid}"),
            *_if(label, "-L", label),
            *options,
            node,
        ),
        lambda node: ("xfs_repair", "-n", node),
        lambda node, label: ("xfs_admin", "-L", label or "--", node),
        label_bytes=12,
        dry_run=("-N",),
        # Without -K, mkfs.xfs discards all of the device, not only the part that the filesystem uses.
        sized=lambda size: (("-K", "-d", f"size={size}"), ()),
        grow=lambda to: ("xfs_growfs", "-D", str(to.size // to.block), to.path),
    ),
    "btrfs": Tools(
        lambda node, label, uuid, options: (
            *("mkfs.btrfs", "-q", "-f", "-U", str(uuid)),
            *_if(label, "-L", label),
            *options,
            node,
        ),
        lambda node: ("btrfs", "check", "--readonly", node),
        lambda node, label: ("btrfs", "filesystem", "label", node, label),
        label_bytes=254,  # one less than mkfs.btrfs accepts: the limit for changing the label
        # The copies of the superblock are flushed one after another, so one is sound. The program exits with 2 if it
        # restored a copy.
        mend=lambda node: Call(("btrfs", "rescue", "super-recover", "-y", node), frozenset({2})),
        # mkfs.btrfs refuses a UUID that a device has, according to libblkid's cache. For some time the cache may still
        # list a filesystem that has just been wiped. Without the cache, libblkid reads the devices (libblkid(3)).
        env={"BLKID_FILE": "/dev/null"},
        sized=lambda size: (("--byte-count", str(size)), ()),
        grow=lambda to: ("btrfs", "filesystem", "resize", f"{to.number}:{to.size}", to.path),
    ),
    "f2fs": Tools(
        lambda node, label, uuid, options: (
            *("mkfs.f2fs", "-f", "-U", str(uuid)),  # no -q: with it, a failure prints no reason
            *_if(label, "-l", label),
            *options,
            node,
        ),
        lambda node: ("fsck.f2fs", "--dry-run", node),
        lambda node, label: ("f2fslabel", node, label),
        label_bytes=512,
        sized=lambda size: ((), (str(size // 512),)),
    ),
    "swap": Tools(
        lambda node, label, uuid, options: (
            *("mkswap", "-q", "-U", str(uuid)),
            *_if(label, "-L", label),
            *options,
            node,
        ),
        lambda node: ("swaplabel", node),  # fails if there is no swap area
        lambda node, label: ("swaplabel", "-L", label, node),
        label_bytes=15,
        sized=lambda size: ((), (str(size // 1024),)),
    ),
}


LUKS = "crypto_LUKS"
"""The type of a LUKS container, as blkid reports it: content of a volume that is not a filesystem."""

RAID = "linux_raid_member"
"""The type of a member of an md array, as blkid reports it. Its label names the array."""


LVM = "LVM2_member"
"""The type of a physical volume of LVM, as blkid reports it."""

LAYERS = (LUKS, LVM)
"""Content of a volume that is no filesystem, and on which other volumes lie."""


def uuid_on_disk(kind: str, uuid: UUID) -> str:
    """The UUID as blkid shows it for content of this type."""
    forms = {"vfat": fat_serial, LVM: lvm_uuid}
    return forms.get(kind, str)(uuid)


def lvm_uuid(uuid: UUID) -> str:
    """The UUID as LVM writes it: its 32 digits in groups of 6, 4, 4, 4, 4, 4 and 6. (LVM allows other letters too.)"""
    ends = (0, 6, 10, 14, 18, 22, 26, 32)
    return "-".join(uuid.hex[start:end] for start, end in pairwise(ends))


def fat_serial(uuid: UUID) -> str:
    """The first 32 bits of the UUID, as ``ABCD-1234``: a FAT volume has room for no more."""
    digits = uuid.hex[:8].upper()
    return f"{digits[:4]}-{digits[4:]}"


_FAT32_CLUSTERS = 65525
"""The least number of clusters of a FAT32. Programs that follow the specification treat a FAT with fewer clusters as a
FAT16 (Microsoft, "FAT: General Overview of On-Disk Format", 1.03: FAT Type Determination)."""


def least_sectors(kind: str, sector: int) -> int:
    """The least size of a filesystem in sectors of ``sector`` bytes; 0 if its mkfs program checks the size itself.

    For FAT32: clusters of one sector each, two tables with four bytes per cluster, and 32 sectors before them.
    """
    if kind != "vfat":
        return 0
    table = -(-(_FAT32_CLUSTERS + 2) * 4 // sector)
    return 32 + 2 * table + _FAT32_CLUSTERS


def check_label(kind: str, label: str) -> None:
    """Raise ``ValueError`` if a filesystem of this type cannot have this label."""
    limit = TOOLS[kind].label_bytes
    if len(label.encode()) > limit:
        raise ValueError(f"{label!r} is too long for {kind}: at most {limit} bytes")
    if any(ord(char) < 32 or ord(char) == 127 for char in label):
        raise ValueError(f"{label!r} has characters that cannot be printed")
    if kind == "vfat" and set(label) & set('*?.,;:/\\|+=<>[]"'):
        raise ValueError(f"{label!r} has a character that a FAT label cannot have")
    if kind == "vfat" and (not label.isascii() or label.upper() == "NO NAME"):
        raise ValueError(
            f"{label!r} is not a valid FAT label: use ASCII characters, and not NO NAME, which means no label"
        )
    if kind == "xfs" and not re.fullmatch(r"[\w.+@=:%/-]*", label):
        raise ValueError(
            f"{label!r} has a character that xfs_admin cannot set; allowed: letters, digits and . _ - + @ = : % /"
        )
    if label != label.strip():
        raise ValueError(f"{label!r} begins or ends with a space, which programs do not display")
    if label.startswith("-"):
        raise ValueError(f"{label!r} begins with a hyphen, so programs would take it for an option")
