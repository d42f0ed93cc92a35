"""``disko.devices.mdadm`` and ``disko.devices.lvm_vg``: arrays and volume groups, which lie on several volumes."""

from __future__ import annotations

import getopt
import re
from collections.abc import Iterator, Sequence
from typing import Any

from subfloor.playbook.disko import units
from subfloor.playbook.disko.contents import content, lost
from subfloor.playbook.disko.filesystems import words
from subfloor.playbook.disko.items import Context, Item, Member, Missing, Remark, Volume, Wanted, rest
from subfloor.playbook.disko.tree import Node
from subfloor.storage.arrays import check_name, node_of
from subfloor.storage.sizes import show

_USUAL_METADATA = ("", "default", "1.2", "1")


def of_array(node: Node, name: str, members: Sequence[Member], context: Context) -> Iterator[Item]:
    """The items for an md array of these members, in their order, and for its content."""
    yield from rest(node, ("level", "metadata", "content"))
    yield Remark(f"{node.place}:")
    called, shown = node.text("name", name), _array_name(node.text("name", name))
    if shown != called:
        why = f"a name of an array cannot end in a digit, so it is called {shown!r}"
        yield Missing.at(node.at("name"), why, f"mount it by /dev/md/{shown}")
    parameters: dict[str, Any] = {"name": shown, "level": node.number("level", 1)}
    parameters["devices"] = [each.path for each in members]
    if node.text("metadata") not in _USUAL_METADATA:
        parameters["metadata"] = node.text("metadata")
    path = node_of(shown)
    options = {each: each for each in ("name", "level", "metadata")}
    needs = tuple(path for each in members for path in each.needs)
    essential = frozenset({"level", "metadata"})
    yield Wanted("raid", parameters, node, makes=path, needs=needs, options=options, essential=essential)
    inside, names = node.get("content"), frozenset({path, node_of(called)})
    if inside:
        yield from content(inside, Volume(path, called, names), context)


def _array_name(name: str) -> str:
    try:
        check_name(name)
    except ValueError:
        return f"{name}-md" if name[-1:].isdigit() else name
    return name


def of_group(node: Node, name: str, members: Sequence[Member], context: Context) -> Iterator[Item]:
    """The items for a volume group on these members, in their order, and for its volumes."""
    yield from rest(node, ("lvs",))
    yield Remark(f"{node.place}:")
    called = node.text("name", name)
    parameters = {"name": called, "devices": [each.path for each in members]}
    needs = tuple(path for each in members for path in each.needs)
    yield Wanted("volume-group", parameters, node, makes=f"group {called}", needs=needs, options={"name": "name"})
    found = node.get("lvs")
    volumes = sorted((found.options if found else {}).items(), key=lambda each: (_priority(each[1]), each[0]))
    parts = [
        (volume, list(_logical(volume, each, called, context, is_first=at == 0)))
        for at, (each, volume) in enumerate(volumes)
    ]
    for _, items in sorted(parts, key=lambda part: not _has_images(part[0])):
        yield from items


def _has_images(volume: Node) -> bool:
    """Whether a volume needs room on several physical volumes at once. Then it is made before all others."""
    return volume.text("lvm_type").startswith(("raid", "mirror"))


def _priority(volume: Node) -> int:
    usual = (501 if volume.text("lvm_type") == "thin-pool" else 1000) + 251 * ("100%" in volume.text("size"))
    return volume.number("priority", usual)


def _logical(node: Node, name: str, group: str, context: Context, *, is_first: bool) -> Iterator[Item]:
    called = node.text("name", name)
    path = f"/dev/{group}/{called}"
    yield from rest(node, ("priority", "size", "lvm_type", "pool", "extraArgs", "content"), {path})
    node.need("size")
    try:
        size = _size(node.text("size"), is_first=is_first)
    except ValueError as error:
        yield Missing.at(node.at("size"), f"{error}{lost(node)}", "write a size such as 10G, 25%VG or 100%FREE")
        return
    kind, refused = _kind(node)
    yield from refused
    yield Wanted(
        "logical-volume",
        {"group": group, "name": called, "size": size, **kind},
        node,
        makes=path,
        needs=(f"group {group}", *((f"/dev/{group}/{kind['pool']}",) if "pool" in kind else ())),
        options={"name": "name", "size": "size", "type": "lvm_type", "pool": "pool"},
        essential=frozenset({"type", "pool", "stripes", "copies"}),
    )
    inside = node.get("content")
    if inside:
        yield from content(inside, Volume(path, f"{group}-{called}", frozenset({path})), context)


def _kind(node: Node) -> tuple[dict[str, Any], list[Missing]]:
    """The parameters for the type, pool, stripes and copies of a volume.

    Other words for lvcreate(8) become a ``Missing``.
    """
    kind = {"thinlv": "thin"}.get(node.text("lvm_type"), node.text("lvm_type"))
    found: dict[str, Any] = {"type": kind} if kind else {}
    if kind == "thin":
        found["pool"] = node.text("pool")
    given = words(node.texts("extraArgs"))
    try:
        pairs, others = getopt.gnu_getopt(list(given), "i:m:", ["stripes=", "mirrors="])
    except getopt.GetoptError:
        pairs, others = [], list(given)
    for option, value in pairs:
        if value.isdigit() and kind:
            name, more = ("stripes", 0) if option in ("-i", "--stripes") else ("copies", 1)
            found[name] = int(value) + more
        else:
            others.append(option)
    if not others:
        return found, []
    why = f"no task has these options of lvcreate: {' '.join(others)}"
    return found, [Missing.at(node.at("extraArgs"), why, "leave them out")]


def _size(text: str, *, is_first: bool) -> str:
    """A size for lvcreate(8) as a playbook writes it. Raises ``ValueError``."""
    share = re.fullmatch(r"(\d{1,3})%(FREE|VG|PVS)?", text.strip(), re.I)
    if not share:
        return show(units.binary(text, default="M"))
    of = (share[2] or "").upper()
    if share[1] == "100" and of == "FREE":
        return "rest"
    if of == "FREE" and not is_first:
        raise ValueError(f"{text!r} depends on the volumes that were made before")
    return f"{int(share[1])}%"
