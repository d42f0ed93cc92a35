"""disko's types ``filesystem`` and ``swap``."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import Any

from subfloor.playbook.disko import mkfs_words
from subfloor.playbook.disko.items import Context, Item, Missing, Stage, Volume, Wanted, rest
from subfloor.playbook.disko.tree import Node
from subfloor.storage.filesystems import TOOLS

_SWAP_OPTIONS = ("discardPolicy", "extraArgs", "mountOptions", "priority", "randomEncryption", "resumeDevice")


def of_filesystem(node: Node, on: Volume, context: Context) -> Iterator[Item]:
    """The items for a filesystem and its mount."""
    yield from rest(node, ("format", "mountpoint", "mountOptions", "extraArgs"), on.names)
    kind = node.need("format")
    if node.text("format") not in TOOLS:
        path = f", and nothing mounts it at {node.text('mountpoint')}" if node.get("mountpoint") else ""
        why = f"no task makes {node.text('format')}: its place stays empty{path}"
        yield Missing.at(kind, why, f"use one of {', '.join(name for name in TOOLS if name != 'swap')}")
        return
    if on.is_disk and node.text("format") == "vfat":
        why = "no task makes a vfat on a whole disk, where it looks like a partition table"
        yield Missing.at(kind, why, "make a partition for it")
        return
    yield from made(node, on, node.text("format"), node.texts("extraArgs"))
    if node.get("mountpoint"):
        yield mount(node, node.text("mountpoint"), on, node.text("format"), options(node), context)


def made(node: Node, on: Volume, kind: str, words: Iterable[str]) -> Iterator[Item]:
    """The task that makes the filesystem or swap area on a volume, and its options that are not imported."""
    read = mkfs_words.read(kind, tuple(words))
    for why in read.refused.values():
        yield Missing.at(node.at("extraArgs"), why, "leave it out, or make it by hand")
    parameters: dict[str, Any] = {"device": on.path, "type": kind}
    if read.label:
        parameters["label"] = read.label
    if read.options:
        parameters["options"] = list(read.options)
    yield Wanted(
        "mkfs",
        {**parameters, **on.named},
        node,
        makes=f"content of {on.path}",
        needs=on.needs,
        options={"type": "format", "label": "extraArgs", "options": "extraArgs"},
    )


def options(node: Node, name: str = "mountOptions") -> tuple[str, ...]:
    """The mount options, one by one, without ``defaults``."""
    words = (word.strip() for text in node.texts(name) for word in text.split(","))
    return tuple(word for word in words if word and word != "defaults")


def mount(
    node: Node, mountpoint: str, on: Volume, kind: str, given: tuple[str, ...], context: Context, needs: str = ""
) -> Wanted:
    """The task that mounts a filesystem below the root. ``needs``: what must be made first; empty: the filesystem."""
    path = context.below_root(mountpoint)
    parameters: dict[str, Any] = {"source": on.path, "path": path, "type": kind}
    if given:
        parameters["options"] = list(given)
    if mountpoint in context.early:
        parameters["needed_for_boot"] = True
    return Wanted(
        "mount",
        parameters,
        node,
        Stage.MOUNTS,
        makes=f"mount at {path}",
        needs=(needs or f"content of {on.path}",),
        options={"path": "mountpoint", "options": "mountOptions", "type": "format"},
    )


def of_swap(node: Node, on: Volume, _: Context) -> Iterator[Item]:
    """The items for an active swap area; with ``randomEncryption``, it gets a new key at every boot."""
    yield from rest(node, _SWAP_OPTIONS, on.names)
    if node.flag("resumeDevice"):
        why = "no task lets a system hibernate to a partition"
        yield Missing.at(node.at("resumeDevice"), why, "set boot.resumeDevice in local.nix, or use `swap-file`")
    parameters: dict[str, Any] = {"device": on.path}
    if node.get("priority"):
        parameters["priority"] = node.number("priority")
    if node.get("discardPolicy"):
        parameters["discard"] = node.text("discardPolicy")
    for option in options(node):
        name, _given, value = option.partition("=")
        if name == "pri" and value.isdigit():
            parameters["priority"] = int(value)
        elif name == "discard":
            parameters["discard"] = value or "both"
        else:
            yield Missing.at(node.at("mountOptions"), f"the task `swap` has no option {option!r}", "leave it out")
    if node.flag("randomEncryption"):
        parameters["encryption"] = "random"
        needs = on.path
    else:
        yield from made(node, on, "swap", words(node.texts("extraArgs")))
        needs = f"content of {on.path}"
    where = {"priority": "priority", "discard": "discardPolicy", "encryption": "randomEncryption"}
    yield Wanted("swap", parameters, node, Stage.SWAP, needs=(needs,), options=where)


def words(texts: Iterable[str]) -> tuple[str, ...]:
    """The words in texts that disko passes to a shell."""
    return tuple(word for text in texts for word in _split(text))


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return [text]
