"""Names, UUIDs and tags of LVM."""

from __future__ import annotations

from uuid import UUID

import pytest

from subfloor.storage import lvm
from subfloor.storage.devices import logical_volume
from subfloor.storage.filesystems import LVM, uuid_on_disk
from subfloor.storage.marks import UNFINISHED

OURS = UUID("7ab5d0b6-3a5a-5c0c-9e0e-5bf100f5eed5")


def test_a_hyphen_is_doubled_so_that_no_two_volumes_have_the_same_name() -> None:
    assert logical_volume("a-b", "c") != logical_volume("a", "b-c")


def test_a_uuid_in_the_form_of_lvm() -> None:
    assert uuid_on_disk(LVM, OURS) == "7ab5d0-b63a-5a5c-0c9e-0e5b-f100-f5eed5"


def test_a_tag_shows_whose_a_volume_is_and_its_stage() -> None:
    for stage in (lvm.NEW, UNFINISHED, ""):
        assert lvm.stage_of({"theirs", lvm.tag(OURS, stage)}, OURS) == stage
    assert lvm.stage_of({"theirs", f"subfloor.{UUID(int=1)}"}, OURS) is None
    assert lvm.stage_of({lvm.tag(OURS), lvm.tag(OURS, lvm.NEW)}, OURS) == lvm.NEW


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "..", "mapper", "disk", "a:b"])
def test_names_that_no_group_can_have(name: str) -> None:
    with pytest.raises(ValueError, match=r"name for LVM|directory below /dev"):
        lvm.check_group(name)


@pytest.mark.parametrize("name", ["snapshot1", "pvmove0", "a_tmeta", "a_rimage_0", "a_mlog", "lvol0_pmspare", "a2p1"])
def test_names_that_no_volume_can_have(name: str) -> None:
    with pytest.raises(ValueError, match=r"LVM keeps|ends like"):
        lvm.check_volume("pool", name)


def test_names_have_room_in_that_of_the_mapped_device() -> None:
    lvm.check_volume("pool", "a" * 122)
    with pytest.raises(ValueError, match="too long"):
        lvm.check_volume("pool", "a" + "-" * 61)
