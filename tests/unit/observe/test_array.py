"""md arrays as the kernel has them: by their name, whoever made them, and with what is missing."""

from __future__ import annotations

import pytest

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output
from subfloor.observe.array import ArraysNamed, MemberOf

ARRAY = """\
array /dev/md/data
state active
level raid1
disks 2
each 188416
action {action}
member /dev/vdd1 in_sync
member /dev/vdf1 {state}
MD_LEVEL=raid1
MD_DEVICES=2
MD_NAME={name}
MD_ARRAY_SIZE=184.00MiB
MD_UUID=fe6b8465:6ff156bd:92c8b2a4:3cac8ec4
MD_UPDATE_TIME=1795979161
MD_EVENTS=17
"""


def seen(text: str, name: str = "data") -> list[str]:
    return [str(each) for each in ArraysNamed(name).parse(Output(text.encode()))]


def array(state: str = "in_sync", name: str = "any:data", action: str = "idle") -> str:
    return ARRAY.format(state=state, name=name, action=action)


def test_an_array_with_all_of_its_members() -> None:
    (found,) = ArraysNamed("data").parse(Output(array().encode()))
    assert found.uuid == "fe6b8465-6ff1-56bd-92c8-b2a43cac8ec4" and found.node == "/dev/md/data" and found.active
    assert (found.level, found.count, found.each) == ("raid1", 2, 184 << 20)
    assert found.members == {"/dev/vdd1", "/dev/vdf1"} and not found.faulty and not found.syncing


def test_the_shape_of_a_striped_array() -> None:
    striped = array().replace("raid1", "raid10").replace("each 188416", "each 1\nchunk 65536\nlayout 513\nmetadata 1.2")
    (found,) = ArraysNamed("data").parse(Output(striped.encode()))
    assert (found.level, found.chunk, found.layout, found.metadata) == ("raid10", 65536, "f2", "1.2")


def test_a_level_0_that_lost_a_member_still_lists_it() -> None:
    (found,) = ArraysNamed("data").parse(Output(array().replace("state active", "state broken").encode()))
    assert found.broken and found.active and len(found.members) == 2


def test_a_faulty_member_is_none() -> None:
    assert seen(array("faulty,blocked")) == ["raid1 of /dev/vdd1, faulty /dev/vdf1, 1 of 2 missing"]


def test_a_member_that_is_being_rebuilt_is_one() -> None:
    (found,) = ArraysNamed("data").parse(Output(array("spare", action="recover").encode()))
    assert found.members == {"/dev/vdd1", "/dev/vdf1"} and found.syncing == "rebuilding a member"


def test_every_array_of_the_name_is_listed_and_no_other() -> None:
    both = array() + array(name="host:data").replace("fe6b", "0123") + array(name="any:other")
    assert len(seen(both)) == 2 and len(seen(both, "other")) == 1 and not seen(both, "more")


def test_an_array_that_is_not_started() -> None:
    (found,) = ArraysNamed("data").parse(Output(array().replace("state active", "state inactive").encode()))
    assert not found.active


def test_a_machine_without_arrays() -> None:
    assert seen("") == []


def test_arrays_and_no_mdadm_is_an_error() -> None:
    with pytest.raises(LookFailed, match="mdadm is missing"):
        ArraysNamed("data").parse(Output(b"", 127))


@pytest.mark.parametrize(("state", "alone"), [("AA", False), (".A", True), ("A.", True)])
def test_a_member_knows_whether_it_ran_alone(state: str, alone: bool) -> None:
    text = (
        f"/dev/vdf1:\n     Array UUID : fe6b8465:6ff156bd:92c8b2a4:3cac8ec4\n   Array State : {state} ('A' == active)\n"
    )
    found = MemberOf("/dev/vdf1").parse(Output(text.encode()))
    assert found is not None and found.alone == alone and found.uuid == "fe6b8465-6ff1-56bd-92c8-b2a43cac8ec4"


def test_no_superblock() -> None:
    assert MemberOf("/dev/vdf1").parse(Output(b"")) is None
