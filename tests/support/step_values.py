"""Machines, written down in a few lines of YAML: what the cases in tests/data/steps are given.

Every key names a subject, with defaults for all that a case does not care about:

    disk /dev/mapper/x:                   # the open container of ours in partition 1 named crypt of /dev/vda
      {opened: [1, crypt], holds: ext4 nixos, users: [mounted at /mnt]}
    disk /dev/mapper/pool-root:           # a logical volume of ours in a group of ours
      {logical: [pool, root], holds: ext4 nixos, users: [mounted at /mnt]}
    group pool:                           # ours, on the partitions of /dev/vda with these names; 4 MiB an extent
      # also `tags`, `others`; a volume may be followed by its kind and images, or `thin:POOL`: `data: 8 raid1:2`
      {of: {1: lvm}, free: 10, volumes: {root: 256, swap: 64 .unfinished, data: 8 foreign}}
    images /dev/mapper/pool-root: [2, 1]  # how many a RAID volume has, and how many failed; else it is not active
    physical 1 lvm: other in-use unreadable   # the group of its physical volume, or `-`; else it is in none
    luks /dev/vda1: 0 24 allow-discards from=16MiB   # key slots and flags of the header, and where its data, which
      # reaches to the end of the partition, begins; else slot 0 where a container is
    array root: [/dev/vda1, /dev/vdb1]    # the members of our array; or {members, level, count, faulty, active, uuid,
      # chunk, layout, metadata, broken}
    disk /dev/md/root:                    # our array as a disk
      {size: 1007MiB, holds: ext4 nixos, marked: .unfinished}
    member /dev/vdb1: alone               # its superblock says that it was used apart from its fellows; else it was not
    memory: 8GiB
    disk /dev/vdb:                        # without a table: our content, or that of a UUID; and the mark of its stage
      {holds: ext4 data, marked: .labelling}
    disk /dev/vda:                        # 30 GiB and blank; `absent` where there is no such disk
      size: 30GiB                       # or `none`, as of a drive without a medium
      table: ours                         # or a label-id, or {id, length, damage: […], taken: […]}, or {type: dos}
      partitions:                         # one after another from 1 MiB on, ours, of type linux, known to the kernel
        - {name: ESP, type: esp, size: 512MiB, holds: vfat boot}   # a type, a label, and our UUID
        - {name: nix.unfinished, size: 8GiB}
    mount /mnt: tmpfs                     # source, type, options; a list where mounts are stacked; `none`
    mount /mnt/nix: /dev/vda3 ext4 noatime
    path /mnt/nix: directory              # or `file 0644 root:root`, `absent`, `link`, `unseen`
    path /mnt/b: real /elsewhere          # behind a symbolic link; or `under /file`, where a file is in the way
    text /mnt/etc/x: "what the file says" # or {absent: true}
    swap /dev/vda2: active 5              # or `none`
    tag LABEL=data: [/dev/vdb1 ext4]
    size /dev/vda1 ext4: 1GiB             # of the filesystem of this type on a device; else it is unknown
    filesystem /mnt/x: {at: /mnt, source: tmpfs, type: tmpfs, root: /}   # else told from the mounts
    hidden /mnt/x < /mnt/nix/x: {missing: […], different: […]}
    condition test -e x: true             # what the condition of a `command` says
    exists /mnt/x: true                   # or `unseen`
    used /mnt: 1GiB                       # how much a filesystem holds
    account user ada: false               # whether the machine has a user, or a group, of this name
    tool nixos-generate-config: true      # whether the program is there
    secret /mnt/x: "what the file says"   # or {unseen: true}
    machine-id /mnt/x: valid              # or `invalid`, `none yet`, `absent`, `unseen`
    host-key /mnt/x: private              # or `public`, `empty`, `other`, `absent`, `unseen`
    configuration /mnt/etc/nixos: {configuration.nix: SHA-256}      # or `unseen`; the digests may be any text
    installed /mnt: {path: /nix/store/x, made-from: …, boots: true}  # or `unseen`; with the usual boot and record
    leftovers /mnt/boot: [loader/loader.tmp]
    running: nixos 25.11 25.11.2026     # ID, VERSION_ID and BUILD_ID of os-release(5); else `debian 12`
    uefi: false                         # what started the machine; else UEFI did
    git /mnt/etc/nixos: [local.nix]     # a repository, and what it does not track; `unreadable`; else there is none
    subvolume /mnt/@x: read-only nocow zstd default quotas 64MiB filled   # any of these words; `absent`, `unseen`
    swap-file /mnt/x: 8GiB swap ours:/x active 5 holes copied   # `ours:` and its path inside the filesystem; `unseen`
    offset /mnt/x: 1234                   # where a swap file begins, in pages; or `unseen`, `unknown`
    free /dev/vda:                        # what free space of a disk still holds; else nothing
      - {at: 513MiB, size: 8GiB, holds: ext4 nixos, ours: [2, nix]}     # number and name whose UUID it has; or `uuid`
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from subfloor.core.identity import Identity
from subfloor.core.machine import AnySubject, Machine, Unknown
from subfloor.core.secret import Secret
from subfloor.observe.account import Account
from subfloor.observe.array import Array, ArraysNamed, MemberOf, Superblock
from subfloor.observe.disk import (
    Content,
    Disk,
    DiskState,
    FreeSpace,
    Holdings,
    Limits,
    Mapped,
    Missing,
    OtherTable,
    PartitionState,
    Remains,
)
from subfloor.observe.filesystem_size import FilesystemSize, SizeOn
from subfloor.observe.git import Repository, Tracking
from subfloor.observe.hidden import Hidden, Hiding
from subfloor.observe.holders import Holders
from subfloor.observe.images import Images, ImagesOf
from subfloor.observe.layers import Layer
from subfloor.observe.layers.member import Member
from subfloor.observe.luks import Header, LuksHeader
from subfloor.observe.memory import Memory, MemoryState
from subfloor.observe.mount import DevicesMounted, InUse, Mount, Mounted, MountLocation, MountState, UnderlyingMount
from subfloor.observe.nixos import BootLeftovers, Configuration, InstalledSystem, Leftovers, Sources, System
from subfloor.observe.path import (
    DIRECTORY,
    FILE,
    LINK,
    Absent,
    Blocked,
    Node,
    NotYetVisible,
    Path,
    Text,
    TextFile,
    ThroughSymlink,
    is_below,
)
from subfloor.observe.running import OsRelease, RunningSystem, StartedByUefi
from subfloor.observe.secret_file import SecretFile
from subfloor.observe.subvolume import COMPRESSIONS, Subvolume, SubvolumeState
from subfloor.observe.swap import Swap, SwapState
from subfloor.observe.swap_file import Offset, ResumeOffset, SwapInFile, SwapInFileState
from subfloor.observe.tag import Tag, Tagged
from subfloor.observe.tool import Tool
from subfloor.observe.usage import Usage, Used
from subfloor.observe.volume_group import Group, Logical, Membership, NamedGroup, Physical, PhysicalVolume
from subfloor.steps.volumes import luks
from subfloor.storage import gpt, lvm, sizes
from subfloor.storage.arrays import name_in
from subfloor.storage.devices import device
from subfloor.storage.end_mark import EndMark
from subfloor.storage.filesystems import RAID, lvm_uuid, uuid_on_disk
from subfloor.storage.marks import final
from subfloor.storage.partition_types import type_guid

IDENTITY = Identity("seed", "host")
"""Whose partitions are ``ours`` in the cases."""

_COMMAND = importlib.import_module("subfloor_plugins.command")
"""The subjects that the task `command` brings. Plugins come in by their entry points, under this name."""

_MACHINE_ID = importlib.import_module("subfloor_plugins.machine_id")

_HOST_KEYS = importlib.import_module("subfloor_plugins.ssh_host_keys")

_ROOT = MountLocation("/", "/dev/sda1", "ext4")


def machine(given: Mapping[str, Any], subjects: Iterable[AnySubject]) -> Machine:
    """What ``given`` says of each subject; of those that it does not name, what is usual."""
    later = ("free ", "layer ", "member ", "physical ")
    seen = dict(_subject(key, value) for key, value in given.items() if not key.startswith(later))
    for subject in subjects:
        if subject not in seen:
            seen[subject] = _usual(subject, seen)
    return Machine(seen)


def _is_looked_at(subject: FreeSpace | Holdings, place: int) -> bool:
    if isinstance(subject, FreeSpace):
        return subject.hole[0] <= place < subject.extent[1]
    return any(place == start for start, _ in subject.extents) or any(a <= place < b for a, b in subject.holes)


def look(given: Mapping[str, Any]) -> Callable[[Iterable[AnySubject]], Machine]:
    """A look at what a task asks for besides: the free space of disks."""
    free = {key.removeprefix("free "): value for key, value in given.items() if key.startswith("free ")}

    def seen(subjects: Iterable[AnySubject]) -> Machine:
        found: dict[AnySubject, Any] = {}
        for subject in subjects:
            if isinstance(subject, Holders):
                found[subject] = ()
                continue
            if isinstance(subject, MemberOf):
                found[subject] = _member(given, subject.node)
                continue
            if isinstance(subject, Member):
                found[subject] = Layer(unseen=given.get(f"layer {subject.node}", ""))
                continue
            if isinstance(subject, PhysicalVolume):
                physical = dict(_physical(key, value) for key, value in given.items() if key.startswith("physical "))
                found[subject] = physical.get(subject, Membership())
                continue
            assert isinstance(subject, FreeSpace | Holdings), f"nothing is known of {subject}"
            remains = [_remains(about, given, subject.path) for about in free.get(subject.path, ())]
            found[subject] = tuple(r for r in remains if _is_looked_at(subject, r.start))
        return Machine(found)

    return seen


def _remains(about: Mapping[str, Any], given: Mapping[str, Any], path: str) -> Remains:
    kind, _, label = about["holds"].partition(" ")
    uuid = about.get("uuid", "")
    if "ours" in about:
        state = disk(path, given[f"disk {path}"])[1]
        assert isinstance(state, DiskState) and isinstance(state.table, gpt.Gpt)
        uuid = uuid_on_disk(kind, IDENTITY.filesystem(IDENTITY.partition(state.table.id, *about["ours"])))
    size = sizes.parse(about["size"]) if "size" in about else 0
    return Remains(sizes.parse(about["at"]), Content(kind, label, uuid), size)


def _subject(key: str, value: Any) -> tuple[AnySubject, Any]:
    kind, _, name = key.partition(" ")
    return _KINDS[kind](name, value)


def _usual(subject: AnySubject, seen: Mapping[AnySubject, Any]) -> Any:
    if isinstance(subject, Mount):
        below = (each.path for each, state in seen.items() if isinstance(each, Mount) and state.stack)
        return MountState(real=subject.path, below=tuple(path for path in below if is_below(path, subject.path)))
    if isinstance(subject, UnderlyingMount):
        return _cover(subject.path, seen)
    if isinstance(subject, Path):
        mount = seen.get(Mount(subject.path), MountState())
        return _node("directory") if subject.path == "/" or mount.stack else Absent()
    if isinstance(subject, DevicesMounted):
        mounts = ((each.path, state.top) for each, state in seen.items() if isinstance(each, Mount))
        return InUse(tuple((top.source, path, top.options) for path, top in mounts if top))
    if isinstance(subject, LuksHeader):
        named = device(subject.device)
        found = seen.get(Disk(named.disk))
        volume = found.volume(named.number or 0) if isinstance(found, DiskState) else None
        held = volume.content if volume else None
        return Header(2, frozenset({0})) if isinstance(held, Content) and held.type == "crypto_LUKS" else None
    for kind, value in _USUAL:
        if isinstance(subject, kind):
            return value
    raise KeyError(f"the case says nothing of {subject}")


_USUAL: tuple[tuple[type[AnySubject], Any], ...] = (
    (Disk, Missing(("/dev/sda (931 GiB)",))),
    (ArraysNamed, ()),
    (ImagesOf, None),
    (SizeOn, FilesystemSize()),
    (_COMMAND.Condition, False),
    (_COMMAND.Exists, False),
    (_MACHINE_ID.MachineId, "absent"),
    (_HOST_KEYS.KeyFile, "absent"),
    (TextFile, Absent()),
    (SecretFile, Absent()),
    (Hidden, Hiding()),
    (Account, True),
    (Subvolume, Absent()),
    (NamedGroup, None),
    (Swap, SwapState()),
    (SwapInFile, Absent()),
    (ResumeOffset, Absent()),
    (Tag, ()),
    (Memory, MemoryState(8 << 30)),
    (Usage, Used()),
    (Tool, False),
    (Configuration, Sources()),
    (InstalledSystem, Absent()),
    (BootLeftovers, Leftovers()),
    (RunningSystem, OsRelease("debian", "12")),
    (StartedByUefi, True),
    (Tracking, None),
)


def _cover(path: str, seen: Mapping[AnySubject, Any]) -> MountLocation:
    covering = [
        MountLocation(subject.path, state.top.source, state.top.type, state.top.root)
        for subject, state in seen.items()
        if isinstance(subject, Mount) and state.top and (subject.path == path or is_below(path, subject.path))
    ]
    return max([_ROOT, *covering], key=lambda cover: len(cover.at))


# Disks.


def disk(path: str, about: Any) -> tuple[AnySubject, DiskState | Missing]:
    """A disk's state; see the module's documentation."""
    if about == "absent":
        return Disk(path), Missing(("/dev/sda (931 GiB)",))
    about = dict(about or {})
    given = about.pop("size", "30GiB")
    size = 0 if given == "none" else sizes.parse(given)
    limits = Limits(
        sector=about.pop("sector", 512),
        physical=about.pop("physical", 512),
        minimum_io=about.pop("minimum-io", 512),
        optimal_io=about.pop("optimal-io", 0),
        alignment_offset=about.pop("alignment-offset", 0),
    )
    table = _table(about.pop("table", None), size // limits.sector, limits.sector)
    parts = list(_partitions(about.pop("partitions", ()), table, limits.sector))
    if isinstance(table, gpt.Gpt):
        entries = tuple(entry for entry, _ in parts if entry)
        table = replace(table, entries=entries)
    volumes = tuple(volume for _, volume in parts if volume)
    if "opened" in about:
        about |= _inside(path, about)
    elif "logical" in about:
        about |= _of_group(about)
    elif "holds" in about or "marked" in about:
        about |= _whole(about, IDENTITY.array(path[8:]) if path.startswith("/dev/md/") else IDENTITY.disk("disk"))
    more = {name.replace("-", "_"): _frozen(value) for name, value in about.items()}
    return Disk(path), DiskState(
        **{"node": path, "size": size, "limits": limits, "table": table, "volumes": volumes} | more
    )


def _of_group(about: dict[str, Any]) -> dict[str, Any]:
    """What device-mapper says of a logical volume of ours, and what is in it."""
    group, name, *other = about.pop("logical")
    mapped = Mapped("LVM-" + (group + (other[0] if other else name)).replace("-", ""))
    return {"mapped": mapped} | _filled(about, IDENTITY.logical_volume(IDENTITY.volume_group(group), name))


def _inside(path: str, about: dict[str, Any]) -> dict[str, Any]:
    """What device-mapper says of an open container of ours, and what is in it."""
    number, name, *other = about.pop("opened")
    container = IDENTITY.filesystem(IDENTITY.partition(IDENTITY.disk("disk"), number, name))
    mapped = Mapped(other[0] if other else luks.dm_uuid(container, path.rpartition("/")[2]))
    return {"mapped": mapped} | _filled(about, container)


def _filled(about: dict[str, Any], volume: UUID) -> dict[str, Any]:
    """The content of a volume, with the UUID that ours has there, and what uses it."""
    holds, fresh = about.pop("holds", None), bool(about.pop("fresh", False))
    users = tuple(about.pop("users", ()))
    found: dict[str, Any] = {"users": users, "in_use": bool(users)}
    if holds == "unopened":
        return found
    content = _content(holds, None, fresh)
    if isinstance(content, Content):
        content = replace(content, uuid=uuid_on_disk(content.type, IDENTITY.filesystem(volume)))
        found |= {"content": content, "signatures": (content.type,)}
    return found


def _whole(about: dict[str, Any], volume: UUID) -> dict[str, Any]:
    """The content of a whole disk or array, which has our UUID unless another one is given, and the mark of it."""
    found: dict[str, Any] = {}
    uuid, holds, stage = about.pop("uuid", ""), about.pop("holds", None), about.pop("marked", "")
    content = _content(holds, None, fresh=False)
    if isinstance(content, Content):
        ours = uuid_on_disk(content.type, IDENTITY.filesystem(volume))
        found |= {"content": replace(content, uuid=uuid or ours), "signatures": (content.type,)}
    return found | ({"mark": EndMark(volume, stage)} if stage else {})


def _arrays(name: str, about: Any) -> tuple[AnySubject, tuple[Array, ...]]:
    given = dict(about) if isinstance(about, Mapping) else {"members": about}
    members, count = frozenset(given.get("members", ())), given.get("count", 2)
    array = Array(
        uuid=given.get("uuid", str(IDENTITY.array(name))),
        node=given.get("node", f"/dev/md/{name}"),
        level=given.get("level", "raid1"),
        count=count,
        each=sizes.parse(given.get("each", "1008MiB")),
        members=members,
        faulty=frozenset(given.get("faulty", ())),
        active=given.get("active", True),
        broken=given.get("broken", False),
        chunk=sizes.parse(given["chunk"]) if "chunk" in given else 0,
        layout=given.get("layout", ""),
        metadata=given.get("metadata", "1.2"),
        syncing=given.get("syncing", ""),
    )
    return ArraysNamed(name), (array,)


def _member(given: Mapping[str, Any], node: str) -> Superblock | None:
    """The superblock of a member of the one array of ours in the case."""
    name = next(key.removeprefix("array ") for key in given if key.startswith("array "))
    said = given.get(f"member {node}", "")
    return None if said == "none" else Superblock(str(IDENTITY.array(name)), alone=said == "alone")


def _group(name: str, about: Any) -> tuple[AnySubject, Group | None]:
    if about == "none":
        return NamedGroup(name), None
    ours, extents = IDENTITY.volume_group(name), about.get("extents", 255)
    physical = [
        Physical(
            lvm_uuid(IDENTITY.filesystem(IDENTITY.partition(IDENTITY.disk("disk"), n, part))), extents, f"/dev/vda{n}"
        )
        for n, part in about.get("of", {}).items()
    ]
    physical += [Physical(uuid, extents, node, not node) for uuid, node in about.get("others", {}).items()]
    logical = (_logical(ours, each, str(words)) for each, words in about.get("volumes", {}).items())
    return NamedGroup(name), Group(
        name=name,
        extent=lvm.EXTENT,
        tags=frozenset(about.get("tags", (lvm.tag(ours),))),
        physical=tuple(sorted(physical, key=lambda each: each.uuid)),
        logical=tuple(sorted(logical, key=lambda each: each.name)),
        free=about.get("free", 0),
        uuid=name,
        namesakes=about.get("namesakes", 0),
    )


def _physical(key: str, words: str) -> tuple[PhysicalVolume, Membership]:
    _, number, name = key.split(" ", 2)
    uuid = lvm_uuid(IDENTITY.filesystem(IDENTITY.partition(IDENTITY.disk("disk"), int(number), name)))
    group, *flags = words.split(" ")
    return PhysicalVolume(uuid), Membership(group.strip("-"), "in-use" in flags, "unreadable" not in flags)


def _logical(group: UUID, name: str, words: str) -> Logical:
    extents, *more = words.split(" ")
    stage = next((word for word in more if word.startswith(".") or word == "foreign"), "")
    kind, _, detail = next((word for word in more if word != stage), "linear").partition(":")
    tags = {lvm.tag(IDENTITY.logical_volume(group, name), stage)} if stage != "foreign" else set()
    pool, images = (detail, 1) if kind == "thin" else ("", int(detail or 1))
    return Logical(name, int(extents), frozenset(tags), kind, images, pool, uuid=name)


def _luks(path: str, about: Any) -> tuple[AnySubject, Header | None]:
    words = str(about).split()
    slots = frozenset(int(word) for word in words if word.isdigit())
    offset = next((sizes.parse(word.removeprefix("from=")) for word in words if word.startswith("from=")), None)
    flags = frozenset(word for word in words if not word.isdigit() and not word.startswith("from="))
    return LuksHeader(path), None if about == "none" else Header(2, slots, flags, offset)


def _table(about: Any, sectors: int, sector: int) -> gpt.Gpt | OtherTable | None:
    if about is None:
        return None
    given = dict(about) if isinstance(about, Mapping) else {"id": about}
    if "type" in given:
        return OtherTable(given["type"], given.get("partitions", 0))
    label = IDENTITY.disk("disk") if given["id"] == "ours" else UUID(given["id"])
    blank = gpt.blank(label, sectors, sector, given.get("length", 128))
    first, last = given.get("first-lba", blank.first_lba), given.get("last-lba", blank.last_lba)
    damage, taken = frozenset(given.get("damage", ())), frozenset(given.get("taken", ()))
    return replace(blank, first_lba=first, last_lba=last, damage=damage, taken=taken, hybrid=given.get("hybrid", False))


def _partitions(
    listed: Iterable[Mapping[str, Any]], table: gpt.Gpt | OtherTable | None, sector: int
) -> Iterator[tuple[gpt.Entry | None, PartitionState | None]]:
    place, number = sizes.MIB // sector, 0
    for about in listed:
        number = about.get("number", number + 1)
        entry = _entry(about, table, number, place, sector) if isinstance(table, gpt.Gpt) else None
        users = tuple(about.get("users", ()))
        in_use = bool(about.get("in-use", users))
        holds = _content(about.get("holds"), entry, bool(about.get("fresh")))
        start, size = (entry.start, entry.size) if entry else (place, sizes.parse("1GiB") // sector)
        where = {"start": start * sector, "size": size * sector}
        volume = PartitionState(number, holds, about.get("known", True), in_use, users, **where)
        place = start + size
        yield entry, None if about.get("volume") == "none" else volume


def _entry(about: Mapping[str, Any], table: gpt.Gpt, number: int, place: int, sector: int) -> gpt.Entry:
    name = about.get("name", "")
    start = _sectors(about["start"], sector) if "start" in about else place
    ours = IDENTITY.partition(table.id, number, final(name))
    uuid = UUID(about["uuid"]) if about.get("uuid", "ours") != "ours" else ours
    size = _sectors(about.get("size", "1GiB"), sector)
    return gpt.Entry(number, start, size, type_guid(about.get("type", "linux")), uuid, name, about.get("attrs", 0))


def _sectors(text: Any, sector: int) -> int:
    """A place or a size: with a unit, or a number of sectors."""
    return text if isinstance(text, int) else sizes.parse(text) // sector


def _content(about: Any, entry: gpt.Entry | None, fresh: bool) -> Content | Unknown | None:
    if about is None or about == "unknown":
        return Unknown() if about else None
    given = (
        dict(about) if isinstance(about, Mapping) else dict(zip(("type", "label"), about.split(" ", 1), strict=False))
    )
    uuid = given.get("uuid", "ours")
    if uuid == "ours" and given["type"] == RAID:
        uuid = str(IDENTITY.array(name_in(given.get("label", ""))))
    if uuid == "ours":
        uuid = uuid_on_disk(given["type"], IDENTITY.filesystem(entry.uuid)) if entry else ""
    return Content(given["type"], given.get("label", ""), uuid, fresh or bool(given.get("fresh")))


# Everything else.


def _mount(path: str, about: Any) -> tuple[AnySubject, MountState]:
    given = dict(about) if isinstance(about, Mapping) else {"stack": about}
    stack = tuple(map(_mounted, _list(given.get("stack"))))
    return Mount(path), MountState(
        stack[-1] if stack else None,
        stack[:-1],
        given.get("real", path),
        tuple(given.get("below", ())),
        tuple(map(_mounted, _list(given.get("buried")))),
        bool(given.get("automount")),
    )


def _list(value: Any) -> list[str]:
    if value in (None, "none"):
        return []
    return list(value) if isinstance(value, list) else [value]


def _mounted(text: str) -> Mounted:
    """``source type options root=/path-inside halted``; all but the source may be left out."""
    words = text.split(" ")
    root = next((word.removeprefix("root=") for word in words if word.startswith("root=")), "/")
    plain = [word for word in words if not word.startswith("root=")]
    options = plain[2] if len(plain) > 2 else "rw,relatime"
    kind = plain[1] if len(plain) > 1 else plain[0]
    return Mounted(plain[0], kind, root, frozenset(options.split(",")), "halted" in plain[3:])


def _path(path: str, about: str) -> tuple[AnySubject, Any]:
    return Path(path), _node(about)


def _node(about: str) -> Absent | NotYetVisible | ThroughSymlink | Blocked | Node:
    kind, _, rest = about.partition(" ")
    if kind == "absent":
        return Absent()
    if kind in ("real", "under"):
        return ThroughSymlink(rest) if kind == "real" else Blocked(rest)
    if kind == "unseen":
        return _unseen(rest)
    mode, _, owners = rest.partition(" ")
    owner, _, group = (owners or "root:root").partition(":")
    kinds = {"directory": DIRECTORY, "file": FILE, "link": LINK, "special": "special file"}
    usual = "0755" if kind == "directory" else "0644"
    return Node(kinds[kind], int(mode or usual, 8), _ids(owner), _ids(group))


def _ids(name: str) -> frozenset[str]:
    return frozenset({"root", "0"} if name == "root" else {name})


def _unseen(about: str) -> NotYetVisible:
    source, _, until = about.partition(" ")
    return NotYetVisible(until or "/mnt/nix", source or "/dev/vda3")


def _size(about: str, size: str) -> tuple[AnySubject, Any]:
    path, _, kind = about.partition(" ")
    return SizeOn(path, kind), FilesystemSize(sizes.parse(size), rest=sizes.MIB)


def _text(path: str, about: Any) -> tuple[AnySubject, Any]:
    if isinstance(about, Mapping):
        return TextFile(path), _unseen("") if about.get("unseen") else Absent()
    return TextFile(path), Text(about.encode())


def _secret(path: str, about: Any) -> tuple[AnySubject, Any]:
    return SecretFile(path), _unseen("") if isinstance(about, Mapping) else Secret(about)


def _subvolume(path: str, about: str) -> tuple[AnySubject, Any]:
    words = about.split(" ")
    if words[0] in ("absent", "unseen"):
        return Subvolume(path), Absent() if words[0] == "absent" else _unseen("")
    return Subvolume(path), SubvolumeState(
        read_only="read-only" in words,
        nodatacow="nocow" in words,
        compression=next((word for word in words if word in COMPRESSIONS), ""),
        default="default" in words,
        quotas="quotas" in words,
        limit=next((word for word in words if word[0].isdigit()), None),
        empty="filled" not in words,
    )


def _swap_file(path: str, about: str) -> tuple[AnySubject, Any]:
    words = about.split(" ")
    if words[0] in ("absent", "unseen"):
        return SwapInFile(path), Absent() if words[0] == "absent" else _unseen("")
    ours = next((word for word in words if word.startswith("ours:")), "")
    other = "1-2-3" if words[1:2] == ["swap"] else ""
    return SwapInFile(path), SwapInFileState(
        size=words[0],
        holes="holes" in words,
        copied="copied" in words,
        content=words[1] if len(words) > 1 else "",
        uuid=str(IDENTITY.swap_file(ours.removeprefix("ours:"))) if ours else other,
        active="active" in words,
        priority=next((int(word) for word in words[1:] if word.isdecimal()), None),
    )


def _offset(path: str, about: int | str) -> tuple[AnySubject, Any]:
    if isinstance(about, int):
        return ResumeOffset(path), Offset(about)
    return ResumeOffset(path), _unseen("") if about == "unseen" else Unknown()


def _swap(device: str, about: str) -> tuple[AnySubject, SwapState]:
    state, _, priority = about.partition(" ")
    return Swap(device), SwapState(state == "active", int(priority) if priority else None)


def _tag(tag: str, about: list[str]) -> tuple[AnySubject, tuple[Tagged, ...]]:
    return Tag(tag), tuple(Tagged(*device.split(" ")) for device in about)


def _filesystem(path: str, about: Mapping[str, str]) -> tuple[AnySubject, MountLocation]:
    return UnderlyingMount(path), MountLocation(**about)


def _memory(_: str, about: str) -> tuple[AnySubject, MemoryState]:
    return Memory(), MemoryState(sizes.parse(about))


def _hidden(paths: str, about: Any) -> tuple[AnySubject, Any]:
    target, _, source = paths.partition(" < ")
    if about == "unseen":
        return Hidden(target, source), _unseen("")
    return Hidden(target, source), Hiding(tuple(about.get("missing", ())), tuple(about.get("different", ())))


def _condition(script: str, about: bool) -> tuple[AnySubject, bool]:
    return _COMMAND.Condition(script), about


def _exists(path: str, about: Any) -> tuple[AnySubject, Any]:
    return _COMMAND.Exists(path), _unseen("") if about == "unseen" else about


def _tool(program: str, about: bool) -> tuple[AnySubject, bool]:
    return Tool(program), about


def _account(account: str, about: bool) -> tuple[AnySubject, bool]:
    kind, _, name = account.partition(" ")
    return Account("user" if kind == "user" else "group", name), about


_RECORD = "/mnt/nix/persist/var/lib/subfloor/installed"


def _configuration(path: str, about: Any) -> tuple[AnySubject, Any]:
    return Configuration(path), _unseen("") if about == "unseen" else Sources(tuple(sorted(about.items())))


def _installed(root: str, about: Any) -> tuple[AnySubject, Any]:
    subject = InstalledSystem(root, f"{root.rstrip('/')}/boot", _RECORD if root == "/mnt" else _RECORD[4:])
    if about == "unseen":
        return subject, _unseen("")
    return subject, System(about["path"], about.get("made-from", ""), about.get("boots", True))


def _leftovers(path: str, about: list[str]) -> tuple[AnySubject, Any]:
    return BootLeftovers(path, "/mnt", _RECORD), Leftovers(frozenset(about))


def _git(path: str, about: Any) -> tuple[AnySubject, Any]:
    return Tracking(path), Repository(readable=False) if about == "unreadable" else Repository(frozenset(about))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_KINDS: Mapping[str, Callable[[str, Any], tuple[AnySubject, Any]]] = {
    "disk": disk,
    "mount": _mount,
    "path": _path,
    "text": _text,
    "secret": _secret,
    "subvolume": _subvolume,
    "swap": _swap,
    "swap-file": _swap_file,
    "offset": _offset,
    "tag": _tag,
    "filesystem": _filesystem,
    "size": _size,
    "group": _group,
    "luks": _luks,
    "array": _arrays,
    "images": lambda path, counts: (ImagesOf(path), Images(*counts)),
    "memory": _memory,
    "account": _account,
    "hidden": _hidden,
    "condition": _condition,
    "exists": _exists,
    "used": lambda path, about: (Usage(path), Used(sizes.parse(about))),
    "tool": _tool,
    "machine-id": lambda path, about: (_MACHINE_ID.MachineId(path), _unseen("") if about == "unseen" else about),
    "host-key": lambda path, about: (_HOST_KEYS.KeyFile(path), _unseen("") if about == "unseen" else about),
    "configuration": _configuration,
    "installed": _installed,
    "leftovers": _leftovers,
    "running": lambda _, about: (RunningSystem(), OsRelease(*about.split(" "))),
    "uefi": lambda _, about: (StartedByUefi(), about),
    "git": _git,
}
