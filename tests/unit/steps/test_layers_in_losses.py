"""Whatever is lost with a disk, a partition or a space is named with the group or array that it is a part of."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from subfloor.core.machine import LookNeeded, Machine
from subfloor.observe.disk import Content, DiskState, Holdings, PartitionState, Remains
from subfloor.observe.layers import Layer, Part
from subfloor.observe.layers.member import Member
from subfloor.steps.losses import loss, loss_of_remains, losses_of_partitions
from subfloor.storage import gpt
from subfloor.storage.partition_types import type_guid
from subfloor.storage.sizes import MIB

POOL = Layer("volume group 'pool'", (Part("'root'", 100 * MIB, (), ("/dev/vdb", MIB, 101 * MIB)),), ("/dev/vdb",))
NAMED = (
    "volume group 'pool' with 'root' (100 MiB, ext4 labelled 'photos'); its other devices may lose data too: /dev/vdb"
)
MEMBER = Content("LVM2_member", uuid="x")


def seen(decide: Callable[[Machine], str], asked: list[object]) -> str:
    """What is decided, with a look at all that is asked for."""
    machine = Machine()
    for _ in range(20):
        try:
            return decide(machine)
        except LookNeeded as needed:
            asked.append(needed.subject)
            machine = machine.updated({needed.subject: _looked(needed.subject)})
    raise AssertionError(asked)


def _looked(subject: object) -> object:
    if isinstance(subject, Member):
        return POOL
    assert isinstance(subject, Holdings)
    return (Remains(MIB, Content("ext4", "photos")),) if subject.path == "/dev/vdb" else ()


def whole(content: Content) -> DiskState:
    return DiskState("/dev/vda", 512 * MIB, signatures=(content.type,), content=content)


def parted(content: Content, *, known: bool = True) -> DiskState:
    table = gpt.blank(UUID(int=1), 512 * MIB // 512, 512)
    disk = DiskState("/dev/vda", 512 * MIB, table=table, volumes=(PartitionState(1, content, known),))
    return disk.with_entry(gpt.Entry(1, 2048, 4096, type_guid("linux"), UUID(int=2), "data"))


def test_a_whole_disk_of_a_group() -> None:
    assert f"LVM2_member ({NAMED}) on the whole disk" in seen(lambda m: loss(m, "/dev/vda", whole(MEMBER)).what, [])


def test_a_partition_of_a_group_when_its_disk_is_erased_and_when_it_is_removed() -> None:
    disk = parted(MEMBER)
    entry = disk.entry(1)
    assert entry
    assert f"LVM2_member ({NAMED})" in seen(lambda m: loss(m, "/dev/vda", disk).what, [])
    assert f"LVM2_member ({NAMED}) (in the way)" in seen(
        lambda m: losses_of_partitions(m, "/dev/vda", disk, [entry], "in the way")[0].what, []
    )


@pytest.mark.parametrize("kind", ["LVM2_member", "linux_raid_member", "bcache"])
def test_what_no_device_leads_to_is_said_not_to_be_named(kind: str) -> None:
    cannot = "its volume group, array or filesystem is unknown"
    asked: list[object] = []
    assert cannot in seen(lambda m: loss(m, "/dev/vda", parted(Content(kind), known=False)).what, asked)
    assert cannot in loss_of_remains("/dev/vda", whole(MEMBER), [Remains(MIB, Content(kind))])[0].what
    assert not any(isinstance(each, Member) for each in asked)


def test_a_locked_container_is_named_by_its_uuid_and_not_looked_into() -> None:
    asked: list[object] = []
    said = seen(lambda m: loss(m, "/dev/vda", whole(Content("crypto_LUKS", uuid="1-2"))).what, asked)
    assert "crypto_LUKS (UUID 1-2, what is in it cannot be seen)" in said
    assert not any(isinstance(each, Member) for each in asked)


def test_a_group_inside_an_array_that_is_not_assembled_is_said_not_to_be_named() -> None:
    array = Layer("raid1 array", (Part(size=100 * MIB, place=("/dev/vda", MIB, 101 * MIB)),))

    def decide(machine: Machine) -> str:
        try:
            return loss(machine, "/dev/vda", whole(Content("linux_raid_member"))).what
        except LookNeeded as needed:
            found = array if isinstance(needed.subject, Member) else (Remains(MIB, MEMBER),)
            return decide(machine.updated({needed.subject: found}))

    assert "raid1 array (100 MiB, LVM2_member, what is in it is unknown" in decide(Machine())


def test_what_is_made_in_this_run_is_not_looked_at() -> None:
    asked: list[object] = []
    seen(lambda m: loss(m, "/dev/vda", parted(Content("btrfs", fresh=True))).what, asked)
    assert not any(isinstance(each, Member) for each in asked)


def test_a_group_behind_one_of_several_signatures_is_named_and_what_is_none_is_not() -> None:
    assert f"ambivalent ({NAMED}" in seen(lambda m: loss(m, "/dev/vda", parted(Content("ambivalent"))).what, [])

    def decide(machine: Machine) -> str:
        try:
            return loss(machine, "/dev/vda", parted(Content("ambivalent"))).what
        except LookNeeded as needed:
            found = Layer(unseen="LVM does not list it") if isinstance(needed.subject, Member) else ()
            return decide(machine.updated({needed.subject: found}))

    assert decide(Machine()).endswith("'data' ambivalent")
