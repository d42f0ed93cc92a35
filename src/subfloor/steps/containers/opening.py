"""Steps that open a container, let it grow, and change whether it passes discards. Pure."""

from __future__ import annotations

from dataclasses import replace

from subfloor.core.errors import Refused
from subfloor.core.task import Step
from subfloor.observe.disk import Content, DiskState, Mapped, Missing, Unopened
from subfloor.observe.luks import ALLOW_DISCARDS, Header
from subfloor.steps.containers import commands
from subfloor.steps.containers.declared import Container
from subfloor.steps.containers.making import check_name
from subfloor.steps.volumes import Volume, luks
from subfloor.storage.sizes import show

_DISCARDS = frozenset({ALLOW_DISCARDS})


def opened(volume: Volume, declared: Container, found: Content) -> Step | None:
    """A step that opens the container, or lets an open one grow, or changes whether it passes discards to the disk.

    None if the container is in sync, or if its inside is not visible yet. Raises ``Refused``.
    """
    inside = volume.machine[declared.inside]
    if isinstance(inside, Unopened):
        return None
    if isinstance(inside, Missing):
        return _open(volume, declared, found)
    if not inside.mapped or inside.mapped.uuid != _mapped(volume, declared).uuid:
        check_name(volume, declared)
    return _grown(volume, declared, inside) or _discards(volume, declared)


def _grown(volume: Volume, declared: Container, inside: DiskState) -> Step | None:
    """A step that lets an open container take all of its volume; None if it does. Opening a container does this too."""
    header = volume.machine[declared.header]
    if not isinstance(header, Header) or header.offset is None:
        return None
    size = (volume.size - header.offset) // inside.limits.sector * inside.limits.sector
    if size < inside.size:
        raise Refused(
            f"the container on {declared.device} is larger than the device: {declared.inside.path} has "
            f"{show(inside.size)}, and {declared.device} has room for {show(max(size, 0))}, so its end is missing",
            advice=f"make {declared.device} as large again as it was, before anything writes to it",
        )
    return _grow(volume, declared, inside, size) if size > inside.size else None


def _grow(volume: Volume, declared: Container, inside: DiskState, size: int) -> Step:
    key = declared.keys_for("to let the container grow")[0]
    # The new end may hold old data, so an empty container may not be empty any more.
    seen = replace(inside, size=size) if inside.content else Unopened("the container has grown")
    return Step(
        says=f"Grow the container on {declared.device} from {show(inside.size)} to {show(size)}",
        commands=(commands.resize(declared.name, key),),
        after=volume.machine.with_(declared.inside, seen),
        locks=volume.locks,
    )


def _mapped(volume: Volume, declared: Container) -> Mapped:
    return Mapped(luks.dm_uuid(volume.identity.filesystem(volume.uuid), declared.name), (volume.node,))


def _open(volume: Volume, declared: Container, found: Content) -> Step:
    key = declared.keys_for("to open the container")[0]
    after = volume.machine.with_(declared.inside, _inside(volume, declared, found))
    header = after[declared.header]
    if declared.discards and isinstance(header, Header):
        after = after.with_(declared.header, replace(header, flags=header.flags | _DISCARDS))
    return Step(
        says=f"Open the container on {declared.device} as {declared.inside.path}",
        commands=(commands.open_(volume.node, declared.name, key, discards=declared.discards),),
        after=after,
        locks=volume.locks,
    )


def _inside(volume: Volume, declared: Container, found: Content) -> DiskState | Unopened:
    """The inside of the container once it is open: empty if the container was just made, otherwise not visible yet."""
    if not found.fresh:
        return Unopened(f"the container on {declared.device} is open")
    size = volume.size - commands.DATA_OFFSET
    return DiskState(node=declared.inside.path, size=size, mapped=_mapped(volume, declared))


def _discards(volume: Volume, declared: Container) -> Step | None:
    header = volume.machine[declared.header]
    if not isinstance(header, Header) or (ALLOW_DISCARDS in header.flags) == declared.discards:
        return None
    key = declared.keys_for("to change whether discards are passed to the disk")[0]
    flags = header.flags | _DISCARDS if declared.discards else header.flags - _DISCARDS
    return Step(
        says=f"{'Start' if declared.discards else 'Stop'} passing discards of {declared.inside.path} to the disk",
        commands=(commands.refresh(declared.name, key, discards=declared.discards),),
        after=volume.machine.with_(declared.header, replace(header, flags=flags)),
        locks=volume.locks,
    )
