"""The playbook that describes a machine as it is: partition tables, partitions, content, swap and mounts. Pure.

What no task can describe becomes a comment that names it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from uuid import NAMESPACE_DNS, uuid5

from subfloor.core.machine import Unknown
from subfloor.observe.disk import Content, DiskState
from subfloor.observe.mount import Mounted
from subfloor.observe.swap import SwapState
from subfloor.playbook.writing import comment, is_literal, playbook_text, task_line
from subfloor.steps.partitioning import is_overwritten
from subfloor.steps.partitions.declared import attributes_of, check_name
from subfloor.storage.devices import partition_node
from subfloor.storage.filesystems import LUKS, TOOLS, check_label
from subfloor.storage.gpt import Entry, Gpt
from subfloor.storage.partition_types import OTHER_SYSTEMS, type_name
from subfloor.storage.sizes import show

_HEAD = """\
# What is on this machine, written by `subfloor draft`. Review it, and change what you want to change.
#
#   subfloor adopt FILE    takes the disks over: it writes UUIDs into their partition tables, and nothing else
#   subfloor check FILE    then reports every difference from this file
"""

_SEEN_OPTIONS = re.compile(r"ro|noatime|nodiratime|lazytime|nosuid|nodev|noexec|(compress|fmask|dmask)=\S+")
"""Options of a mount that a person probably chose. Most other options are the kernel's defaults."""


@dataclass(frozen=True)
class Drafted:
    """What was seen: disks by their paths in the playbook, mounts by mount point, swap areas by the kernel's node.

    ``mounts``: the mount that is visible at each mount point.
    """

    disks: Mapping[str, DiskState]
    mounts: Mapping[str, Mounted] = field(default_factory=dict)
    swaps: Mapping[str, SwapState] = field(default_factory=dict)

    def paths(self) -> Mapping[str, str]:
        """The paths of all partitions in the playbook, by the kernel's node."""
        return {
            disk.partition_node(volume.number): partition_node(path, volume.number)
            for path, disk in self.disks.items()
            for volume in disk.volumes
        }


def draft(seen: Drafted) -> str:
    """The playbook, as YAML."""
    uuids = [disk.table.id for disk in seen.disks.values() if isinstance(disk.table, Gpt)]
    seed = f"drafted-{uuid5(uuids[0] if uuids else NAMESPACE_DNS, 'seed').hex[:12]}"
    body = [
        line for number, (path, disk) in enumerate(seen.disks.items(), 1) for line in _disk(seen, path, disk, number)
    ]
    return playbook_text(_HEAD, "This machine", seed, [*body, *_mounts(seen), *_swaps(seen)])


# Disks.


def _disk(seen: Drafted, path: str, disk: DiskState, number: int) -> Iterator[str]:
    yield from comment(f"{path}: {disk.about}")
    if not path.startswith("/dev/disk/"):
        yield from comment("A name below /dev/disk/by-id leads to the same disk when the kernel's names change.")
    why = _why_no_layout(disk)
    if why:
        yield from comment(f"Not described: {why}")
        yield ""
        return
    assert isinstance(disk.table, Gpt)
    others = {entry.number: _why_left(seen, disk, disk.table, entry) for entry in disk.table.entries}
    left = any(others.values())
    if left:
        yield from comment("`existing: keep`: partitions that are not described below stay as they are.")
    named = {} if number == 1 else {"disk": f"disk{number}"}
    yield task_line("gpt-label", device=path, **named, **({"existing": "keep"} if left else {}))
    for entry in disk.table.entries:
        yield from (
            _left(disk, entry, others[entry.number]) if others[entry.number] else _partition(seen, path, disk, entry)
        )
    yield ""


def _why_no_layout(disk: DiskState) -> str:
    """Why no task can describe the layout of the disk; empty if tasks can describe it."""
    if disk.kind != "disk":
        return f"it is a {disk.kind}, and no task lays one out"
    if disk.mapped:
        below = ", ".join(disk.mapped.below) or "another device"
        return f"it lies on {below}; a draft describes nothing inside of a container, volume group or array"
    if not isinstance(disk.table, Gpt):
        return f"only disks with a GPT can be taken over, and this is {disk.describe()}"
    if is_overwritten(disk) or disk.table.taken:
        return "its GPT was overwritten in part"
    ends = sorted((entry.start, entry.end) for entry in disk.table.entries)
    beyond = any(start < disk.table.first_lba or end - 1 > disk.table.last_lba for start, end in ends)
    overlap = any(end > after for (_, end), (after, _) in pairwise(ends))
    return "its partitions overlap, or lie outside the usable space" if beyond or overlap else ""


def _why_left(seen: Drafted, disk: DiskState, table: Gpt, entry: Entry) -> str:
    """Why the playbook cannot declare a partition; empty if it can."""
    names = [each.name for each in table.entries]
    boots_another = any(_is_foreign(disk, each) for each in table.entries)
    checks: tuple[tuple[bool, str], ...] = (
        (_is_foreign(disk, entry), "it belongs to another system, which finds it by its PARTUUID"),
        (
            boots_another and type_name(entry.type) == "esp",
            "another system on this disk is started from it, and is found by its PARTUUID",
        ),
        (not entry.name, f"it has no name; `sfdisk --part-label {disk.node} {entry.number} NAME` gives it one"),
        (names.count(entry.name) > 1, "another partition has the same name"),
        (not _is_valid(check_name, entry.name) or not is_literal(entry.name), "no task can give it this name"),
        (entry.number > 128, "its number is above 128"),
        (attributes_of(entry.attrs) is None, "it has attributes that no task can give it"),
    )
    return next((why for applies, why in checks if applies), "")


def _is_foreign(disk: DiskState, entry: Entry) -> bool:
    """Whether another system uses the partition: by its type, unless it has content of Linux.

    Older programs gave partitions with Linux data the type of Microsoft's data.
    """
    volume = disk.volume(entry.number)
    content = volume.content if volume else None
    for_linux = isinstance(content, Content) and content.type in {*TOOLS, LUKS} - {"vfat"}
    return entry.type in OTHER_SYSTEMS and not for_linux


def _left(disk: DiskState, entry: Entry, why: str) -> Iterator[str]:
    volume = disk.volume(entry.number)
    holds = volume.content if volume and isinstance(volume.content, Content) else "nothing recognisable"
    size = show(entry.size * disk.limits.sector)
    kind = type_name(entry.type)
    yield from comment(f"Not described: partition {entry.number} {entry.name!r} ({kind}, {size}, {holds}): {why}.")


def _partition(seen: Drafted, path: str, disk: DiskState, entry: Entry) -> Iterator[str]:
    sector, volume = disk.limits.sector, disk.volume(entry.number)
    content = volume.content if volume else None
    filled, why = _filled(seen, content)
    start = {"start": show(entry.start * sector)} if disk.grid.aligned(entry.start) else {}
    if not start:
        yield from comment(
            f"It starts at byte {entry.start * sector}, which is not aligned; subfloor would align a new one."
        )
    if why:
        yield from comment(why)
    attributes = attributes_of(entry.attrs)
    yield task_line(
        "aligned-partition",
        device=path,
        number=entry.number,
        name=entry.name,
        type=type_name(entry.type),
        **start,
        size=show(entry.size * sector),
        **({"attributes": list(attributes)} if attributes else {}),
        **({} if filled else {"raw": True}),
    )
    if filled:
        label = {"label": filled.label} if filled.label else {}
        yield task_line("mkfs", device=partition_node(path, entry.number), type=filled.type, **label)


def _filled(seen: Drafted, content: Content | Unknown | None) -> tuple[Content | None, str]:
    """The content if `mkfs` can describe it, and an empty text; otherwise None and the reason."""
    if not isinstance(content, Content):
        return None, "It holds nothing recognisable."
    if content.type == LUKS:
        return None, "It holds a LUKS container. A `luks` task opens only those that it made, so it is left out here."
    if content.type not in TOOLS:
        return None, f"It holds {content.named}, which no task describes."
    if not _is_valid(partial(check_label, content.type), content.label) or not is_literal(content.label):
        return None, f"It holds {content.named}, and no task can give it this label."
    if content.uuid and _holders(seen, content.uuid) > 1:
        return None, f"It holds {content.named}, which lies on several devices; no task describes that."
    return content, ""


def _holders(seen: Drafted, uuid: str) -> int:
    contents = [volume.content for disk in seen.disks.values() for volume in disk.volumes]
    return sum(isinstance(each, Content) and each.uuid == uuid for each in contents)


# What is mounted, and swap.


def _mounts(seen: Drafted) -> Iterator[str]:
    paths = seen.paths()
    for path, mounted in sorted(seen.mounts.items()):
        if mounted.type == "tmpfs":
            yield from _tmpfs(path, mounted)
        elif mounted.root != "/" and mounted.type != "btrfs":
            yield from comment(f"Not described: {path} shows {mounted.root} of {mounted.source} (a bind).")
        elif mounted.source not in paths:
            yield from comment(f"Not described: {mounted.source} ({mounted.type}) at {path}: it is on no disk above.")
        elif not is_literal(path):
            yield from comment(f"Not described: {mounted.source} at {path}: no playbook can name this path.")
        else:
            yield _mount(path, paths[mounted.source], mounted)


def _mount(path: str, source: str, mounted: Mounted) -> str:
    options = sorted(option for option in mounted.options if _SEEN_OPTIONS.fullmatch(option))
    if mounted.type == "btrfs":
        options.append(f"subvol={mounted.root}")
    return task_line("mount", source=source, path=path, type=mounted.type, **({"options": options} if options else {}))


def _tmpfs(path: str, mounted: Mounted) -> Iterator[str]:
    given = dict(option.partition("=")[::2] for option in mounted.options)
    size = re.fullmatch(r"(\d+)k", given.get("size", ""))
    if not size:
        yield from comment(f"Not described: the tmpfs at {path}, whose size the kernel does not show.")
        return
    mode = {"mode": f"{int(given['mode'], 8):04o}"} if "mode" in given else {"mode": "1777"}
    yield task_line("tmpfs-mount", path=path, size=show(int(size[1]) << 10), **mode)


def _swaps(seen: Drafted) -> Iterator[str]:
    paths = seen.paths()
    for node, state in sorted(seen.swaps.items()):
        if node in paths and state.active:
            priority = {} if state.priority is None else {"priority": state.priority}
            yield task_line("swap", device=paths[node], **priority)


def _is_valid(check: Callable[[str], object], text: str) -> bool:
    try:
        check(text)
    except ValueError:
        return False
    return True


def is_within(path: str, root: str) -> bool:
    """Whether a path lies at or below the root."""
    return posixpath.commonpath((path, root)) == root


def mounted_within(paths: Iterable[str], root: str | None) -> tuple[str, ...]:
    """The paths at or below the root, each once; all of them if there is no root."""
    return tuple(dict.fromkeys(path for path in paths if root is None or is_within(path, root)))
