"""What a volume contains: a filesystem, swap, a container, or a part of a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches

from subfloor.playbook.disko import btrfs, containers, filesystems
from subfloor.playbook.disko.items import Context, Item, Member, Missing, Volume, listed, rest
from subfloor.playbook.disko.tree import Node
from subfloor.playbook.positions import PlaybookError

Kind = Callable[[Node, Volume, Context], Iterator[Item]]


def content(node: Node, on: Volume, context: Context) -> Iterator[Item]:
    """The items for the content of a volume. Raises ``PlaybookError`` for a type that disko does not have."""
    kind = node.need("type")
    if not isinstance(kind.value, str):
        raise kind.wrong("a text in quotes is required")
    if kind.value in _ELSEWHERE:
        yield Missing.at(kind, f"{_ELSEWHERE[kind.value]}{lost(node)}", "make it by hand, or use another filesystem")
        return
    if kind.value not in _KINDS:
        near = get_close_matches(kind.value, (*_KINDS, *_ELSEWHERE), n=1)
        raise PlaybookError(
            f"{kind.place}: disko has no type {kind.value!r}",
            advice=f"did you mean {near[0]!r}?" if near else f"write one of {', '.join((*_KINDS, *_ELSEWHERE))}",
            where=kind.where,
        )
    yield from _KINDS[kind.value](node, on, context)


def _member(node: Node, on: Volume, layer: str, option: str) -> Iterator[Item]:
    yield from rest(node, (option,), on.names)
    node.need(option)
    yield Member(layer, node.text(option), on.path, node, on.needs)


def _physical_volume(node: Node, on: Volume, _: Context) -> Iterator[Item]:
    return _member(node, on, "lvm_vg", "vg")


def _array_member(node: Node, on: Volume, _: Context) -> Iterator[Item]:
    return _member(node, on, "mdadm", "name")


def _container(node: Node, on: Volume, context: Context) -> Iterator[Item]:
    yield from containers.of_luks(node, on)
    inside = node.get("content")
    if inside:
        path = f"/dev/mapper/{node.text('name')}"
        yield from content(inside, Volume(path, node.text("name"), frozenset({path})), context)


_KINDS: Mapping[str, Kind] = {
    "filesystem": filesystems.of_filesystem,
    "swap": filesystems.of_swap,
    "btrfs": btrfs.of_btrfs,
    "luks": _container,
    "lvm_pv": _physical_volume,
    "mdraid": _array_member,
}

_ELSEWHERE: Mapping[str, str] = {
    "zfs": "no task makes a ZFS pool",
    "bcachefs": "no task makes a bcachefs",
    "bcachefs_member": "no task makes a bcachefs",
    "bcache_cache": "no task makes a bcache",
    "bcache_backing": "no task makes a bcache",
    "gpt": "no task makes a partition table on it",
    "table": "no task makes a partition table on it",
    "verity_data": "no task makes a dm-verity volume",
    "verity_hash": "no task makes a dm-verity volume",
}
"""Types that no task makes, each with the reason in a message."""


def lost(node: Node) -> str:
    """The end of a message about a part that is not imported: the paths that are then not mounted. Empty if none."""
    paths = sorted(set(_mountpoints(node)))
    return f"; so it does not mount {listed(paths)}" if paths else ""


def _mountpoints(node: Node) -> Iterator[str]:
    if isinstance(node.value, Mapping):
        for name, each in node.value.items():
            if name == "mountpoint" and isinstance(each.value, str) and each.value.startswith("/"):
                yield each.value
            yield from _mountpoints(each)
    elif isinstance(node.value, tuple):
        for each in node.value:
            yield from _mountpoints(each)
