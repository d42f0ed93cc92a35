"""Layers over devices: what a member of one is a part of, active or not. One file for each kind.

They are looked at only where something would be lost, and nothing is activated, assembled or unlocked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from subfloor.core.machine import Subject
from subfloor.observe.disk import Content
from subfloor.observe.layers.bcache import CacheSet
from subfloor.observe.layers.btrfs import Spread
from subfloor.observe.layers.layer import Layer, Part, Place
from subfloor.observe.layers.lvm import VolumeGroup
from subfloor.observe.layers.raid import Array

_KINDS: Mapping[str, Callable[[str, str, str], Subject[Layer]]] = {
    "LVM2_member": VolumeGroup,
    "btrfs": Spread,
    "bcache": CacheSet,
}


def layer_of(node: str, content: Content) -> Subject[Layer] | None:
    """The subject that shows what this content of a device belongs to; None for content that lies on one device."""
    if content.type.endswith("_raid_member"):
        return Array(node, content.type, content.uuid.lower())
    kind = _KINDS.get(content.type)
    return kind(node, content.type, content.uuid.lower()) if kind else None


__all__ = ["Array", "CacheSet", "Layer", "Part", "Place", "Spread", "VolumeGroup", "layer_of"]
