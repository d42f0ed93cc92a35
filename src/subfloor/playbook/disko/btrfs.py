"""disko's type ``btrfs``: the filesystem, its subvolumes, and swap files in them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from subfloor.playbook.disko import units
from subfloor.playbook.disko.filesystems import made, mount, options, words
from subfloor.playbook.disko.items import Context, Item, Missing, Stage, Volume, Wanted, rest
from subfloor.playbook.disko.tree import Node
from subfloor.storage.sizes import show

_SWAP_OPTIONS = ("size", "path", "priority", "discardPolicy", "options", "mountpoint")


@dataclass(frozen=True)
class _Top:
    """The btrfs on the volume ``on``. Its top level is mounted at ``path``."""

    on: Volume
    path: str
    context: Context


def of_btrfs(node: Node, on: Volume, context: Context) -> Iterator[Item]:
    """The items for a btrfs of one device, with its subvolumes, mounts and swap files."""
    yield from rest(node, ("extraArgs", "mountpoint", "mountOptions", "subvolumes", "swap"), on.names)
    given = words(node.texts("extraArgs"))
    if others := [word for word in given if word.startswith("/")]:
        paths = ", ".join(sorted(filter(None, _mountpoints(node))))
        why = f"no task makes a btrfs of several devices ({', '.join(others)}); so nothing mounts {paths or 'it'}"
        yield Missing.at(node.at("extraArgs"), why, "make one filesystem on each, or put an array below it")
        return
    yield from made(node, on, "btrfs", given)
    top = _Top(on, f"/top/{on.title.replace('/', '-')}", context)
    found = node.get("subvolumes")
    names = sorted(found.options if found else ())
    if names:
        yield Wanted(
            "mount",
            {"source": on.path, "path": top.path, "type": "btrfs", "options": ["subvol=/"]},
            node,
            Stage.SUBVOLUMES,
            makes=f"mount at {top.path}",
            needs=(f"content of {on.path}",),
        )
    mountpoint = node.text("mountpoint")
    if mountpoint:
        yield mount(node, mountpoint, on, "btrfs", options(node), context)
    yield from _swap_files(node, mountpoint, top)
    for name in names:
        assert found
        yield from _subvolume(found.options[name], name, mountpoint, top)


def _mountpoints(node: Node) -> Iterator[str]:
    yield node.text("mountpoint")
    found = node.get("subvolumes")
    for each in found.options.values() if found else ():
        yield each.text("mountpoint")


def _subvolume(node: Node, name: str, parent: str, top: _Top) -> Iterator[Item]:
    yield from rest(node, ("extraArgs", "mountOptions", "mountpoint", "swap"))
    inside = posixpath.normpath("/" + node.text("name", name)).lstrip("/")
    path = posixpath.join(top.path, inside)
    if node.texts("extraArgs"):
        yield Missing.at(node.at("extraArgs"), "no task has these options of `btrfs subvolume create`", "leave it out")
    yield Wanted(
        "btrfs-subvolume",
        {"path": path},
        node,
        Stage.SUBVOLUMES,
        makes=f"subvolume {path}",
        needs=(f"mount at {top.path}",),
        options={"path": "name"},
    )
    mountpoint = node.text("mountpoint")
    if mountpoint:
        given = (*options(node), f"subvol={inside}")
        yield mount(node, mountpoint, top.on, "btrfs", given, top.context, needs=f"subvolume {path}")
    elif options(node):
        why = "it has mount options and no mountpoint, so it is not mounted"
        yield Missing.at(node.at("mountOptions"), why, "add `mountpoint`, or leave them out")
    yield from _swap_files(node, mountpoint or (posixpath.join(parent, inside) if parent else ""), top)


def _swap_files(node: Node, mountpoint: str, top: _Top) -> Iterator[Item]:
    """The swap files of a filesystem or subvolume. ``mountpoint``: where it is mounted; empty if nowhere."""
    found = node.get("swap")
    for name, each in sorted(found.options.items()) if found else ():
        if not isinstance(each.value, dict):
            if each.value:
                yield Missing.at(each, "this is the syntax of an older disko", "write swap.NAME = { size = …; }")
            continue
        yield from rest(each, _SWAP_OPTIONS)
        if not mountpoint:
            yield Missing.at(each, "nothing mounts the place of the swap file", "add a `mountpoint`")
            continue
        yield from _swap_file(each, name, mountpoint, top)


def _swap_file(node: Node, name: str, mountpoint: str, top: _Top) -> Iterator[Item]:
    node.need("size")
    try:
        size = units.binary(node.text("size"))
    except ValueError as error:
        raise node.at("size").malformed(error, "write a size such as 8G") from None
    given = options(node, "options")
    if node.get("discardPolicy") or given:
        option = node.at("discardPolicy" if node.get("discardPolicy") else "options")
        yield Missing.at(option, "the task `swap-file` has no such option", "leave it out")
    place = top.context.below_root(mountpoint)
    parameters: dict[str, Any] = {"path": posixpath.join(place, node.text("path", name)), "size": show(size)}
    if node.get("priority"):
        parameters["priority"] = node.number("priority")
    where = {"path": "path", "size": "size", "priority": "priority"}
    needs = (f"content of {top.on.path}",)
    yield Wanted("swap-file", parameters, node, Stage.SWAP, needs=needs, options=where)
