"""A label whose change broke off, and tore what it wrote: the next run makes it whole, and loses nothing.

Each filesystem is labelled by its own tool, and then put between before and after, sector by sector, as a
disk may be left that loses its power. Each tool flushes between its copies of a superblock, or writes no
more than a sector of each; so where one copy is torn, the others are whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from disks.laying_out import judge, on
from disks.plays import Play, applied, outcomes
from loop_disks import LoopDisk, MakeDisk, Mounter, disk, mounted, run

pytestmark = pytest.mark.root

__all__ = ["disk", "mounted"]  # fixtures

_SECTOR, _BLOCK = 512, 1 << 20
_LABEL: Mapping[str, Sequence[str]] = {
    "ext4": ("e2label", "{node}", "{label}"),
    "vfat": ("fatlabel", "{node}", "{label}"),
    "xfs": ("xfs_admin", "-L", "{label}", "{node}"),
    "btrfs": ("btrfs", "filesystem", "label", "{node}", "{label}"),
    "f2fs": ("f2fslabel", "{node}", "{label}"),
    "swap": ("swaplabel", "-L", "{label}", "{node}"),
}
_COPIES: Mapping[str, Sequence[tuple[int, int]]] = {
    "ext4": ((2, 2),),
    "btrfs": ((128, 8), (131072, 8)),
}
"""The copies of a superblock that are longer than a sector and have a checksum: first sector, and how many."""


def _play(disk: LoopDisk, kind: str, label: str) -> Play:
    return on(disk, ("data", "linux", "rest", f"{kind} {label}"))


def _changed(before: bytes, after: bytes) -> list[int]:
    def differ(size: int, start: int, end: int) -> Iterator[int]:
        return (at for at in range(start, end, size) if before[at : at + size] != after[at : at + size])

    blocks = differ(_BLOCK, 0, len(before))
    return [at // _SECTOR for block in blocks for at in differ(_SECTOR, block, min(block + _BLOCK, len(before)))]


def _states(kind: str, changed: Sequence[int]) -> Iterator[set[int]]:
    """Which sectors are already as they are afterwards: of one copy some, of the others all or none."""
    copies = [[n for n in changed if start <= n < start + count] for start, count in _COPIES.get(kind, ())]
    torn = {n for copy in copies for n in copy}
    whole = set(changed) - torn
    for at, copy in enumerate(copies):
        earlier = whole | {n for each in copies[:at] for n in each}
        yield from (earlier | {n} for n in copy)
        yield earlier | set(copy[1:])
    if not copies:
        yield set(changed[:1])
        yield set(changed[1:])
    yield set()


def _write(node: str, data: bytes, sectors: Sequence[int]) -> None:
    with Path(node).open("r+b") as file:
        for number in sectors:
            file.seek(number * _SECTOR)
            file.write(data[number * _SECTOR : (number + 1) * _SECTOR])
    run("sync", node)
    run("blockdev", "--flushbufs", node)


@pytest.mark.parametrize("kind", _LABEL)
def test_an_interrupted_label_change_is_repaired(disk: MakeDisk, mounted: Mounter, kind: str) -> None:
    vda = disk("140MiB" if kind != "xfs" else "320MiB")
    node = vda.partition(1)
    assert not [report.error for report in applied(_play(vda, kind, "OLD")) if report.error]
    keep = kind in ("ext4", "xfs", "btrfs")
    if keep:
        at = mounted(node)
        (at / "letter").write_text("dear")
        run("umount", at)
    before = Path(node).read_bytes()
    run(*(word.format(node=node, label="NEW") for word in _LABEL[kind]))
    run("blockdev", "--flushbufs", node)
    after = Path(node).read_bytes()
    changed = _changed(before, after)
    assert changed
    for new in _states(kind, changed):
        _write(node, before, _changed(before, Path(node).read_bytes()))
        _write(node, after, sorted(new))
        run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--part-label", vda.node, 1, "data.labelling")
        reports = applied(_play(vda, kind, "NEW"))
        assert outcomes(reports) == ["ok", "ok", "ok", "changed"], sorted(new)
        assert set(outcomes(applied(_play(vda, kind, "NEW")))) == {"ok"}
        judge(vda, [("data", "linux", "rest", f"{kind} NEW")])
        if keep:
            run("mount", node, at)
            assert (at / "letter").read_text() == "dear"
            run("umount", at)
