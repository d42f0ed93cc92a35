"""The tools of each filesystem: how it is made, proven sound and labelled, and how long a label may be.

One table, so that a filesystem is described in one place. The limits are from the man pages of the
mkfs programs; checking only ever reads (``-n``, ``--readonly``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

Argv = tuple[str, ...]


@dataclass(frozen=True)
class Call:
    """A program to run, and the exit statuses besides 0 that say that it did its work."""

    argv: Argv
    accepts: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Tools:
    """``make``: from a device's node, a label, a UUID and further options; ``check`` and ``relabel`` likewise.

    ``label_bytes``: the longest label, in bytes. ``relabels_in_use``: whether a mounted one takes a label.
    ``settle``: makes one that was not taken out of use cleanly fit to be labelled, and fails where it is
    unsound; without it, only one that passes ``check`` is. ``mend``: makes a superblock whole that a power cut
    has torn while the label was written, and leaves a whole one alone; without it, ``relabel`` does, since it
    writes all that can be torn. ``env``: what is added to the environment of ``make``. ``dry_run``: the options with
    which ``make`` only says whether it would succeed, however large the device; without it, it has to be tried.
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
        # It replays the journal, and repairs what is safe to repair, which is no fault: then it exits with 1.
        settle=lambda node: Call(("e2fsck", "-p", node), frozenset({1})),
        # Torn, all of it is right but the checksum, which is written anew with any value that is set. (From a
        # backup, e2fsck would do it too; but a small filesystem has none.)
        mend=lambda node: Call(("debugfs", "-n", "-w", "-R", "set_super_value wtime now", node)),
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
        label_bytes=254,  # one less than mkfs.btrfs takes: a change of the label takes no more
        # The copies are flushed one after another, so one is whole. It exits with 2 where it restored any.
        mend=lambda node: Call(("btrfs", "rescue", "super-recover", "-y", node), frozenset({2})),
        # It refuses a UUID that any device has, and for that believes libblkid's cache, which for some time may
        # tell of a filesystem that has just been wiped. So it looks at the devices themselves (libblkid(3)).
        env={"BLKID_FILE": "/dev/null"},
    ),
    "f2fs": Tools(
        lambda node, label, uuid, options: (
            *("mkfs.f2fs", "-f", "-U", str(uuid)),  # with -q it would not say why it fails
            *_if(label, "-l", label),
            *options,
            node,
        ),
        lambda node: ("fsck.f2fs", "--dry-run", node),
        lambda node, label: ("f2fslabel", node, label),
        label_bytes=512,
    ),
    "swap": Tools(
        lambda node, label, uuid, options: (
            *("mkswap", "-q", "-U", str(uuid)),
            *_if(label, "-L", label),
            *options,
            node,
        ),
        lambda node: ("swaplabel", node),  # it fails where there is no swap area
        lambda node, label: ("swaplabel", "-L", label, node),
        label_bytes=15,
    ),
}


def uuid_on_disk(kind: str, uuid: UUID) -> str:
    """The UUID as blkid shows it on a filesystem of this type."""
    return fat_serial(uuid) if kind == "vfat" else str(uuid)


def fat_serial(uuid: UUID) -> str:
    """A FAT volume has room for 32 bits only: the UUID's first, as ``ABCD-1234``."""
    digits = uuid.hex[:8].upper()
    return f"{digits[:4]}-{digits[4:]}"


_FAT32_CLUSTERS = 65525
"""A FAT with fewer is a FAT16 to whoever goes by the specification, whatever else is written in it (Microsoft,
"FAT: General Overview of On-Disk Format", 1.03: FAT Type Determination)."""


def least_sectors(kind: str, sector: int) -> int:
    """How many sectors of so many bytes a filesystem must have to be what it says; 0 where its own program knows.

    For FAT: clusters of one sector each, two tables of four bytes a cluster, and the 32 sectors before them.
    """
    if kind != "vfat":
        return 0
    table = -(-(_FAT32_CLUSTERS + 2) * 4 // sector)
    return 32 + 2 * table + _FAT32_CLUSTERS


def check_label(kind: str, label: str) -> None:
    """Raise ``ValueError`` for a label that a filesystem of this type cannot have."""
    limit = TOOLS[kind].label_bytes
    if len(label.encode()) > limit:
        raise ValueError(f"{label!r} is too long for {kind}: {limit} bytes at the most")
    if any(ord(char) < 32 or ord(char) == 127 for char in label):
        raise ValueError(f"{label!r} has characters that cannot be printed")
    if kind == "vfat" and set(label) & set('*?.,;:/\\|+=<>[]"'):
        raise ValueError(f"{label!r} has a character that a FAT label cannot have")
    if kind == "vfat" and (not label.isascii() or label.upper() == "NO NAME"):
        raise ValueError(f"{label!r} is no FAT label: plain letters and digits, and not the words for none")
    if kind == "xfs" and not re.fullmatch(r"[\w.+@=:%/-]*", label):
        raise ValueError(
            f"{label!r} has a sign that xfs_admin cannot set: letters, digits and . _ - + @ = : % / it can"
        )
    if label != label.strip():
        raise ValueError(f"{label!r} begins or ends with a space, which programs do not show")
    if label.startswith("-"):
        raise ValueError(f"{label!r} begins with a hyphen, and programs would take it for an option")
