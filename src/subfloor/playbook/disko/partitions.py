"""The partitions of disko's type ``gpt``: order, numbers, names, sizes and places."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from subfloor.playbook.disko import units
from subfloor.playbook.disko.contents import content
from subfloor.playbook.disko.items import Context, Item, Missing, Volume, Wanted, rest
from subfloor.playbook.disko.tree import Node
from subfloor.playbook.disko.type_codes import type_of
from subfloor.storage.devices import partition_node
from subfloor.storage.marks import LONGEST_NAME
from subfloor.storage.sizes import MIB, show

_ATTRIBUTES = {0: "required", 1: "no-block-io", 2: "legacy-boot", 60: "read-only", 62: "hidden", 63: "no-auto"}
_LABEL_LIMIT = 36
_OPTIONS = ("priority", "label", "size", "start", "end", "content", "attributes", "alignment", "_index")


@dataclass(frozen=True)
class Tabled:
    """A disk with a table: ``device``, which disko calls ``disk``; ``called``: its name in the play, if it has one."""

    device: str
    disk: str
    called: str

    @property
    def table(self) -> str:
        """The name of the table in ``Wanted.needs`` of the partitions."""
        return f"table on {self.device}"


@dataclass(frozen=True)
class Geometry:
    """Size and place of a partition, as parameters of a task.

    ``behind``: where the next partition starts, in bytes; None if that depends on the disk. ``gap``: whether there is
    room between this partition and the next one. ``lost``: size and place could not be determined.
    """

    parameters: dict[str, str] = field(default_factory=dict)
    behind: int | None = None
    gap: bool = False
    lost: bool = False


def of_gpt(table: Node, on: Tabled, context: Context) -> Iterator[Item]:
    """The items for the partitions of a table."""
    found = table.get("partitions")
    sorted_ = sorted((found.options if found else {}).items(), key=lambda each: (_priority(each[1]), each[0]))
    before = Geometry(behind=MIB)
    for number, (name, part) in enumerate(sorted_, 1):
        geometry, missing = _geometry(part, before)
        yield from missing
        yield from _partition(part, number, name, geometry, on, context)
        before = geometry


def _priority(part: Node) -> int:
    usual = 9001 if part.text("size") == "100%" else 100 if part.text("type") == "EF02" else 1000
    return part.number("priority", usual)


def _partition(part: Node, number: int, name: str, geometry: Geometry, on: Tabled, context: Context) -> Iterator[Item]:
    label = _label(part, on, name)
    yield from rest(part, _OPTIONS, _names(part, label, on, number))
    if not _is_aligned(part):
        yield Missing.at(part.at("alignment"), "subfloor aligns every partition itself", "leave it out")
    if not geometry.parameters:
        return
    shown, code = label, ""
    if len(label) > LONGEST_NAME:
        shown = shorter(label, part.text("name", name))
        yield Missing.at(
            part.at("label"),
            f"the name {label!r} is too long: {LONGEST_NAME} characters at most, so it is called {shown!r}",
            "give it another name in the playbook",
        )
    try:
        code = type_of(part.text("type") or _usual_type(part))
    except ValueError as error:
        yield Missing.at(part.at("type"), f"{error}, so the type is linux", "write the GUID of the type")
    attributes, unknown = _attributes(part)
    for bit in unknown:
        yield Missing.at(part.at("attributes"), f"no task sets the attribute {bit}", "leave it out")
    node = partition_node(on.device, number)
    yield Wanted(
        "aligned-partition",
        {
            "device": on.device,
            "number": number,
            "name": shown,
            "type": code or "linux",
            **geometry.parameters,
            **({"attributes": attributes} if attributes else {}),
        },
        part,
        makes=node,
        needs=(on.table,),
        options={"name": "label", "type": "type", "size": "size", "start": "start", "end": "end"},
    )
    title = f"{on.disk}-{part.text('name', name)}"
    inside = part.get("content")
    if inside:
        yield from content(inside, Volume(node, title, _names(part, label, on, number)), context)


def _attributes(part: Node) -> tuple[list[str], list[object]]:
    """The names of the partition's attributes, and the bits that have no name."""
    given = part.get("attributes")
    bits = [bit.value if isinstance(bit.value, int) else str(bit.value) for bit in given.items] if given else []
    return [_ATTRIBUTES[bit] for bit in bits if bit in _ATTRIBUTES], [bit for bit in bits if bit not in _ATTRIBUTES]


def _usual_type(part: Node) -> str:
    inside = part.get("content")
    return "8200" if inside and inside.text("type") == "swap" else "8300"


def _label(part: Node, on: Tabled, name: str) -> str:
    """The name in the GPT; disko's own is replaced by a hash if it is too long."""
    usual = f"disk-{on.disk}-{part.text('name', name)}"
    if len(usual) > _LABEL_LIMIT:
        usual = hashlib.sha256(usual.encode()).hexdigest()[:_LABEL_LIMIT]
    return part.text("label", usual)


def shorter(label: str, name: str) -> str:
    """A name that is short enough: ``name``, or its start with a hash of ``label``, so that names stay different."""
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(label.encode()).hexdigest()[:6]
    return f"{name[: LONGEST_NAME - 7]}-{digest}"


def _names(part: Node, label: str, on: Tabled, number: int) -> frozenset[str]:
    """The paths by which disko names the partition."""
    escaped = "".join(char if char.isalnum() or char in "#+-.:=@_/" else f"\\x{ord(char):02X}" for char in label)
    uuid = part.text("uuid")
    return frozenset(
        {
            f"/dev/disk/by-partlabel/{label}",
            f"/dev/disk/by-partlabel/{escaped}",
            f"/dev/disk/by-partuuid/{uuid}",
            partition_node(on.device, number),
        }
    )


def _is_aligned(part: Node) -> bool:
    """Whether the option ``alignment`` has sgdisk's default, or has no effect."""
    value = part.number("alignment")
    in_sectors = any(part.text(name).endswith("s") for name in ("start", "end"))
    return value in (0, 2048) or (value == 1 and in_sectors)


def _geometry(part: Node, before: Geometry) -> tuple[Geometry, list[Missing]]:
    """The geometry of a partition, and what is not imported. ``before``: the geometry of the partition before it."""
    size, missing = part.text("size", "0"), list[Missing]()
    begin = _read(part, "start", part.text("start", "0"))
    given = part.text("end")
    end = _read(part, "end", given) if given else _read(part, "size", "-0" if size == "100%" else f"+{size}")
    if begin.sign == "+" and before.behind is not None:
        begin = units.Place(before.behind + begin.size)
    if begin.size % MIB and not begin.sign:
        why = f"{show(begin.size)} is not aligned to 1 MiB, so the partition starts at the next place that is"
        missing.append(Missing.at(part.at("start"), why, "give a start in whole MiB"))
        begin = units.Place(0)
    if begin.size == 0:
        if before.lost:
            why = "where it starts depends on the partition before it"
            return Geometry(lost=True), [*missing, Missing.at(part, why, "give `start` too")]
        start = {"start": show(before.behind)} if before.gap and before.behind else {}
        return _ending(part, start, before.behind, end, missing)
    return _ending(part, {"start": begin.text}, None if begin.sign else begin.size, end, missing)


def _ending(
    part: Node, start: dict[str, str], here: int | None, end: units.Place, missing: list[Missing]
) -> tuple[Geometry, list[Missing]]:
    """The geometry of a partition that ends at ``end``, and what is missing.

    ``start``: the parameter for its start, if it needs one; ``here``: its start in bytes, None if that is not known.
    """
    if not end.size:
        return Geometry({**start, "size": "rest"}), missing
    if end.sign == "+":
        whole = -(-end.size // MIB) * MIB
        return Geometry({**start, "size": show(end.size)}, None if here is None else here + whole), missing
    if end.sign == "-":
        return Geometry({**start, "end": end.text} if start else {"size": end.text}), missing
    if here is None:
        why = "where it starts depends on the disk, so its size is not known"
        return Geometry(lost=True), [*missing, Missing.at(part.at("end"), why, "give `start` too, or `size`")]
    last = end.size // MIB * MIB  # sgdisk includes the sector at the end, so the next partition starts 1 MiB later
    return Geometry({"start": show(here), "end": show(last)}, last + MIB, gap=True), missing


def _read(part: Node, option: str, text: str) -> units.Place:
    """A place or size. Raises ``PlaybookError``."""
    try:
        return units.sgdisk(text)
    except ValueError:
        given = part.text(option)
        raise part.at(option).malformed(
            f"{given!r} is neither a size such as 512M, nor a place such as -8G", "write it as sgdisk(8) reads it"
        ) from None
