"""Let a filesystem grow with its volume. Pure.

ext4, xfs and btrfs grow while they are mounted, in transactions: an interruption leaves a sound filesystem of the old
size, of the new one, or between them, and the next run continues. So no mark is needed. resize2fs(8) and
resize.f2fs(8) give no such guarantee for a filesystem that is not mounted. So ext4 grows only while it is mounted, and
f2fs does not grow.
"""

from __future__ import annotations

from dataclasses import replace

from subfloor.core.errors import Refused
from subfloor.core.task import Command, Step
from subfloor.observe.filesystem_size import FilesystemSize, SizeOn
from subfloor.steps.partitioning import guard
from subfloor.steps.volumes import Volume
from subfloor.storage.filesystems import TOOLS, Growth
from subfloor.storage.marks import UNFINISHED
from subfloor.storage.sizes import show

_BLOCK = 64 * 1024
"""Bytes of the largest block of any filesystem."""

_PLACE = "/tmp"
"""Where a filesystem is mounted to grow. The mount hides nothing from others: it has a mount namespace of its own."""

# A second mount of a filesystem is the same filesystem, so it may be mounted elsewhere too. The namespace, and with it
# the mount, ends with its last process, however that ends.
_ALONE = ("unshare", "--mount", "--propagation", "private", "sh", "-euc")
_SCRIPT = 'mount -t "$1" -- "$2" "$3"; at=$3; shift 3; "$@"; umount -- "$at"'


def room(volume: Volume) -> int:
    """How many bytes of the volume its content may take."""
    return volume.room or volume.size


def lacks(volume: Volume, subject: SizeOn) -> bool:
    """Whether the filesystem could take more of its volume than it does; False if its size is unknown."""
    size = volume.machine[subject]
    return bool(size.size) and room(volume) - size.size > size.rest


def of_unknown_size(step: Step, subject: SizeOn) -> Step:
    """The step, but with a promise that the filesystem's size is unknown, since the step replaces the content."""
    return replace(step, after=step.after.with_(subject, FilesystemSize()))


def grown(volume: Volume, kind: str, subject: SizeOn) -> Step | None:
    """A step that lets a filesystem grow to the end of its volume; None if it reaches the end, or cannot grow.

    Raises ``Refused`` for a filesystem that is larger than its volume.
    """
    size = volume.machine[subject]
    _check_fits(volume, size)
    return _grow(volume, kind, subject, size) if TOOLS[kind].grow and lacks(volume, subject) else None


def taken_back(volume: Volume) -> Step:
    """A step that marks a swap area as unfinished, so that a later step makes it again, larger, without consent.

    Here the name changes before the wipe, because a swap area is not worth keeping. An empty volume with a final name
    would need consent.
    """
    volume.check_writable()
    name = volume.final_name + UNFINISHED
    return Step(
        says=f"Mark the swap area on {volume.path} as unfinished, to make it again, larger",
        commands=(*volume.reveal(), guard(volume.node), *volume.mark(name)),
        after=volume.holding(volume.seen_content(), name),
        locks=volume.locks,
    )


def warnings(volume: Volume, kind: str, subject: SizeOn) -> tuple[str, ...]:
    """A warning if the content takes only a part of its volume, and cannot grow now."""
    size = volume.machine[subject]
    if TOOLS[kind].grow or not lacks(volume, subject) or (kind == "swap" and not volume.in_use):
        return ()
    return (f"the {kind} on {volume.path} uses only {show(size.size)} of {show(volume.size)}: {_BY_HAND[kind]}",)


_BY_HAND = {
    "swap": "it is in use, so it keeps its size; `swapoff` it, then run subfloor again",
    "vfat": "it keeps its size; copy its files elsewhere and make it again to use the rest",
    "f2fs": "it keeps its size, because an interruption of `resize.f2fs` could destroy it; with a copy of its files, "
    "unmount it and use that program yourself",
}


def _check_fits(volume: Volume, size: FilesystemSize) -> None:
    if size.size > volume.size:
        raise Refused(
            f"the filesystem on {volume.path} is larger than the device: it has {show(size.size)}, and {volume.path} "
            f"has {show(volume.size)}, so its end is missing",
            advice=f"make {volume.path} as large again as it was, before anything writes to it; `fsck` would not bring "
            "back what is missing",
        )


def _grow(volume: Volume, kind: str, subject: SizeOn, size: FilesystemSize) -> Step:
    """A step that lets the filesystem grow to the end of its volume, and keeps its files. Raises ``Refused``."""
    volume.check_writable()
    tools, wanted = TOOLS[kind], room(volume) // _BLOCK * _BLOCK
    assert tools.grow
    growing = tools.grow(Growth(volume.node, _PLACE, wanted, size.block, size.number))
    return Step(
        says=f"Grow the {kind} filesystem on {volume.path} from {show(size.size)} to {show(wanted)}",
        commands=(
            *volume.reveal(),
            Command(
                (*_ALONE, _SCRIPT, "mounted", kind, volume.node, _PLACE, *growing),
                timeout=3600.0,
                advice=f"the files are unchanged; if {volume.path} is mounted read-only, remount it "
                "(`mount -o remount,rw`)",
            ),
            Command(("sync", volume.node)),
        ),
        after=volume.machine.with_(subject, replace(size, size=room(volume) - size.rest)),
        locks=volume.locks,
    )
