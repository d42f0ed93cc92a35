"""Partition tables: disko's type ``gpt``, and the older ``table``, whose partitions are declared in words of parted."""

from __future__ import annotations

from collections.abc import Iterator

from subfloor.playbook.disko import units
from subfloor.playbook.disko.contents import content, lost
from subfloor.playbook.disko.items import Context, Item, Missing, Remark, Volume, Wanted, rest
from subfloor.playbook.disko.partitions import Tabled, of_gpt, shorter
from subfloor.playbook.disko.tree import Node
from subfloor.storage.devices import partition_node
from subfloor.storage.marks import LONGEST_NAME

_FLAGS = {
    "boot": "esp",
    "esp": "esp",
    "bios_grub": "bios-boot",
    "bls_boot": "xbootldr",
    "lvm": "lvm",
    "raid": "raid",
    "swap": "swap",
    "msftdata": "microsoft-basic-data",
}
"""Flags that parted keeps as the type of a partition in a GPT (parted(8))."""

_ATTRIBUTES = {"legacy_boot": "legacy-boot", "hidden": "required", "no_automount": "no-auto"}
"""Flags that parted keeps as an attribute."""

_KINDS = {"linux-swap": "swap", "fat16": "microsoft-basic-data", "fat32": "microsoft-basic-data"}
_KINDS |= {"ntfs": "microsoft-basic-data"}
_OPTIONS = ("part-type", "fs-type", "start", "end", "flags", "bootable", "content", "_index")


def table_on(table: Node, on: Tabled, context: Context) -> Iterator[Item]:
    """A table and its partitions."""
    yield from rest(table, ("partitions", "format", "efiGptPartitionFirst"), {on.device})
    if table.text("type") == "table" and table.text("format", "gpt") != "gpt":
        why = f"no task makes a table of this kind: {table.text('format')}{lost(table)}"
        yield Missing.at(table.at("format"), why, "use a GPT; a BIOS starts GRUB from it with a bios-boot partition")
        return
    called = {"disk": on.called} if on.called else {}
    parameters = {"device": on.device, **called}
    yield Wanted("gpt-label", parameters, table, makes=on.table, options={"device": "device"})
    yield from (of_gpt if table.text("type") == "gpt" else _of_table)(table, on, context)


def _of_table(table: Node, on: Tabled, context: Context) -> Iterator[Item]:
    parts = table.get("partitions")
    before: str | None = "0%"
    if any(each.text(name)[-1:] in "0123456789KMGTB" for each in _items(parts) for name in ("start", "end")):
        yield Remark("parted's K, M and G are decimal, and it aligns what they give: here they are rounded to MiB.")
    for number, part in enumerate(_items(parts), 1):
        items = list(_partition(part, number, before, on, context))
        yield from items
        placed = any(isinstance(item, Wanted) and item.at is part for item in items)
        before = part.text("end", "100%") if placed else None


def _items(parts: Node | None) -> tuple[Node, ...]:
    return parts.items if parts else ()


def _partition(part: Node, number: int, before: str | None, on: Tabled, context: Context) -> Iterator[Item]:
    node = partition_node(on.device, number)
    yield from rest(part, _OPTIONS, {node})
    if part.text("part-type", "primary") != "primary":
        yield Missing.at(part.at("part-type"), "a GPT has primary partitions only", "leave it out")
    try:
        place = _place(part, before)
    except ValueError as error:
        yield Missing.at(part, f"{error}{lost(part)}", "give its start and its end in MiB")
        return
    kind, attributes, unknown = _flags(part)
    for flag in unknown:
        yield Missing.at(part.at("flags"), f"no task sets the flag {flag!r}", "set it by hand, with parted(8)")
    name = part.text("name", f"{on.disk}{number}")
    shown = name if len(name) <= LONGEST_NAME else shorter(name, name)
    if shown != name:
        why = f"the name {name!r} is too long: {LONGEST_NAME} characters at most, so it is called {shown!r}"
        yield Missing.at(part.at("name"), why, "give it another name in the playbook")
    parameters = {"device": on.device, "number": number, "name": shown, "type": kind, **place}
    if attributes:
        parameters["attributes"] = attributes
    options = {"name": "name", "size": "end", "start": "start", "end": "end"}
    yield Wanted("aligned-partition", parameters, part, makes=node, needs=(on.table,), options=options)
    inside = part.get("content")
    if inside:
        yield from content(inside, Volume(node, f"{on.disk}-{name}", frozenset({node})), context)


def _flags(part: Node) -> tuple[str, list[str], list[str]]:
    """The type of a partition, its attributes, and its flags that are neither type nor attribute."""
    flags = (*(("boot",) if part.flag("bootable") else ()), *part.texts("flags"))
    usual = _KINDS.get(part.text("fs-type"), "linux")
    kinds = [_FLAGS[flag] for flag in flags if flag in _FLAGS]
    attributes = [_ATTRIBUTES[flag] for flag in flags if flag in _ATTRIBUTES]
    unknown = [flag for flag in flags if flag not in _FLAGS and flag not in _ATTRIBUTES]
    return kinds[-1] if kinds else usual, list(dict.fromkeys(attributes)), unknown


def _place(part: Node, before: str | None) -> dict[str, str]:
    """Size and place as parameters. ``before``: the end of the previous partition; None if it was not imported.

    Raises ``ValueError`` if size or place depends on the disk, and ``PlaybookError`` if a text is malformed.
    """
    start, end = part.text("start", "0%"), part.text("end", "100%")
    begin, stop = _read(part, "start", start), _read(part, "end", end)
    if isinstance(begin, int) and (start == before or (begin == 0 and before)):
        place: dict[str, str] = {}
    elif isinstance(begin, int):
        raise ValueError(f"it starts at {start} of the disk, and the partition before it does not end there")
    else:
        place = {} if not begin.size and not begin.sign else {"start": max(begin.text, "1MiB", key=_not_zero)}
    if stop == 100:
        return {**place, "size": "rest"}
    if isinstance(stop, int):
        if not isinstance(begin, int):
            raise ValueError(f"it starts at {start} and ends at {end}, so its size is not known without the disk")
        return {"size": f"{stop - begin}%"}
    if isinstance(begin, int) and begin:
        raise ValueError(f"it starts at {start} and ends at {end}, so its size is not known without the disk")
    if stop.sign == "-" and not place:
        return {"size": stop.text}
    return {"start": "1MiB", **place, "end": stop.text}


def _read(part: Node, option: str, text: str) -> units.Place | int:
    """A place, or the number before ``%``. Raises ``PlaybookError``."""
    try:
        return units.parted(text)
    except ValueError as error:
        raise part.at(option).malformed(error, "write it in the syntax of parted(8), such as 512MiB or 100%") from None


def _not_zero(text: str) -> bool:
    return not text.startswith("0")
