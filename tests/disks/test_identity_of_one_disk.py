"""A UUID belongs to one device of the machine: a second disk under it is refused, and neither is touched."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest

from disks.laying_out import SMALL, blkid, on
from disks.plays import Play, applied, converged, outcomes, refusal
from loop_disks import LoopDisk, MakeDisk, disk, run, said

pytestmark = pytest.mark.root

__all__ = ["disk"]  # a fixture


def called(play: Play, name: str) -> Play:
    """The play with another name for its disk."""
    named = ("wipefs", "gpt-label")
    return [(key, {**values, "disk": name} if key in named else values) for key, values in play]


def copied(source: LoopDisk, target: LoopDisk) -> None:
    run("dd", f"if={source.node}", f"of={target.node}", "bs=1M", "conv=fsync,sparse")
    run("partx", "--update", "--nr", "1:16", target.node)


def test_a_second_disk_under_the_same_name_is_refused_before_anything_is_erased(disk: MakeDisk) -> None:
    vda, vdb, seed = disk(), disk(), str(uuid4())
    run("mkfs.ext4", "-q", vdb.node)
    converged(on(vda, *SMALL), seed=seed)
    before = vdb.digest()
    why = refusal(on(vdb, *SMALL), vdb.node, seed=seed)
    assert vda.node in why
    assert vdb.node in why
    assert vdb.digest() == before


def test_a_second_disk_under_another_name_is_laid_out_beside_the_first(disk: MakeDisk) -> None:
    vda, vdb, seed = disk(), disk(), str(uuid4())
    converged(on(vda, *SMALL), seed=seed)
    converged(called(on(vdb, *SMALL), "disk2"), seed=seed)
    assert set(outcomes(applied(on(vda, *SMALL), seed=seed))) == {"ok"}


def test_a_finished_disk_with_a_copy_beside_it_is_not_in_sync_case_57(disk: MakeDisk) -> None:
    vda, vdb, seed = disk(), disk(), str(uuid4())
    converged(on(vda, *SMALL), seed=seed)
    copied(vda, vdb)
    why = refusal(on(vda, *SMALL), seed=seed)
    assert vda.node in why
    assert vdb.node in why


def _other_label_id(vdb: LoopDisk) -> None:
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--disk-id", vdb.node, str(uuid4()))


def _filesystem_alone(vdb: LoopDisk) -> None:
    uuid = blkid(vdb.partition(3))["UUID"]
    run("wipefs", "--all", vdb.node)
    vdb.forget_partitions()
    run("mkfs.ext4", "-q", "-U", uuid, vdb.node)


@pytest.mark.parametrize("leave", [_other_label_id, _filesystem_alone], ids=["PARTUUID", "UUID"])
def test_a_copy_of_a_partition_is_found_too(disk: MakeDisk, leave: Callable[[LoopDisk], None]) -> None:
    vda, vdb, seed = disk(), disk(), str(uuid4())
    converged(on(vda, *SMALL), seed=seed)
    copied(vda, vdb)
    leave(vdb)
    assert vdb.node in refusal(on(vda, *SMALL), seed=seed)


def test_a_loop_device_over_the_disk_does_not_count_as_a_copy(disk: MakeDisk) -> None:
    vda, seed = disk(), str(uuid4())
    converged(on(vda, *SMALL), seed=seed)
    over = said("losetup", "--find", "--show", "--read-only", vda.node)
    try:
        assert set(outcomes(applied(on(vda, *SMALL), seed=seed))) == {"ok"}
    finally:
        run("losetup", "--detach", over)
