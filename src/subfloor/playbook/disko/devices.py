"""``disko.devices``: everything that a configuration declares, in the order in which it can be made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from subfloor.playbook.disko.contents import lost
from subfloor.playbook.disko.disks import of_disk
from subfloor.playbook.disko.items import Context, Item, Member, Missing, rest
from subfloor.playbook.disko.layers import of_array, of_group
from subfloor.playbook.disko.nodev import of_nodev
from subfloor.playbook.disko.tree import Node

_Layer = Callable[[Node, str, Sequence[Member], Context], Iterator[Item]]
_LAYERS: Mapping[str, _Layer] = {"mdadm": of_array, "lvm_vg": of_group}
_WHAT = {"mdadm": "array", "lvm_vg": "volume group"}
_ELSEWHERE: Mapping[str, str] = {
    "zpool": "no task makes a ZFS pool",
    "bcachefs_filesystems": "no task makes a bcachefs",
    "bcache": "no task makes a bcache",
    "verity": "no task makes a dm-verity volume",
    "verity_volume": "no task makes a dm-verity volume",
}
KINDS = ("disk", *_LAYERS, "nodev", *_ELSEWHERE)
"""The kinds of devices that disko has."""


def of_devices(devices: Node, context: Context) -> Iterator[Item]:
    """The items for a configuration: disks first, then arrays and volume groups, then mounts without a device."""
    yield from rest(devices, KINDS)
    items = [item for name, disk in _each(devices, "disk") for item in of_disk(disk, name, context)]
    yield from items
    yield from _layers(devices, [item for item in items if isinstance(item, Member)], context)
    for name, nodev in _each(devices, "nodev"):
        yield from of_nodev(nodev, name, context)
    for kind, why in _ELSEWHERE.items():
        for _, each in _each(devices, kind):
            yield Missing.at(each, f"{why}{lost(each)}", "make it by hand, or use another filesystem")


def _each(devices: Node, kind: str) -> list[tuple[str, Node]]:
    found = devices.get(kind)
    return sorted(found.options.items()) if found else []


def _layers(devices: Node, members: list[Member], context: Context) -> Iterator[Item]:
    """The items for arrays and volume groups, each after the layers that it lies on.

    A layer without members, and a member of a layer that does not exist, become ``Missing``.
    """
    waiting = [(kind, name, node) for kind in _LAYERS for name, node in _each(devices, kind)]
    known = {(kind, node.text("name", name)) for kind, name, node in waiting}
    while waiting:
        ready = [each for each in waiting if not _lies_on(each, waiting)] or waiting
        kind, name, node = ready[0]
        waiting.remove(ready[0])
        own = [each for each in members if (each.layer, each.name) == (kind, node.text("name", name))]
        if not own:
            yield Missing.at(node, f"no volume belongs to this {_WHAT[kind]}{lost(node)}", _advice(kind, name))
            continue
        items = list(_LAYERS[kind](node, name, own, context))
        members += [item for item in items if isinstance(item, Member)]
        yield from items
    for each in members:
        if (each.layer, each.name) not in known:
            option = each.at.at("vg" if each.layer == "lvm_vg" else "name")
            yield Missing.at(option, f"there is no {_WHAT[each.layer]} {each.name!r}", f"add {each.layer}.{each.name}")


def _advice(kind: str, name: str) -> str:
    content = f'type = "lvm_pv"; vg = "{name}";' if kind == "lvm_vg" else f'type = "mdraid"; name = "{name}";'
    return f"give a partition the content {{ {content} }}"


def _lies_on(layer: tuple[str, str, Node], others: list[tuple[str, str, Node]]) -> bool:
    """Whether a layer lies on one of the others, which is not made yet."""
    kind, name, node = layer
    called = node.text("name", name)
    return any(other is not layer and (kind, called) in set(_parts(other[2])) for other in others)


def _parts(node: Node) -> Iterator[tuple[str, str]]:
    """The layers to which volumes inside ``node`` belong, as kind and name."""
    if isinstance(node.value, Mapping):
        if "type" in node.value and node.value["type"].value == "lvm_pv":
            yield "lvm_vg", node.text("vg")
        if "type" in node.value and node.value["type"].value == "mdraid":
            yield "mdadm", node.text("name")
        for each in node.value.values():
            yield from _parts(each)
