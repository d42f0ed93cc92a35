"""Steps that make the content of a volume: unfinished until it is made, flushed and checked. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from subfloor.core.errors import Refused
from subfloor.core.task import Command, Step
from subfloor.observe.disk import Content, Disk, DiskState
from subfloor.steps.volumes import Volume
from subfloor.storage.marks import UNFINISHED


def make(volume: Volume, says: str, wanted: Content, making: Iterable[Command]) -> Step:
    """A step that replaces the content of a volume. ``making``: commands that make, flush and check the new content.

    The final name is set last, after all else succeeded. Raises ``Refused`` and ``LookNeeded``.
    """
    volume.check_writable()
    volume.check_unused()
    check_unique(volume, wanted)
    name = volume.final_name
    return Step(
        says=says,
        commands=(
            *volume.reveal(),
            # The mark of an interrupted label change goes first: a wiped volume with it would look damaged.
            *(volume.mark(name) if volume.is_labelling else ()),
            # Opens the device exclusively (O_EXCL), so this fails if it is in use in any mount namespace.
            *volume.wipe(),
            # Only after the wipe: unfinished content is made again without consent.
            *(() if volume.is_unfinished else volume.mark(name + UNFINISHED)),
            *making,
            *volume.mark(name),
        ),
        after=volume.holding(replace(wanted, fresh=True), name),
        destroys=() if volume.holds_nothing_finished else volume.losses(_why(volume, wanted)),
        locks=volume.locks,
    )


def take_over(volume: Volume) -> Step:
    """A step that makes a foreign volume ours, empty and unfinished. Raises ``Refused`` and ``LookNeeded``."""
    volume.check_writable()
    volume.check_unused()
    return volume.take_over()


def _why(volume: Volume, wanted: Content) -> str:
    if volume.is_unfinished:
        return "not made by this play"
    found, set_back = volume.content, _SET_UUID.get(wanted.type)
    same = isinstance(found, Content) and (found.type, found.label) == (wanted.type, wanted.label)
    if not same or not set_back:
        return "finished once"
    return f"finished once; if only its UUID was changed, set it back: `{set_back} {wanted.uuid} {volume.path}`"


_SET_UUID = {
    "ext4": "tune2fs -U",
    "xfs": "xfs_admin -U",
    "btrfs": "btrfstune -U",
    "swap": "swaplabel --uuid",
}
"""The commands that set the UUID of what is there, before the UUID and the device: tune2fs(8), xfs_admin(8),
btrfstune(8), swaplabel(8)."""


def check_unique(volume: Volume, wanted: Content) -> None:
    """Raise ``Refused`` if another device has the UUID of ``wanted``: then two devices would have it."""
    for subject, seen in volume.machine.items():
        if not isinstance(subject, Disk) or not isinstance(seen, DiskState):
            continue
        held = [(seen.partition_node(each.number), each.content) for each in seen.volumes]
        for node, content in (*held, (seen.node, seen.content)):
            if node != volume.node and isinstance(content, Content) and content.uuid == wanted.uuid:
                raise Refused(
                    f"{node} has the same UUID that {volume.path} would get, {wanted.uuid}: "
                    "it is a copy of content that this play made",
                    advice="give the copy another UUID, detach its disk, or choose another `seed`; then run "
                    "subfloor again",
                )
