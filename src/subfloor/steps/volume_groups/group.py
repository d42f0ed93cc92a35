"""Make a volume group of existing physical volumes, and add missing ones to it. Pure."""

from __future__ import annotations

from dataclasses import replace

from subfloor.core.errors import Refused
from subfloor.core.task import Command, Step
from subfloor.observe.volume_group import Group, NamedGroup, Physical, PhysicalVolume
from subfloor.steps.volume_groups import physical
from subfloor.steps.volumes import Volume, locks_of
from subfloor.steps.volumes.volume_group import ENV, SETTINGS, nodes
from subfloor.storage import lvm
from subfloor.storage.marks import UNFINISHED
from subfloor.storage.sizes import MIB


def grouped(name: str, volumes: tuple[Volume, ...], found: Group | None) -> Step | None:
    """A step that makes the group, or adds the physical volumes that it lacks; None if it lacks none.

    If an interrupted run left incomplete metadata on one of them, the step empties that one first. ``volumes``: the
    volumes that hold the finished physical volumes. ``found``: the existing group. Raises ``Refused``, ``LookNeeded``.
    """
    have = {each.uuid for each in found.physical} if found else set()
    lacking = tuple(each for each in volumes if physical.wanted(each).uuid not in have)
    if not lacking:
        return None
    again = next((step for each in lacking if (step := _emptied(each, name))), None)
    return again or (_extend(found, lacking) if found else _make(name, lacking))


def _make(name: str, volumes: tuple[Volume, ...]) -> Step:
    identity = volumes[0].identity
    tag = lvm.tag(identity.volume_group(name))
    how = ("--yes", "--addtag", tag, "--physicalextentsize", f"{lvm.EXTENT // MIB}m")
    group = Group(name, lvm.EXTENT, frozenset({tag}))
    return _step(f"Make the volume group {name!r}", ("vgcreate", *SETTINGS, *how, "--", name), group, volumes)


def _extend(group: Group, volumes: tuple[Volume, ...]) -> Step:
    says = f"Add {', '.join(each.path for each in volumes)} to the volume group {group.name!r}"
    return _step(says, ("vgextend", *SETTINGS, "--yes", "--", group.name), group, volumes)


def _step(says: str, command: tuple[str, ...], group: Group, volumes: tuple[Volume, ...]) -> Step:
    added = tuple(
        Physical(physical.wanted(each).uuid, physical.extents(each, group.extent), each.node) for each in volumes
    )
    more = sum(each.extents for each in added)
    after = replace(group, physical=physical.with_(group, *added), free=group.free + more)
    return Step(
        says=f"{says} on {', '.join(each.path for each in volumes)}" if not group.physical else says,
        commands=(Command((*command, *nodes(volumes)), env=ENV), Command(("sync", *nodes(volumes)))),
        after=volumes[0].machine.with_(NamedGroup(group.name), after),
        locks=locks_of(volumes),
    )


def _emptied(volume: Volume, name: str) -> Step | None:
    """A step that erases a physical volume whose metadata was never complete; None if it is sound and in no group.

    LVM does not flush between the metadata and the header that refers to it. So after a power failure the header may
    exist without the metadata. The label of a physical volume shows whether it was ever in a group. Raises ``Refused``
    if it was, and ``LookNeeded``.
    """
    content = volume.seen_content()
    if content is None or content.fresh:
        return None
    there = volume.machine.further(PhysicalVolume(content.uuid))
    if there.group:
        raise Refused(
            f"{volume.path} is in another volume group, {there.group!r}, not in {name!r}",
            advice="rename that group back (`vgrename`), or take the volume out of it: `vgreduce`, after `pvmove`",
        )
    if there.in_use:
        raise Refused(
            f"{volume.path} is in a volume group whose metadata LVM cannot read: a change of it was interrupted",
            advice=f"its former metadata is still on the disk: `pvck --dump metadata_search {volume.node}` lists the "
            "copies; write the latest to a file (`--settings metadata_offset=N --file FILE`), then "
            f"`pvck --repair --file FILE {volume.node}`",
        )
    return None if there.readable else _empty(volume)


def _empty(volume: Volume) -> Step:
    volume.check_writable()
    volume.check_unused()
    name = volume.final_name + UNFINISHED
    return Step(
        says=f"Empty {volume.path}: the volume group on it was never finished",
        commands=(*volume.wipe(), *volume.mark(name)),
        after=volume.holding(None, name),
        locks=volume.locks,
    )
