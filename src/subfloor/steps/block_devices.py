"""The source of a mount or swap area: the path of a partition, or a tag such as ``LABEL=nixos``.

A tag is looked up on the disks of the play first, in their current or planned state, so nothing waits for the
links of udev. All of it is pure.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from subfloor.core.errors import NotVisible, Refused
from subfloor.core.machine import AnySubject, Machine, Unknown
from subfloor.core.parameters import Param
from subfloor.core.task import Task
from subfloor.observe.disk import Content, Disk, DiskState, Missing, PartitionState, Unopened
from subfloor.observe.tag import Tag
from subfloor.steps.volumes import is_filled_by, marked_name, subjects_below
from subfloor.storage.devices import device
from subfloor.storage.marks import LABELLING, STAGES, is_final

_TAG = re.compile(r"(LABEL|UUID|PARTLABEL|PARTUUID)=(.+)")
_LINK = re.compile(r"/dev/disk/by-(label|uuid|partlabel|partuuid)/([^/]+)")


@dataclass(frozen=True)
class Source:
    """A device with the declared content. ``node``: its name in the kernel. ``fresh``: known to be empty.

    ``called``: its name in the play, if its name in the kernel tells a person nothing (``/dev/dm-0``).
    """

    node: str
    disk: str = ""
    number: int | None = None
    fresh: bool = False
    called: str = ""

    @property
    def name(self) -> str:
        """The name of the device in messages."""
        return self.called or self.node


def check(text: str) -> None:
    """Raise ``ValueError`` unless the text is a tag or a path below /dev."""
    if not _TAG.fullmatch(text):
        device(text)


def tag_of(text: str) -> tuple[str, str] | None:
    """The kind and value of a tag, or of a udev link by a tag; None for any other path."""
    if found := _TAG.fullmatch(text):
        return found[1], found[2].strip('"')
    if found := _LINK.fullmatch(text):
        return found[1].upper(), _decoded(found[2])
    return None


def link(text: str) -> str:
    """A source as a path on the installed system: a tag becomes the link that udev makes for it."""
    tag = tag_of(text)
    return f"/dev/disk/by-{tag[0].lower()}/{_encoded(tag[1])}" if tag else text


def _decoded(name: str) -> str:
    raw = re.sub(rb"\\x([0-9a-f]{2})", lambda hex_: bytes([int(hex_[1], 16)]), name.encode())
    return raw.decode("utf-8", "surrogateescape")


def _encoded(name: str) -> str:
    """The name as udev writes it: all but letters, digits and ``#+-.:=@_`` become ``\\xHH`` (libudev's encode)."""
    return "".join(
        char if char > "\x7f" or char.isalnum() or char in "#+-.:=@_" else f"\\x{ord(char):02x}" for char in name
    )


Naming = Literal["label", "partuuid"]
"""How the installed system finds a partition: by the label that the play gives to its content, or by its
partition UUID."""

NamingParameter = Annotated[
    Naming, Param("How to find partitions: by the label that the play gives to their content, or by their own UUID")
]


def stable(machine: Machine, source: str, label: str, by: Naming) -> str:
    """The path by which the installed system finds a device, independent of its name in the kernel.

    ``label``: the label that the play gives to the content. A declared tag is kept. Raises ``Refused`` if the device
    has only a name that the kernel assigns at every boot.
    """
    if by == "label" and label:
        return link(f"LABEL={label}")
    if not stable_looks(source, label, by):
        return link(source)
    named = device(source)
    state = machine[Disk(named.disk)]
    entry = state.entry(named.number) if isinstance(state, DiskState) and named.number is not None else None
    if entry:
        return link(f"PARTUUID={entry.uuid}")
    if not _is_kernels(source):
        return source
    raise Refused(
        f"{source} is not a partition of a GPT, and the kernel may give this name to another device at the next boot",
        advice="name it by a link below /dev/disk/by-id, or by a tag such as UUID=; `lsblk -o +UUID,LABEL` shows them",
    )


def stable_looks(source: str, label: str, by: Naming) -> frozenset[AnySubject]:
    """All subjects that ``stable`` reads."""
    if tag_of(source) or (by == "label" and (label or not _is_kernels(source))):
        return frozenset()
    return frozenset({Disk(device(source).disk)})


def _is_kernels(path: str) -> bool:
    """Whether the kernel assigned the path of a device. Paths in folders below /dev are links, which do not change."""
    return posixpath.dirname(path) == "/dev"


def disks_in(play: Iterable[Task], source: str) -> tuple[str, ...]:
    """The disks of a play on which a tag is looked up; for a path, the devices that its device lies on."""
    tasks = tuple(play)
    if tag_of(source) is None:
        subjects = subjects_below(source, tasks)
    else:
        subjects = frozenset(subject for task in tasks for subject in task.subjects())
    return tuple(sorted({subject.path for subject in subjects if isinstance(subject, Disk)}))


def label_in(play: Iterable[Task], source: str) -> str:
    """The label that a task of the play gives to the content of this device; "" if none does."""
    for task in play:
        if task.key == "mkfs" and is_filled_by(task, source):
            return str(getattr(task, "label", ""))
    return ""


def subjects_of(source: str, disks: Iterable[str]) -> frozenset[AnySubject]:
    """All subjects that ``found`` reads."""
    tag = tag_of(source)
    if tag is None:
        return frozenset({Disk(device(source).disk), *map(Disk, disks)})
    return frozenset({Tag("=".join(tag)), *map(Disk, disks)})


def found(machine: Machine, source: str, disks: Iterable[str], kind: str) -> Source:
    """The device that holds a finished filesystem (or swap area) of this type.

    Raises ``Refused`` if there is no such device, or more than one, or if it holds something else.
    """
    tag = tag_of(source)
    if tag is None:
        named = device(source)
        if _is_hidden(machine, named.disk, disks):
            return Source(named.disk, named.disk)
        return _on_disk(machine, source, named.disk, named.number, kind)
    return _tagged(machine, source, tag, tuple(disks), kind)


def in_use(machine: Machine, source: Source, use: str) -> Machine:
    """The machine after the source came into use, for example by a mount."""
    node = _node_of(machine, source.disk)
    for subject in machine:
        state = machine[subject] if isinstance(subject, Disk) else None
        if isinstance(state, DiskState) and state.node == node:
            machine = machine.with_(subject, _used(state, source.number, use))
    return machine


def read_only(machine: Machine, source: Source) -> bool:
    """Whether the disk of the source is read-only; False if the disk was not read."""
    state = machine.get(Disk(source.disk))
    return isinstance(state, DiskState) and state.read_only


def _node_of(machine: Machine, disk: str) -> str | None:
    state = machine.get(Disk(disk))
    return state.node if isinstance(state, DiskState) else None


def _used(state: DiskState, number: int | None, use: str) -> DiskState:
    if number is None:
        return replace(state, in_use=True, users=(*state.users, use))
    volume = state.volume(number)
    return state.with_volume(replace(volume, in_use=True, users=(*volume.users, use))) if volume else state


# Lookup by path.


def _is_hidden(machine: Machine, disk: str, below: Iterable[str]) -> bool:
    """Whether the device does not exist yet because a device below it is still closed or inactive."""
    closed = any(isinstance(machine.get(Disk(each)), Unopened) for each in below)
    return closed and isinstance(machine[Disk(disk)], Missing)


def _on_disk(machine: Machine, source: str, disk: str, number: int | None, kind: str) -> Source:
    state = machine[Disk(disk)]
    if isinstance(state, Missing):
        there = "; ".join(state.present) or "none"
        raise Refused(f"there is no device {disk}", advice=f"name another disk; this machine has: {there}")
    if isinstance(state, Unopened):
        return Source(disk, disk)  # its content is read and judged once the device is open
    if number is None:
        return _whole(machine, source, disk, state, kind)
    volume = state.volume(number)
    if volume is None:
        raise Refused(
            f"{disk} has no partition {number}", advice="put an `aligned-partition` task before this one, and a `mkfs`"
        )
    _check_finished(source, state, volume)
    _check_visible(source, disk, volume)
    _check_type(source, _type(volume), kind)
    fresh = isinstance(volume.content, Content) and volume.content.fresh
    return Source(state.partition_node(number), disk, number, fresh)


def _whole(machine: Machine, source: str, disk: str, state: DiskState, kind: str) -> Source:
    types = [signature for signature in state.signatures if signature == kind] or list(state.signatures)
    if state.table is not None:
        raise Refused(f"{source} is partitioned", advice="name one of its partitions; `lsblk` lists them")
    if not is_final(name := marked_name(machine, state)):
        raise _unfinished(source, name, f"it has the mark {name!r}")
    _check_type(source, ", ".join(types), kind)
    fresh = state.content is not None and state.content.fresh
    return Source(state.node, disk, fresh=fresh, called=source if state.node.startswith("/dev/dm-") else "")


def _check_finished(source: str, state: DiskState, volume: PartitionState) -> None:
    entry = state.entry(volume.number)
    if entry and not is_final(entry.name):
        raise _unfinished(source, entry.name)
    if not volume.known:
        raise Refused(
            f"the kernel's entry for {source} differs from the partition table",
            advice="put a `gpt-label` task for the disk before this one: it updates the kernel",
        )


def _check_visible(source: str, disk: str, volume: PartitionState) -> None:
    """Raise ``NotVisible`` for a partition that the kernel does not have yet, so nobody has seen its content."""
    if isinstance(volume.content, Unknown):
        raise NotVisible(
            f"the content of {source} is unknown until the table of {disk} is repaired",
            advice="a `gpt-label` task repairs it",
        )


def _unfinished(source: str, name: str, where: str = "") -> Refused:
    where = where or f"the partition is named {name!r}"
    if name.endswith(LABELLING):
        return Refused(
            f"a label change on {source} was interrupted: {where}",
            advice="put a `mkfs` task for it before this one: it repairs the content and sets the label, without loss",
        )
    return Refused(
        f"the content of {source} is unfinished: {where}",
        advice="put a `mkfs` task for it before this one: it makes the content again",
    )


def check_forgettable(machine: Machine, source: str) -> None:
    """Raise ``Refused`` unless this is a finished partition that is empty or holds swap. May raise ``NotVisible``."""
    named = device(source)
    state = machine[Disk(named.disk)]
    volume = state.volume(named.number) if isinstance(state, DiskState) and named.number is not None else None
    if not isinstance(state, DiskState) or not volume or not state.entry(volume.number):
        raise Refused(
            f"there is no partition {source}",
            advice="put an `aligned-partition` task with `raw: true` before this one",
        )
    _check_finished(source, state, volume)
    _check_visible(source, named.disk, volume)
    if _type(volume) not in ("", "swap"):
        raise Refused(
            f"{source} holds {volume.content}, which would be lost at the next boot",
            advice="name a partition for swap; see `blkid`",
        )


def _type(volume: PartitionState) -> str:
    return volume.content.type if isinstance(volume.content, Content) else ""


def _check_type(source: str, there: str, kind: str) -> None:
    if there == kind:
        return
    if not there:
        what = "swap area" if kind == "swap" else f"{kind} filesystem"
        raise Refused(f"{source} holds no {what}", advice="put a `mkfs` task for it before this one")
    raise Refused(
        f"{source} holds {there}, but {kind} is declared",
        advice="declare that type, or name another device; see `blkid`",
    )


# Lookup by tag.


def _tagged(machine: Machine, source: str, tag: tuple[str, str], disks: tuple[str, ...], kind: str) -> Source:
    own = dict(_own(machine, tag, disks))
    others = {each.node: each for each in machine[Tag("=".join(tag))] if not _is_of(machine, each.node, disks)}
    nodes = sorted(own.keys() | others.keys())
    if len(nodes) > 1:
        raise Refused(
            f"{source} is ambiguous: {', '.join(nodes)} have it",
            advice="name the device by its path, or by a tag that only one device has, such as PARTUUID=",
        )
    if not nodes:
        raise _nowhere(machine, source, tag, disks)
    if nodes[0] in own:
        disk, number = own[nodes[0]]
        return _on_disk(machine, nodes[0], disk, number, kind)
    other = others[nodes[0]]
    if not is_final(other.name):
        raise _unfinished(other.node, other.name)
    _check_unmarked(machine, other.node)
    _check_type(other.node, other.type, kind)
    return Source(other.node)


def _check_unmarked(machine: Machine, node: str) -> None:
    """Raise ``Refused`` if this is a whole disk whose content is unfinished. May raise ``LookNeeded``."""
    if device(node).number is not None or node.startswith(("/dev/dm-", "/dev/mapper/")):
        return
    state = machine.further(Disk(node))
    if isinstance(state, DiskState) and not is_final(name := marked_name(machine, state)):
        raise _unfinished(node, name, f"it has the mark {name!r}")


def _own(
    machine: Machine, tag: tuple[str, str], disks: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, int | None]]]:
    for disk, state in _states(machine, disks):
        if _content_value(state.content, tag[0]) == _compared(tag):
            yield state.node, (disk, None)
        for volume in state.volumes:
            if _value(state, volume, tag[0]) == _compared(tag):
                yield state.partition_node(volume.number), (disk, volume.number)


def _value(state: DiskState, volume: PartitionState, kind: str) -> str | None:
    """The value of this kind of tag for a volume, a UUID in lower case; None if it has no such tag."""
    if kind.startswith("PART"):
        entry = state.entry(volume.number)
        if entry is None:
            return None
        return entry.name if kind == "PARTLABEL" else str(entry.uuid)
    return _content_value(volume.content, kind)


def _content_value(content: Content | Unknown | None, kind: str) -> str | None:
    if not isinstance(content, Content) or kind.startswith("PART"):
        return None
    return content.label if kind == "LABEL" else content.uuid.lower()


def _compared(tag: tuple[str, str]) -> str:
    return tag[1].lower() if tag[0].endswith("UUID") else tag[1]


def _is_of(machine: Machine, node: str, disks: tuple[str, ...]) -> bool:
    """Whether a device is one of these disks, or a partition of one. Their tags are read from the disk itself."""
    return device(node).disk in {state.node for _, state in _states(machine, disks)}


def _states(machine: Machine, disks: tuple[str, ...]) -> Iterator[tuple[str, DiskState]]:
    for disk in disks:
        state = machine[Disk(disk)]
        if isinstance(state, DiskState):
            yield disk, state


def _nowhere(machine: Machine, source: str, tag: tuple[str, str], disks: tuple[str, ...]) -> Refused:
    for disk in disks:
        if isinstance(closed := machine[Disk(disk)], Unopened):
            raise closed.error(disk)
    for stage in STAGES if tag[0] == "PARTLABEL" else ():
        for node, _ in _own(machine, (tag[0], tag[1] + stage), disks):
            return _unfinished(node, tag[1] + stage)
    return Refused(f"no device has {source}", advice="see `blkid` for all tags; or put a `mkfs` task first")
