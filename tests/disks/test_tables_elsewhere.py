"""Tables that are not at the ends of their disk: the copy where the disk ended before it grew, and moved entries."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from disks.laying_out import SMALL, judge, on
from disks.plays import applied, converged, outcomes, refusal
from loop_disks import LoopDisk, MakeDisk, disk, run, said

pytestmark = pytest.mark.root

__all__ = ["disk"]  # fixture

SPOILT = {
    "header": ((512, bytes(512)),),
    "header-torn": ((512 + 16, b"\xff" * 4),),
    "whole-copy": ((512, bytes(33 * 512)),),
    "header-torn-and-protective-mbr": ((446, bytes(66)), (512 + 16, b"\xff" * 4)),
}


def _forget(vda: LoopDisk) -> None:
    vda.forget_partitions()


def _read(vda: LoopDisk, at: int, length: int) -> bytes:
    with Path(vda.node).open("rb") as file:
        file.seek(at)
        return file.read(length)


def _grown(vda: LoopDisk, spoilt: str) -> None:
    _forget(vda)
    for at, data in SPOILT[spoilt]:
        vda.put(at, data)
    vda.resize("1GiB")


@pytest.mark.parametrize("spoilt", SPOILT)
def test_our_table_is_restored_from_the_old_end_of_a_grown_disk(disk: MakeDisk, spoilt: str) -> None:
    vda = disk()
    layout = (*SMALL[:2], ("nix", "linux", "300MiB", "ext4 nixos"))
    converged(on(vda, *layout))
    before = {number: run("sha256sum", vda.partition(number)).stdout.split()[0] for number in (1, 2, 3)}
    _grown(vda, spoilt)
    code = b"" if "protective" in spoilt else b"boot code of another program"
    vda.put(0, code)
    done = outcomes(applied(on(vda, *layout)))
    assert done == ["ok", "changed", *["ok"] * 6], done
    assert set(outcomes(applied(on(vda, *layout)))) == {"ok"}
    judge(vda, layout)
    assert {n: run("sha256sum", vda.partition(n)).stdout.split()[0] for n in before} == before
    assert _read(vda, 0, len(code)) == code
    assert "No problems found" in said("sgdisk", "--verify", vda.node)


@pytest.mark.parametrize("where", [8192, -512, -33 * 512])
def test_data_at_the_place_of_a_copy_is_a_loss(disk: MakeDisk, where: int) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    _grown(vda, "whole-copy")
    vda.put(where, b"somebody's boot loader, or data" * 16)
    before = vda.digest()
    words = refusal(on(vda, *SMALL))
    assert "unknown data in place of the" in words and "'nix' ext4 labelled 'nixos' (" in words
    assert vda.digest() == before


def test_partitions_of_a_foreign_table_at_the_old_end_are_named(disk: MakeDisk) -> None:
    vda = disk()
    converged(on(vda, *SMALL), seed="another")
    _grown(vda, "header")
    words = refusal(on(vda, *SMALL))
    assert "a GPT, " in words
    assert "p1: 'ESP' vfat labelled 'BOOT' (0% full)" in words
    assert "p3: 'nix' ext4 labelled 'nixos' (" in words
    converged(on(vda, *SMALL), vda.node)
    judge(vda, SMALL)


@pytest.mark.parametrize("at", [64, 2016])
def test_a_table_with_moved_entries_is_valid_and_keeps_them(disk: MakeDisk, at: int) -> None:
    """As single-board computers have it, whose boot loader is at 8 KiB."""
    vda = disk()
    run("sgdisk", "-o", "-j", at, "-n", "1:4096:+64M", "-c", "1:theirs", vda.node)
    run("partx", "--update", "--nr", "1:1", vda.node)
    vda.put(8192, b"boot loader")
    keep = {"device": vda.node, "existing": "keep"}
    part = {"device": vda.node, "number": 2, "name": "data", "type": "linux", "size": "64MiB", "raw": True}
    assert set(outcomes(applied([("gpt-label", keep)]))) == {"ok"}
    vda.resize("1GiB")
    converged([("gpt-label", keep), ("aligned-partition", part)])
    assert struct.unpack("<Q", _read(vda, 512 + 72, 8))[0] == at
    assert _read(vda, 8192, 11) == b"boot loader"
    assert "No problems found" in said("sgdisk", "--verify", vda.node)
    vda.put(-512, bytes(512))
    converged([("gpt-label", keep), ("aligned-partition", part)])
    assert struct.unpack("<Q", _read(vda, 512 + 72, 8))[0] == at
    assert "'theirs' nothing known" in refusal([("wipefs", {"device": vda.node})])


def test_our_table_is_restored_on_a_disk_with_large_sectors(disk: MakeDisk) -> None:
    layout = (SMALL[1], ("nix", "linux", "300MiB", "ext4 nixos"))  # a FAT of such sectors would want more room
    vda = disk(sector=4096)
    converged(on(vda, *layout))
    _forget(vda)
    vda.put(4096, bytes(4096))
    vda.resize("1GiB")
    assert outcomes(applied(on(vda, *layout)))[:2] == ["ok", "changed"]
    judge(vda, layout)


@pytest.mark.parametrize("size", ["512", "1024", "4096"])
def test_a_disk_without_room_for_a_table_has_none_elsewhere(disk: MakeDisk, size: str) -> None:
    assert "too small for a GPT" in refusal(on(disk(size), wipe=False))
