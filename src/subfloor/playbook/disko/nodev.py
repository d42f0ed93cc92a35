"""``disko.devices.nodev``: filesystems in memory, binds, and others without a device of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from subfloor.playbook.disko import units
from subfloor.playbook.disko.filesystems import options
from subfloor.playbook.disko.items import Context, Item, Missing, Stage, Wanted, rest
from subfloor.playbook.disko.tree import Node
from subfloor.storage.sizes import show

_BINDS = frozenset({"bind", "rbind"})


def of_nodev(node: Node, name: str, context: Context) -> Iterator[Item]:
    """The item for one mount; none if disko does not mount it."""
    yield from rest(node, ("fsType", "device", "mountpoint", "mountOptions"))
    node.need("fsType")
    if "mountpoint" in node.options and node.get("mountpoint") is None:
        return  # disko does not mount it either
    mountpoint, kind = node.text("mountpoint", name), node.text("fsType")
    given, device = options(node), node.text("device", "none")
    if kind == "tmpfs":
        yield _tmpfs(node, mountpoint, given, context)
    elif _BINDS.intersection(given):
        yield _bind(node, mountpoint, device, given, context)
    elif device.startswith("/dev/"):
        yield _mount(node, mountpoint, device, given, context)
    else:
        why = f"no task mounts {kind} at {mountpoint}"
        yield Missing.at(node.at("fsType"), why, "declare it in local.nix, as fileSystems")


def _tmpfs(node: Node, mountpoint: str, given: tuple[str, ...], context: Context) -> Wanted | Missing:
    named = dict(each.partition("=")[::2] for each in given)
    size, mode = named.get("size", "50%"), named.get("mode", "1777")
    try:
        shown = size if size.endswith("%") else show(units.binary(size))
        parameters: dict[str, Any] = {"size": shown, "mode": f"{int(mode, 8):04o}"}
    except ValueError:
        why = f"size={size} or mode={mode} is not what a tmpfs has; so nothing is mounted at {mountpoint}"
        return Missing.at(node.at("mountOptions"), why, "write it as in size=2G and mode=755")
    others = [each for each in given if each.partition("=")[0] not in ("size", "mode")]
    path = context.below_root(mountpoint)
    parameters = {"path": path, **parameters, **({"options": others} if others else {})}
    return Wanted(
        "tmpfs-mount",
        parameters,
        node,
        Stage.MOUNTS,
        makes=f"mount at {path}",
        options={"path": "mountpoint", "size": "mountOptions", "mode": "mountOptions", "options": "mountOptions"},
    )


def _bind(node: Node, mountpoint: str, device: str, given: tuple[str, ...], context: Context) -> Wanted | Missing:
    store = re.fullmatch(rf"(/.+){re.escape(mountpoint)}", device)
    if not store:
        why = f"`bind-persist` binds STORE{mountpoint} to {mountpoint}, and this binds {device}"
        return Missing.at(node.at("device"), why, "move the data there, or declare the bind in local.nix")
    if set(given) - _BINDS:
        why = f"`bind-persist` has no mount options; so {mountpoint} is not bound"
        return Missing.at(node.at("mountOptions"), why, "leave them out")
    parameters: dict[str, Any] = {"path": mountpoint, "root": context.root, "store": store[1]}
    if mountpoint in context.early:
        parameters["needed_for_boot"] = True
    return Wanted("bind-persist", parameters, node, Stage.BINDS, options={"path": "mountpoint", "store": "device"})


def _mount(node: Node, mountpoint: str, device: str, given: tuple[str, ...], context: Context) -> Wanted:
    path = context.below_root(mountpoint)
    parameters: dict[str, Any] = {"source": device, "path": path, "type": node.text("fsType")}
    if given:
        parameters["options"] = list(given)
    if mountpoint in context.early:
        parameters["needed_for_boot"] = True
    where = {"path": "mountpoint", "options": "mountOptions", "type": "fsType", "source": "device"}
    return Wanted("mount", parameters, node, Stage.MOUNTS, makes=f"mount at {path}", options=where)
