"""Volume groups on loop devices: made, extended, grown, and refused, with LVM's own programs and no device-mapper."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from uuid import uuid4

import pytest

from disks.plays import Play, applied, converged, outcomes, refusal
from loop_disks import LoopDisk, MakeDisk, disk, run, said

pytestmark = pytest.mark.root

__all__ = ["disk"]  # fixtures


@pytest.fixture
def name() -> Iterator[str]:
    """The name of a group that no other test has."""
    name = f"sf-{uuid4().hex[:8]}"
    yield name
    subprocess.run(["vgremove", "-qq", "--force", "--yes", "--autobackup", "n", name], check=False, capture_output=True)


def on(vda: LoopDisk, name: str, sizes: tuple[str, ...] = ("100MiB",), used: int = 0) -> Play:
    """A table with partitions of these sizes, and a group on the first ones."""
    parts = [
        ("aligned-partition", {"device": vda.node, "number": n, "name": f"p{n}", "type": "lvm", "size": size})
        for n, size in enumerate(sizes, 1)
    ]
    devices = [vda.partition(n) for n in range(1, (used or len(sizes)) + 1)]
    return [
        ("wipefs", {"device": vda.node}),
        ("gpt-label", {"device": vda.node}),
        *parts,
        ("volume-group", {"name": name, "devices": devices}),
    ]


def seen(name: str) -> list[str]:
    """What LVM says of the group: its volumes, extents, and tags."""
    return said("vgs", "--noheadings", "-o", "pv_count,vg_extent_count,vg_tags", name).split()


def test_a_group_is_made_extended_and_grown(disk: MakeDisk, name: str) -> None:
    vda = disk()
    sizes = ("100MiB", "60MiB")
    converged(on(vda, name, sizes, used=1))
    pvs = said("pvs", "--noheadings", "-o", "pe_start,pv_uuid", "--units", "k", vda.partition(1)).split()
    assert pvs[0] == "1024.00k" and len(pvs[1]) == 38
    assert seen(name)[:2] == ["1", "24"] and seen(name)[2].startswith("subfloor.")
    assert outcomes(applied(on(vda, name, sizes)))[-1] == "changed"
    assert seen(name)[:2] == ["2", "38"]
    assert outcomes(applied(on(vda, name, ("100MiB", "100MiB")))) == ["ok", "ok", "ok", "changed", "changed"]
    assert seen(name)[:2] == ["2", "48"]
    converged(on(vda, name, ("100MiB", "100MiB")))


def test_a_foreign_group_of_this_name_is_refused_until_its_disk_is_erased(disk: MakeDisk, name: str) -> None:
    theirs, vda = disk(), disk()
    run("pvcreate", "-qq", theirs.node)
    run("vgcreate", "-qq", "--autobackup", "n", name, theirs.node)
    before = theirs.digest()
    assert f"the volume group {name!r} ({theirs.node}) was not made by this play" in refusal(on(vda, name))
    assert theirs.digest() == before
    assert f"volume group {name!r}" in refusal(on(theirs, name))
    converged(on(theirs, name), theirs.node)
    assert seen(name)[0] == "1"
