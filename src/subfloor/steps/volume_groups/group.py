"""Make a volume group of physical volumes that are there, and add some to it. Pure."""

from __future__ import annotations

from dataclasses import replace

from subfloor.core.errors import Refused
from subfloor.core.task import Command, Step
from subfloor.observe import layers
from subfloor.observe.volume_group import Group, NamedGroup, Physical
from subfloor.steps.volume_groups import physical
from subfloor.steps.volumes import Volume
from subfloor.steps.volumes.volume_group import ENV, SETTINGS, nodes
from subfloor.storage import lvm
from subfloor.storage.sizes import MIB


def grouped(name: str, volumes: tuple[Volume, ...], found: Group | None) -> Step | None:
    """A step that makes the group of finished physical volumes, or adds those that it lacks. Raises ``Refused``."""
    have = {each.uuid for each in found.physical} if found else set()
    lacking = tuple(each for each in volumes if physical.wanted(each).uuid not in have)
    if not lacking:
        return None
    for each in lacking:
        _check_free(each, name)
    return _extend(found, lacking) if found else _make(name, lacking)


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
        locks=tuple(dict.fromkeys(each for volume in volumes for each in volume.locks)),
    )


def _check_free(volume: Volume, name: str) -> None:
    """Raise ``Refused`` if the physical volume is in another group, and ``LookNeeded``."""
    content = volume.seen_content()
    if content is None or content.fresh:
        return
    (subject,) = layers.layers_of(volume.node, content)
    there = volume.machine.further(subject)
    if there.parts or there.name.startswith("volume group"):
        raise Refused(
            f"{volume.path} is in another {there.name}, not in {name!r}",
            advice="rename that group back (`vgrename`), or take the volume out of it: `vgreduce`, after `pvmove`",
        )
