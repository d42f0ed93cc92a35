"""Words for the volume group, array or filesystem that a device is a part of, and for its other devices. Pure."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from subfloor.core.machine import Machine
from subfloor.observe.disk import Content, DiskState, Holdings
from subfloor.observe.layers import Layer, Place, layers_of, of_interest
from subfloor.storage.filesystems import LUKS

_LOCKED = "what is in it cannot be seen"
_INACTIVE = "what is in it is unknown while it is not assembled"


def with_layer(machine: Machine, node: str, content: Content, *, known: bool = True) -> Content:
    """The content of a device, with words for what would be lost on other devices too. Raises ``LookNeeded``.

    ``known``: the kernel has the device. Otherwise no program can find what the device is a part of.
    """
    if content.fresh or not (words := _words(machine, node, content, known=known)):
        return content
    return replace(content, use="; ".join(filter(None, (content.use, words))))


def memberships(machine: Machine, disk: DiskState) -> tuple[str, ...]:
    """For a disk and its partitions: the node, and the layer that it is a part of, in words. Raises ``LookNeeded``."""
    whole = ((disk.node, content) for content in disk.on_whole)
    parts = ((disk.partition_node(each.number), each.content) for each in disk.volumes if each.known)
    seen = ((node, content) for node, content in (*whole, *parts) if isinstance(content, Content))
    found = ((node, layer) for node, content in seen for layer in _layers(machine, node, content))
    return tuple(f"{node}: {layer}" for node, layer in found if str(layer))


def _words(machine: Machine, node: str, content: Content, *, known: bool) -> str:
    if content.type == LUKS:
        return ", ".join(filter(None, (content.uuid and f"UUID {content.uuid}", _LOCKED)))
    if not known and layers_of(node, content):
        return "its volume group, array or filesystem is unknown: the kernel has no device for the partition"
    return "; ".join(filter(None, (each.as_loss for each in _layers(machine, node, content))))


def _layers(machine: Machine, node: str, content: Content) -> tuple[Layer, ...]:
    """The layers that the content of a device belongs to, with the content that lies on them."""
    layers = [machine.further(subject) for subject in layers_of(node, content)]
    return tuple(each.with_contents(_contents(machine, each)) for each in layers if of_interest(content, each))


def _contents(machine: Machine, layer: Layer) -> dict[Place, str]:
    """The content, in words, at each place where a part of a layer begins."""
    places = sorted(each.place for each in layer.parts if each.place)
    found: dict[Place, str] = {}
    for node, of_node in groupby(places, key=lambda place: place[0]):
        extents = {start: (node, start, end) for _, start, end in of_node}
        holdings = Holdings(node, tuple((start, end) for _, start, end in extents.values()))
        seen = machine.further(holdings)
        found |= {extents[each.start]: _named(each.content) for each in seen if each.start in extents}
    return found


def _named(content: Content) -> str:
    if content.type == LUKS:
        return f"{content}, {_LOCKED}"
    nested = content.type != "btrfs" and layers_of("", content)
    return f"{content}, {_INACTIVE}" if nested else str(content)
