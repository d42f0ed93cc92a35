"""The subject ``Disk``: from the output of its probes to its state."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from dataclasses import dataclass, replace
from functools import cache

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output, Subject, Unknown
from subfloor.observe import mountinfo, swap
from subfloor.observe.disk.facts import KernelPartition, ProbeOutput, kernel_partitions
from subfloor.observe.disk.probes import (
    BEGINNING,
    BEGINNINGS,
    ELSEWHERE,
    ENDS,
    FACTS,
    FIND,
    HEAD,
    MARGIN,
    READABLE,
    SAMPLE,
    SAMPLES,
    SIGNATURES,
    TAIL,
    UNREADABLE,
    VOLUMES,
    ZEROS,
)
from subfloor.observe.disk.state import (
    LOST_GPT,
    UNKNOWN_DATA,
    Content,
    DiskState,
    Limits,
    Mapped,
    Missing,
    OtherTable,
    PartitionState,
    Unopened,
)
from subfloor.observe.disk.users import Users
from subfloor.storage import end_mark, gpt


@dataclass(frozen=True)
class Disk(Subject[DiskState | Missing | Unopened]):
    """A disk; ``path``: the path that the play gives, which may be a link."""

    path: str

    def __str__(self) -> str:
        return f"disk {self.path}"

    def probes(self) -> tuple[str, ...]:
        """The probes: facts, both ends, signatures, partitions, mounts, swap, zeros and further table pieces."""
        find = f"n={shlex.quote(self.path)}\n{FIND}"
        return (
            f"{find}\n{FACTS}",
            f"{find}\n{HEAD}",
            f"{find}\n{TAIL}",
            f"{find}\n{READABLE}\n{SIGNATURES}",
            f"{find}\n{READABLE}\n{VOLUMES}",
            mountinfo.PROBE,
            swap.PROBE,
            f"{find}\n{ZEROS}",
            f"{find}\n{ELSEWHERE}",
        )

    def parse(self, *outputs: Output) -> DiskState | Missing:
        """The state of the disk; ``Missing`` if there is no such device. Raises ``LookFailed`` if it cannot be read."""
        facts, head, tail, signatures, volumes, mounts, swaps, zeros, elsewhere = outputs
        seen = ProbeOutput.of(facts.text)
        if facts.status or mounts.status or swaps.status or not mounts.stdout:
            raise LookFailed(
                f"{self.path} cannot be inspected: /proc or /sys cannot be read",
                advice="check that both are mounted on this host, and not hidden by a container",
            )
        if not seen.one("node"):
            return Missing(tuple(seen.many("present")))
        bare = _bare(seen)
        if bare.kind != "disk" or not bare.size:
            return bare
        if _short(bare, head) or _short(bare, tail) or signatures.status == UNREADABLE or b"unreadable" in zeros.stdout:
            raise LookFailed(f"{self.path} cannot be read", advice=_unreadable_advice(seen))
        _must_have_worked(self.path, wipefs=signatures, blkid=volumes, sha256sum=zeros, od=elsewhere)
        return _full(bare, seen, outputs)


def _must_have_worked(path: str, **outputs: Output) -> None:
    """Raise ``LookFailed`` if a probe failed: its empty output would make a full disk look blank."""
    for program, output in outputs.items():
        if output.status == 127:
            raise LookFailed(
                f"{path} cannot be inspected: {program} is missing", advice="install util-linux and coreutils"
            )
        if output.status:
            raise LookFailed(
                f"{path} cannot be inspected: {program} failed with status {output.status}",
                advice="look at the kernel's log (dmesg), and check that blockdev, blkid, dd and od work on this disk",
            )


def _unreadable_advice(facts: ProbeOutput) -> str:
    if facts.one("uid") != "0":
        return "reading a disk needs root; run this as root"
    return "look at the kernel's log (dmesg) for I/O errors of the device"


def _bare(facts: ProbeOutput) -> DiskState:
    """The state of the disk as far as sysfs shows it."""
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
        seq=facts.number("diskseq"),
        mapped=Mapped(facts.one("mapped"), tuple(facts.many("below"))) if facts.one("mapped") else None,
    )


def _short(disk: DiskState, end: Output) -> bool:
    """Whether an end was not read completely: half a table would look like a damaged one, or like no table."""
    return end.status != 0 or len(end.stdout) != min(ENDS, disk.size)


def _full(disk: DiskState, facts: ProbeOutput, outputs: tuple[Output, ...]) -> DiskState:
    _, head, tail, signatures, volumes, mounts, swaps, read, elsewhere = outputs
    pieces = {int(at): bytes.fromhex(piece) for at, piece in ProbeOutput.of(elsewhere.text).pairs}
    table = gpt.parse(head.stdout, tail.stdout, sector=disk.limits.sector, sectors=disk.sectors, elsewhere=pieces)
    listed, found = ProbeOutput.of(volumes.text), _listed(signatures)
    kinds = _signatures(found, table, listed)
    ends, between = _zeros(disk, ProbeOutput.of(read.text))
    if not table:
        kinds = (*kinds, *_nameless(kinds, head.stdout, tail.stdout, zeros=ends and between))
    kernel, users = kernel_partitions(facts), Users.of(facts, mounts, swaps)
    seen = _volumes(disk, listed, kernel, users, table.entries if table else ())
    other = None if table else _other_table(disk.node, kinds, listed, len(seen))
    stray = sorted(kernel.keys() - {volume.number for volume in seen})
    used = users.of_disk() + tuple(use for number in stray for use in users.of_stray(number))
    return replace(
        disk,
        table=table or other,
        volumes=seen,
        content=None if table or other else content_of(_by_number(listed).get(_WHOLE, {})),
        mark=None if table or other else _mark(ProbeOutput.of(read.text)),
        signatures=kinds,
        labels=tuple(sorted({(kind, label) for kind, label in found if label})),
        stray=tuple(stray),
        in_use=bool(used),
        users=used,
        filled=table is not None and not table.entries and not between,
    )


def _zeros(disk: DiskState, read: ProbeOutput) -> tuple[bool, bool]:
    """Two answers: whether the ends of a disk are zeros, and whether the samples between them are.

    Both are true if nothing was read. Raises ``ValueError`` if the probe did not print the result.
    """
    if read.one("unread"):
        return True, True
    sizes = {"ends": 2 * min(MARGIN, disk.size), "samples": _sampled(disk.size // SAMPLE * SAMPLE)}
    ends, between = (_is_zeros(read.one(key).partition(" ")[0], size) for key, size in sizes.items())
    return ends, between


def _sampled(size: int) -> int:
    """How many bytes the probe reads between the ends of a disk. ``size``: its bytes, a multiple of ``SAMPLE``."""
    beginnings = max(0, min(BEGINNINGS - 1, (size - MARGIN - BEGINNING) // MARGIN))
    return beginnings * BEGINNING + (SAMPLES * SAMPLE if size > 2 * MARGIN else 0)


def _mark(read: ProbeOutput) -> end_mark.EndMark | None:
    """The mark of unfinished content; None if there is none. Raises ``ValueError`` if its sector was read in part."""
    piece = bytes.fromhex(" ".join(read.many("end")))
    if "end" in dict(read.pairs) and len(piece) != end_mark.LENGTH:
        raise ValueError("the sector of its mark is missing")
    return end_mark.parse(piece)


def _is_zeros(said: str, size: int) -> bool:
    """Whether ``size`` bytes are all zeros. ``said``: "zeros" or "data", or the SHA-256 of the bytes.

    Raises ``ValueError`` if ``said`` is none of these.
    """
    if said in ("zeros", "data"):
        return said == "zeros"
    if len(said) != 64:
        raise ValueError("the result of reading it is missing")
    return said == _digest_of_zeros(size)


@cache
def _digest_of_zeros(size: int) -> str:
    return hashlib.sha256(bytes(size)).hexdigest()


_LIKE_AN_MBR = frozenset({"vfat", "ntfs", "exfat", "BitLocker"})
"""Filesystems whose first sector ends like an MBR, so wipefs reports a ``dos`` table. If partx finds no table, the
report is ignored."""


def _signatures(found: list[tuple[str, str]], table: gpt.Gpt | None, volumes: ProbeOutput) -> tuple[str, ...]:
    kinds = {kind for kind, _ in found}
    not_its_own = {"gpt", "PMBR"} if table else set()
    if kinds & _LIKE_AN_MBR and volumes.one("partx") == _NOTHING_LISTED:
        not_its_own.add("dos")
    return tuple(sorted(kinds - not_its_own))


def _nameless(kinds: tuple[str, ...], head: bytes, tail: bytes, *, zeros: bool) -> tuple[str, ...]:
    """``LOST_GPT`` or ``UNKNOWN_DATA`` if a disk without a table shows it; otherwise nothing.

    ``zeros``: all bytes that were read to see whether the disk is blank are zeros.
    """
    if gpt.remains(head, tail):
        return () if "gpt" in kinds else (LOST_GPT,)
    return (UNKNOWN_DATA,) if not kinds and (any(head + tail) or not zeros) else ()


_NOTHING_LISTED = "1"
"""The exit status of partx(8) if it finds no table."""


def _listed(output: Output) -> list[tuple[str, str]]:
    """The types and labels in the output of ``wipefs --json``."""
    try:
        # The labels may be in any encoding.
        listed = json.loads(output.text, strict=False)["signatures"]
        return [(str(entry["type"]), str(entry.get("label") or "")) for entry in listed]
    except (TypeError, RecursionError) as error:
        raise ValueError(f"wipefs: {error}") from error


_TABLES = ("dos", "mac", "sun", "sgi", "bsd", "atari", "gpt")


def _other_table(node: str, signatures: tuple[str, ...], listed: ProbeOutput, partitions: int) -> OtherTable | None:
    kind = next((kind for kind in _TABLES if kind in signatures), None)
    if kind and listed.one("partx") != "0":
        # Otherwise the content of its partitions would silently be ignored.
        raise LookFailed(
            f"the partitions of {node} cannot be listed, though it has a {kind} partition table",
            advice=f"run it yourself to see why: partx --show {node}",
        )
    return OtherTable(kind, partitions) if kind else None


def _volumes(
    disk: DiskState,
    facts: ProbeOutput,
    kernel: dict[int, KernelPartition],
    users: Users,
    entries: tuple[gpt.Entry, ...],
) -> tuple[PartitionState, ...]:
    """Every partition that partx lists and, with unknown content, every table entry that partx does not list.

    Raises ``ValueError`` if the probe did not run partx.
    """
    if not facts.one("partx"):
        raise ValueError("the output of partx is missing")
    found = _by_number(facts)
    found.pop(_WHOLE, None)
    seen = [_volume(disk.node, number, found[number], kernel.get(number), users) for number in found]
    hidden = [entry for entry in entries if entry.number not in found]
    unseen = [_unseen(entry, disk.limits.sector, kernel.get(entry.number), users) for entry in hidden]
    return tuple(sorted([*seen, *unseen], key=lambda volume: volume.number))


_WHOLE = 0
"""The number under which the probe prints the content of the whole disk."""


def _by_number(facts: ProbeOutput) -> dict[int, dict[str, str]]:
    """What the probe printed about each partition, by number; about the whole disk under ``_WHOLE``."""
    found: dict[int, dict[str, str]] = {}
    for key, value in facts.pairs:
        number, dot, about = key.partition(".")
        if dot:
            found.setdefault(int(number), {})[about] = value
    return found


def _unseen(entry: gpt.Entry, sector: int, kernel: KernelPartition | None, users: Users) -> PartitionState:
    used = users.of_partition(entry.number)
    start, size = entry.start * sector, entry.size * sector
    known = kernel is not None and kernel.is_at(str(start // 512), str(size // 512))
    return PartitionState(entry.number, Unknown(), known, bool(used), used, start, size)


def _volume(
    node: str, number: int, facts: dict[str, str], kernel: KernelPartition | None, users: Users
) -> PartitionState:
    if facts["status"] not in _BLKID:
        raise LookFailed(
            f"the content of partition {number} of {node} cannot be read (status {facts['status']})",
            advice="look at the kernel's log (dmesg) for I/O errors of the device",
        )
    used = users.of_partition(number)
    known = kernel is not None and kernel.is_at(facts["start"], facts["size"])
    start, size = int(facts["start"]) * 512, int(facts["size"]) * 512
    return PartitionState(number, content_of(facts), known, bool(used), used, start, size)


_BLKID = ("0", "2", "8", "outside")
"""The statuses that are no failure. blkid(8) exits with 2 if it finds nothing, and with 8 if signatures contradict each
other. ``outside``: the partition begins beyond the end of the disk, so it was not probed."""


def content_of(facts: dict[str, str]) -> Content | None:
    """The content that blkid found, from its exit status and the lines of its output; None if it found nothing."""
    if facts.get("status") == "8":
        return Content("ambivalent")
    kind = facts.get("ID_FS_TYPE") or facts.get("ID_PART_TABLE_TYPE")
    label = decoded(facts.get("ID_FS_LABEL_ENC", ""))
    return Content(kind, label, facts.get("ID_FS_UUID", "")) if kind else None


def decoded(label: str) -> str:
    """The plain text of a label from udev's database, which writes unsafe bytes as ``\\xHH``."""
    raw = label.encode("utf-8", "surrogateescape")
    plain = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), raw)
    return plain.decode("utf-8", "surrogateescape")
