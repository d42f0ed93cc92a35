"""Layers that may lie on several devices, such as groups and arrays, active or not. One file for each kind.

Layers are looked at only if a report must name them, and nothing is activated, assembled or unlocked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from subfloor.core.machine import Subject
from subfloor.observe.disk import Content
from subfloor.observe.layers.bcache import CacheSet
from subfloor.observe.layers.btrfs import Spread
from subfloor.observe.layers.layer import Layer, Part, Place
from subfloor.observe.layers.lvm import VolumeGroup
from subfloor.observe.layers.pool import Pool
from subfloor.observe.layers.raid import Array

_KINDS: Mapping[str, Callable[[str, str, str], Subject[Layer]]] = {
    "LVM2_member": VolumeGroup,
    "btrfs": Spread,
    "bcache": CacheSet,
    "zfs_member": Pool,
    "bcachefs": Pool,
}

_AMBIVALENT = "ambivalent"
"""The type of content with signatures of several kinds; one of these may be the signature of a member."""


def layers_of(node: str, content: Content) -> tuple[Subject[Layer], ...]:
    """The subjects that show what this content of a device belongs to; empty if its type never has several devices."""
    uuid = content.uuid.lower()
    if content.type == _AMBIVALENT:
        return VolumeGroup(node, content.type, uuid), Array(node, content.type, uuid)
    if content.type.endswith("_raid_member"):
        return (Array(node, content.type, uuid),)
    return (_KINDS[content.type](node, content.type, uuid),) if content.type in _KINDS else ()


def of_interest(content: Content, layer: Layer) -> bool:
    """Whether to name the layer in a report. For ambivalent content, only if the layer has a name."""
    return content.type != _AMBIVALENT or bool(layer.name)


__all__ = [
    "Array",
    "CacheSet",
    "Layer",
    "Part",
    "Place",
    "Pool",
    "Spread",
    "VolumeGroup",
    "layers_of",
    "of_interest",
]
