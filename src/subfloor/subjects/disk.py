"""A disk: its geometry, its table, what its partitions hold, and what keeps it busy."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from subfloor import alignment, gpt
from subfloor.devices import partition_node
from subfloor.errors import LookFailed
from subfloor.machine import Output, Subject, Unknown
from subfloor.subjects import mountinfo

_ENDS = 64 * 1024
"""How many bytes of a disk's start and end are read: room for a table of 300 entries and more."""

_UNREADABLE = 74
"""What a probe exits with that could not read the disk (EX_IOERR of sysexits.h)."""


@dataclass(frozen=True)
class Content:
    """What a volume holds: the type, label and UUID of its filesystem, or other signature, as blkid says.

    ``fresh``: made in this very (imagined) run, so known to be empty; never true of what was observed.
    """

    type: str
    label: str = ""
    uuid: str = ""
    fresh: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        label = f" labelled {self.label!r}" if self.label else ""
        return f"{self.type}{label}"


@dataclass(frozen=True)
class Volume:
    """A partition apart from its table entry: what it holds, and what the kernel makes of it.

    ``known``: the kernel has it with the start and size that the table says. Its content is unknown
    where the table is too damaged for other programs to find it.
    """

    number: int
    content: Content | Unknown | None = None
    known: bool = True
    in_use: bool = False
    users: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class OtherTable:
    """A partition table that is no GPT, such as ``dos``; ``number`` of partitions in it."""

    type: str
    partitions: int = 0


@dataclass(frozen=True)
class Limits:
    """The queue limits of a disk, in bytes, from sysfs (Documentation/ABI/stable/sysfs-block)."""

    sector: int = 512
    physical: int = 512
    minimum_io: int = 512
    optimal_io: int = 0
    alignment_offset: int = 0


@dataclass(frozen=True)
class DiskState:
    """What was seen of a disk; ``size`` in bytes.

    ``node`` is the kernel's own path, whatever link the disk was named by. ``signatures`` are the
    types of everything recognisable on the disk as a whole, but for a GPT that ``table`` holds.
    ``stray`` are the numbers of partitions that the kernel has and the table has not.
    """

    node: str
    size: int
    limits: Limits = Limits()
    table: gpt.Gpt | OtherTable | None = None
    volumes: tuple[Volume, ...] = ()
    signatures: tuple[str, ...] = ()
    stray: tuple[int, ...] = ()
    in_use: bool = False
    read_only: bool = False
    kind: str = "disk"
    users: tuple[str, ...] = field(default=(), compare=False)
    model: str = field(default="", compare=False)
    serial: str = field(default="", compare=False)

    @property
    def sectors(self) -> int:
        return self.size // self.limits.sector

    @property
    def grid(self) -> alignment.Grid:
        limits = self.limits
        return alignment.optimal(
            sector=limits.sector,
            physical=limits.physical,
            minimum_io=limits.minimum_io,
            optimal_io=limits.optimal_io,
            alignment_offset=limits.alignment_offset,
        )

    @property
    def busy(self) -> tuple[str, ...]:
        """Everything that uses the disk or a partition of it, in words."""
        used = (f"{self.partition_node(v.number)} {user}" for v in self.volumes for user in v.users)
        return (*self.users, *used)

    @property
    def is_busy(self) -> bool:
        return self.in_use or any(volume.in_use for volume in self.volumes)

    def entry(self, number: int) -> gpt.Entry | None:
        entries = self.table.entries if isinstance(self.table, gpt.Gpt) else ()
        return next((entry for entry in entries if entry.number == number), None)

    def volume(self, number: int) -> Volume | None:
        return next((volume for volume in self.volumes if volume.number == number), None)

    def partition_node(self, number: int) -> str:
        return partition_node(self.node, number)

    def with_entry(self, entry: gpt.Entry) -> DiskState:
        """This disk with that entry in its GPT, in place of any with its number."""
        assert isinstance(self.table, gpt.Gpt)
        entries = (*(each for each in self.table.entries if each.number != entry.number), entry)
        return replace(self, table=replace(self.table, entries=tuple(sorted(entries, key=lambda e: e.number))))

    def with_volume(self, volume: Volume) -> DiskState:
        """This disk with that volume in place of any with its number."""
        volumes = (*(each for each in self.volumes if each.number != volume.number), volume)
        return replace(self, volumes=tuple(sorted(volumes, key=lambda each: each.number)))

    def describe(self) -> str:
        """The disk as a person knows it again: size, model, serial and what is on it."""
        about = " ".join(filter(None, (_gib(self.size), self.model, self.serial and f"serial {self.serial}")))
        return f"{self.node} ({about}), {', '.join(self._holds()) or 'blank'}"

    def _holds(self) -> Iterator[str]:
        if isinstance(self.table, gpt.Gpt):
            yield "a GPT"
        elif self.table:
            yield f"a {self.table.type} partition table"
        if "PMBR" in self.signatures:
            yield "a protective MBR whose GPT is lost"
        others = (each for each in self.signatures if each != "PMBR" and not self._is_table(each))
        yield from (f"{signature} on the whole disk" for signature in others)
        for volume in self.volumes:
            yield f"{self.partition_node(volume.number)}: {self._named(volume)}{_described(volume.content)}"

    def _named(self, volume: Volume) -> str:
        entry = self.entry(volume.number)
        return f"{entry.name!r} " if entry and entry.name else ""

    def _is_table(self, signature: str) -> bool:
        return isinstance(self.table, OtherTable) and signature == self.table.type


@dataclass(frozen=True)
class Missing:
    """There is no such block device; ``present``: the disks that there are, in words."""

    present: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Disk(Subject[DiskState | Missing]):
    """A disk, by the path that the play names it by."""

    path: str

    def __str__(self) -> str:
        return f"disk {self.path}"

    def probes(self) -> tuple[str, ...]:
        find = f"n=$(readlink -f -- {shlex.quote(self.path)})"
        return (
            f"{find}\n{_FACTS}",
            f'{find}\nhead -c {_ENDS} -- "$n"',
            f"{find}\n{_TAIL}",
            f"{find}\n{_READABLE}\n{_SIGNATURES}",
            f"{find}\n{_READABLE}\n{_VOLUMES}",
            mountinfo.PROBE,
            "cat /proc/swaps",
        )

    def parse(self, *outputs: Output) -> DiskState | Missing:
        facts, head, tail, signatures, volumes, mounts, _ = outputs
        seen = _Facts.of(facts.text)
        if facts.status or not mounts.stdout:
            raise LookFailed(
                f"{self.path} cannot be looked at: /proc or /sys cannot be read",
                advice="see that both are mounted where this runs, and not hidden by a container",
            )
        if not seen.one("node"):
            return Missing(tuple(seen.many("present")))
        bare = _bare(seen)
        if bare.kind != "disk" or not bare.size:
            return bare
        if _short(bare, head) or _short(bare, tail) or signatures.status == _UNREADABLE:
            raise LookFailed(f"{self.path} cannot be read", advice=_unreadable_advice(seen))
        _must_have_worked(self.path, wipefs=signatures, blkid=volumes)
        return _full(bare, seen, outputs)


@dataclass(frozen=True)
class _Facts:
    """Lines of ``key value``. Only a line feed ends one: what was found on a disk may hold anything else."""

    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, text: str) -> _Facts:
        parts = (line.partition(" ") for line in text.split("\n") if line)
        return cls(tuple((key, value) for key, _, value in parts))

    def many(self, key: str) -> list[str]:
        return [value for name, value in self.pairs if name == key]

    def one(self, key: str) -> str:
        return next(iter(self.many(key)), "")

    def number(self, key: str, default: int = 0) -> int:
        """Raises ``ValueError`` where what is there is no number."""
        return int(self.one(key) or default)


def _must_have_worked(path: str, **outputs: Output) -> None:
    """An empty answer of a probe that failed would make a full disk look blank."""
    for program, output in outputs.items():
        if output.status == 127:
            raise LookFailed(f"{path} cannot be looked at: {program} is missing", advice="install util-linux")
        if output.status:
            raise LookFailed(
                f"{path} cannot be looked at: {program} failed with status {output.status}",
                advice=f"run it by hand to see why: {program} {path}",
            )


@dataclass(frozen=True)
class _KernelPartition:
    """A partition as the kernel has it; ``start`` and ``size`` in 512-byte sectors, as in sysfs."""

    number: int
    start: str
    size: str
    device: str
    node: str

    @classmethod
    def of(cls, line: str) -> _KernelPartition:
        number, start, size, device, node = line.split()
        return cls(int(number), start, size, device, node)

    def is_at(self, start: str, size: str) -> bool:
        return (self.start, self.size) == (start, size)


def _kernel_partitions(facts: _Facts) -> dict[int, _KernelPartition]:
    found = map(_KernelPartition.of, facts.many("partition"))
    return {partition.number: partition for partition in found}


def _unreadable_advice(facts: _Facts) -> str:
    if facts.one("uid") != "0":
        return "looking at a disk needs root; run this as root"
    return "look at the kernel's log (dmesg) for I/O errors of the device"


def _bare(facts: _Facts) -> DiskState:
    """What sysfs alone says of the disk."""
    sector = facts.number("sector", 512)
    if sector < 512 or sector % 512:
        raise ValueError(f"sectors of {sector} bytes")
    return DiskState(
        node=facts.one("node"),
        size=facts.number("size") * 512,
        limits=Limits(
            sector=sector,
            physical=max(sector, facts.number("physical")),
            minimum_io=facts.number("minimum_io", sector),
            optimal_io=facts.number("optimal_io"),
            alignment_offset=facts.number("alignment_offset"),
        ),
        read_only=facts.one("ro") == "1",
        kind=facts.one("kind"),
        model=facts.one("model"),
        serial=facts.one("serial"),
    )


def _short(disk: DiskState, end: Output) -> bool:
    """Whether less was read than there is. Half a table would look like a damaged one, or like none."""
    return end.status != 0 or len(end.stdout) != min(_ENDS, disk.size)


def _full(disk: DiskState, facts: _Facts, outputs: tuple[Output, ...]) -> DiskState:
    _, head, tail, signatures, volumes, mounts, swaps = outputs
    table = gpt.parse(head.stdout, tail.stdout, sector=disk.limits.sector, sectors=disk.sectors)
    listed, kinds = _Facts.of(volumes.text), _signatures(signatures, table)
    kernel, users = _kernel_partitions(facts), _Users.of(facts, mounts, swaps)
    seen = _volumes(disk, listed, kernel, users, table.entries if table else ())
    other = None if table else _other_table(disk.node, kinds, listed, len(seen))
    stray = sorted(kernel.keys() - {volume.number for volume in seen})
    used = users.of_disk() + tuple(use for number in stray for use in users.of_stray(number))
    return replace(
        disk,
        table=table or other,
        volumes=seen,
        signatures=kinds,
        stray=tuple(stray),
        in_use=bool(used),
        users=used,
    )


def _signatures(output: Output, table: gpt.Gpt | None) -> tuple[str, ...]:
    own = {"gpt", "PMBR"} if table else set()
    return tuple(sorted({kind for kind in _listed(output) if kind not in own}))


def _listed(output: Output) -> list[str]:
    """The types in the answer of ``wipefs --json``, which is empty in some versions where it found nothing."""
    if not output.stdout.strip():
        return []
    try:
        # Labels are in it too, and may be in any encoding.
        return [str(entry["type"]) for entry in json.loads(output.text, strict=False)["signatures"]]
    except (TypeError, RecursionError) as error:
        raise ValueError(f"wipefs: {error}") from error


_TABLES = ("dos", "mac", "sun", "sgi", "bsd", "atari", "gpt")


def _other_table(node: str, signatures: tuple[str, ...], listed: _Facts, partitions: int) -> OtherTable | None:
    kind = next((kind for kind in _TABLES if kind in signatures), None)
    if kind and listed.one("partx") != "0":
        # What its partitions hold would be passed over in silence.
        raise LookFailed(
            f"the partitions of {node} cannot be listed, though it has a {kind} partition table",
            advice=f"run it by hand to see why: partx --show {node}",
        )
    return OtherTable(kind, partitions) if kind else None


def _volumes(
    disk: DiskState,
    facts: _Facts,
    kernel: dict[int, _KernelPartition],
    users: _Users,
    entries: tuple[gpt.Entry, ...],
) -> tuple[Volume, ...]:
    """Every partition that is listed; and those of the table that partx cannot find, with what they hold unknown."""
    if not facts.one("partx"):
        raise ValueError("partx was not asked")
    found: dict[int, dict[str, str]] = {}
    for key, value in facts.pairs:
        number, dot, about = key.partition(".")
        if dot:
            found.setdefault(int(number), {})[about] = value
    seen = [_volume(disk.node, number, found[number], kernel.get(number), users) for number in found]
    hidden = [entry for entry in entries if entry.number not in found]
    unseen = [_unseen(entry, disk.limits.sector // 512, kernel.get(entry.number), users) for entry in hidden]
    return tuple(sorted([*seen, *unseen], key=lambda volume: volume.number))


def _unseen(entry: gpt.Entry, ratio: int, kernel: _KernelPartition | None, users: _Users) -> Volume:
    used = users.of_partition(entry.number)
    known = kernel is not None and kernel.is_at(str(entry.start * ratio), str(entry.size * ratio))
    return Volume(entry.number, Unknown(), known, bool(used), used)


def _volume(node: str, number: int, facts: dict[str, str], kernel: _KernelPartition | None, users: _Users) -> Volume:
    if facts["status"] not in _BLKID:
        raise LookFailed(
            f"what partition {number} of {node} holds cannot be read (status {facts['status']})",
            advice="look at the kernel's log (dmesg) for I/O errors of the device",
        )
    used = users.of_partition(number)
    known = kernel is not None and kernel.is_at(facts["start"], facts["size"])
    return Volume(number, _content(facts), known, bool(used), used)


_BLKID = ("0", "2", "8")
"""blkid(8) exits with 2 where it finds nothing, and with 8 where it finds too much; all else is a failure."""


def _content(facts: dict[str, str]) -> Content | None:
    if facts.get("status") == "8":
        return Content("ambivalent")
    kind = facts.get("ID_FS_TYPE") or facts.get("ID_PART_TABLE_TYPE")
    label = _decoded(facts.get("ID_FS_LABEL_ENC", ""))
    return Content(kind, label, facts.get("ID_FS_UUID", "")) if kind else None


def _decoded(label: str) -> str:
    """A label as udev's database has it, where bytes of doubt are written ``\\xHH``."""
    raw = label.encode("utf-8", "surrogateescape")
    plain = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), raw)
    return plain.decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class _Users:
    """Who uses a disk and its partitions: pairs of a device's name and a use in words."""

    disk: str
    nodes: dict[int, str]
    uses: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, facts: _Facts, mounts: Output, swaps: Output) -> _Users:
        kernel = _kernel_partitions(facts).values()
        nodes = {partition.number: partition.node for partition in kernel}
        by_device = {partition.device: partition.node for partition in kernel}
        by_device[facts.one("dev")] = facts.one("node")
        return cls(facts.one("node"), nodes, tuple(_uses(facts, mounts.stdout, swaps.text, by_device)))

    def of_disk(self) -> tuple[str, ...]:
        return self._of(self.disk)

    def of_partition(self, number: int) -> tuple[str, ...]:
        return self._of(self.nodes.get(number, ""))

    def of_stray(self, number: int) -> tuple[str, ...]:
        """Who uses a partition that the kernel has, and the table has no longer."""
        node = self.nodes[number]
        return tuple(f"{use} (as {node}, which its table does not have)" for use in self._of(node))

    def _of(self, node: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(use for user, use in self.uses if user == node))


def _uses(facts: _Facts, mounts: bytes, swaps: str, by_device: dict[str, str]) -> Iterator[tuple[str, str]]:
    for mount in mountinfo.parse(mounts):
        # A btrfs has a device number of its own, so its source is what tells.
        yield by_device.get(mount.device, mount.source), f"mounted at {mount.path}"
    for line in swaps.split("\n")[1:]:
        if line:
            yield line.split()[0], "active as swap"
    for kind, words in _IN_SYSFS:
        for use in facts.many(kind):
            node, _, name = use.partition(" ")
            yield node, words.format(name)


_IN_SYSFS = (
    ("holder", "held by {}"),
    ("btrfs", "part of the mounted btrfs {}"),  # whose other devices the list of mounts does not name
    ("loop", "behind {}"),
)


def _described(content: Content | Unknown | None) -> str:
    return "what cannot be seen" if isinstance(content, Unknown) else str(content or "nothing known")


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"


# The probes. $n is the device node. Paths in sysfs have ! for the / in names such as cciss/c0d0.

_FACTS = r"""
echo "uid $(id -u)"
if [ ! -b "$n" ]; then
    for s in /sys/block/*; do
        read -r size < "$s/size" || continue
        case "${s##*/}" in loop*|ram*|zram*|dm-*|sr*|fd*) continue;; esac
        [ "$size" -gt 0 ] || continue
        model=; serial=
        [ ! -r "$s/device/model" ] || read -r model < "$s/device/model" || :
        [ ! -r "$s/serial" ] || read -r serial < "$s/serial" || :
        about="$((size / 2097152)) GiB${model:+ $model}${serial:+ $serial}"
        echo "present /dev/$(printf %s "${s##*/}" | tr '!' /) ($about)"
    done
    exit 0
fi
name=$(printf %s "${n#/dev/}" | tr / '!')
s=/sys/class/block/$name
show() { if [ -r "$2" ]; then read -r value < "$2"; echo "$1 $value"; fi; }
users() { # the directory in sysfs, the node
    for h in "$1"/holders/*; do [ ! -e "$h" ] || echo "holder $2 ${h##*/}"; done
    for b in /sys/fs/btrfs/*/devices/"${1##*/}"; do
        [ ! -e "$b" ] || { b=${b%/devices/*}; echo "btrfs $2 ${b##*/}"; }
    done
}
echo "node $n"
if [ -e "$s/partition" ]; then echo kind partition; else
    case "$name" in sr*) echo kind rom;; *) echo kind disk;; esac
fi
show dev "$s/dev"
show size "$s/size"
show ro "$s/ro"
show sector "$s/queue/logical_block_size"
show physical "$s/queue/physical_block_size"
show minimum_io "$s/queue/minimum_io_size"
show optimal_io "$s/queue/optimal_io_size"
show alignment_offset "$s/alignment_offset"
show model "$s/device/model"
if [ -r "$s/serial" ]; then show serial "$s/serial"; else show serial "$s/device/serial"; fi
users "$s" "$n"
for l in /sys/block/loop*/loop/backing_file; do
    if [ -r "$l" ] && IFS= read -r file < "$l"; then l=${l%/loop/*}; echo "loop $file ${l##*/}"; fi
done
for p in "$s"/"$name"*; do
    [ -r "$p/partition" ] || continue
    read -r number < "$p/partition" && read -r start < "$p/start" && read -r size < "$p/size" &&
        read -r dev < "$p/dev" || continue
    node=/dev/$(printf %s "${p##*/}" | tr '!' /)
    echo "partition $number $start $size $dev $node"
    users "$p" "$node"
done
"""

_TAIL = rf"""
s=/sys/class/block/$(printf %s "${{n#/dev/}}" | tr / '!')
read -r size < "$s/size"
count={_ENDS // 512}
[ "$size" -gt "$count" ] || count=$size
dd if="$n" bs=512 skip=$((size - count)) count="$count" 2>/dev/null
"""

# libblkid takes what it cannot read for empty. So where it finds nothing, see that it could have read.
_READABLE = """
readable() { # the node; the first sector and how many there are, of 512 bytes
    count=2048
    [ "$3" -ge "$count" ] || count=$3
    dd if="$1" bs=512 skip="$2" count="$count" >/dev/null &&
        dd if="$1" bs=512 skip=$(($2 + $3 - count)) count="$count" >/dev/null
}
"""

_SIGNATURES = rf"""
found=$(wipefs --no-act --json -- "$n") || exit
printf '%s\n' "$found"
case "$found" in *'"type"'*) exit 0;; esac
s=/sys/class/block/$(printf %s "${{n#/dev/}}" | tr / '!')
read -r size < "$s/size" && readable "$n" 0 "$size" || exit {_UNREADABLE}
"""

# What a partition holds is read through the partition's own node where the kernel has it: the
# caches of a disk and of its partitions are not coherent. partx counts in 512-byte sectors always.
_VOLUMES = r"""
name=$(printf %s "${n#/dev/}" | tr / '!')
s=/sys/class/block/$name
[ -e "$s" ] && [ ! -e "$s/partition" ] || exit 0
command -v partx >/dev/null && command -v blkid >/dev/null || exit 127
list=$(partx --raw --noheadings --output NR,START,SECTORS -- "$n")
echo "partx $?"
printf '%s\n' "$list" | while read -r number start size; do
    [ -n "$number" ] || continue
    echo "$number.start $start"
    echo "$number.size $size"
    found=$n from=$start
    for p in "$s"/"$name"*; do
        [ -r "$p/partition" ] && read -r k < "$p/partition" && read -r kstart < "$p/start" &&
            read -r ksize < "$p/size" || continue
        node=/dev/$(printf %s "${p##*/}" | tr '!' /)
        if [ "$k $kstart $ksize" = "$number $start $size" ] && [ -b "$node" ]; then found=$node from=0; fi
    done
    out=$(blkid --probe --offset $((from * 512)) --size $((size * 512)) --output udev -- "$found")
    status=$?
    case "$status $out" in
        8*|*ID_FS_TYPE=*|*ID_PART_TABLE_TYPE=*) ;;
        *) readable "$found" "$from" "$size" || status=unreadable;;
    esac
    echo "$number.status $status"
    printf '%s\n' "$out" | while IFS= read -r line; do
        case "$line" in
            ID_FS_TYPE=*|ID_FS_LABEL_ENC=*|ID_FS_UUID=*|ID_PART_TABLE_TYPE=*)
                echo "$number.${line%%=*} ${line#*=}";;
        esac
    done
done
"""
