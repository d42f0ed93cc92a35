"""Steps that make a physical volume of LVM on a volume, and let it grow. Pure."""

from __future__ import annotations

from dataclasses import replace

from subfloor.core.errors import Refused
from subfloor.core.task import Command, Step
from subfloor.observe.disk import Content
from subfloor.observe.volume_group import Group, NamedGroup, Physical
from subfloor.steps import contents
from subfloor.steps.volumes import Volume
from subfloor.steps.volumes.volume_group import ENV, SETTINGS
from subfloor.storage import lvm
from subfloor.storage.filesystems import LVM, lvm_uuid
from subfloor.storage.sizes import MIB, show


def wanted(volume: Volume) -> Content:
    """The physical volume that this play makes on the volume."""
    return Content(LVM, "", lvm_uuid(volume.identity.filesystem(volume.uuid)))


def filled(volume: Volume) -> Step | None:
    """The next step: make the volume ours, or make the physical volume on it. None if both are done.

    Raises ``Refused``.
    """
    if not volume.ours:
        check_room(volume)
        return contents.take_over(volume)
    finished = volume.is_final and volume.seen_content() == wanted(volume)
    return None if finished else make(volume)


def make(volume: Volume) -> Step:
    """A step that makes the physical volume. Raises ``Refused``."""
    check_room(volume)
    uuid = ("--uuid", wanted(volume).uuid, "--norestorefile")
    where = ("--dataalignment", f"{lvm.DATA_OFFSET // MIB}m", "--zero", "y")
    making = (
        Command(("pvcreate", *SETTINGS, "--yes", *uuid, *where, "--", volume.node), env=ENV),
        Command(("sync", volume.node)),
        Command(("pvck", *SETTINGS, "--", volume.node), env=ENV),
    )
    return contents.make(volume, f"Make a physical volume of LVM on {volume.path}", wanted(volume), making)


def check_room(volume: Volume) -> None:
    """Raise ``Refused`` if a physical volume on the volume would have no room for even one extent."""
    if extents(volume, lvm.EXTENT) < 1:
        raise Refused(
            f"{volume.path} is too small for a physical volume of LVM: it has {show(volume.size)}, and "
            f"{show(lvm.DATA_OFFSET + lvm.EXTENT)} is the least",
            advice="give the partition more `size`",
        )


def extents(volume: Volume, extent: int) -> int:
    """The number of extents of a physical volume on this volume. ``extent``: the size of one extent, in bytes."""
    return (volume.size - lvm.DATA_OFFSET) // extent


def grown(volume: Volume, group: Group) -> Step | None:
    """A step that lets a physical volume of the group grow to the end of ``volume``; None if it ends there."""
    there = next(each for each in group.physical if each.uuid == wanted(volume).uuid)
    more = extents(volume, group.extent) - there.extents
    if more <= 0:
        return None
    larger = replace(there, extents=there.extents + more)
    after = replace(group, physical=with_(group, larger), free=group.free + more)
    return Step(
        says=f"Grow the physical volume on {volume.path} to {show(larger.extents * group.extent)}",
        commands=(
            Command(("pvresize", *SETTINGS, "--yes", "--", volume.node), env=ENV),
            Command(("sync", volume.node)),
        ),
        after=volume.machine.with_(NamedGroup(group.name), after),
        locks=volume.locks,
    )


def with_(group: Group | None, *added: Physical) -> tuple[Physical, ...]:
    """The physical volumes of a group and ``added``, which replace those with the same UUIDs."""
    new = {each.uuid for each in added}
    others = (each for each in (group.physical if group else ()) if each.uuid not in new)
    return tuple(sorted((*others, *added), key=lambda each: each.uuid))
