"""A UUID that two devices carry: what the probe prints, which devices are one, and who is refused."""

from __future__ import annotations

from subfloor.act.duplicate_uuids import refuse_duplicate_uuids
from subfloor.core.machine import Output
from subfloor.core.outcome import Outcome, TaskReport
from subfloor.core.task import Claim
from subfloor.observe.block_uuids import BlockUuids, UuidHolder

ID = "79ae4415-ccb3-5e82-8a37-135d19b37440"


def carriers(*lines: str) -> tuple[UuidHolder, ...]:
    """What is read of the probe's output."""
    return BlockUuids().parse(Output("\n".join(lines).encode()))


def refused(found: tuple[UuidHolder, ...], *claims: tuple[Claim, ...]) -> list[str]:
    """Why each task is refused that has these claims, "" where it is not."""
    reports = [TaskReport("task", "task", Outcome.OK) for _ in claims]
    return [str(report.error or "") for report in refuse_duplicate_uuids(claims, found, reports)]


def label_id(disk: str = "/dev/vda", uuid: str = ID) -> tuple[Claim, ...]:
    return (Claim(disk, disk, "label-id", uuid),)


def test_each_device_that_carries_a_uuid_is_read_with_the_disk_that_it_lies_on() -> None:
    found = carriers("device vda", f"table {ID}", "device vda1", "partition-of vda", "entry A-B", "holds BE16-F803")
    assert [(each.node, each.disk, each.kind, each.uuid) for each in found] == [
        ("/dev/vda", "/dev/vda", "label-id", ID),
        ("/dev/vda1", "/dev/vda", "PARTUUID", "a-b"),
        ("/dev/vda1", "/dev/vda", "UUID", "be16-f803"),
    ]


def test_a_device_that_is_read_later_keeps_what_was_said_before() -> None:
    """A read that took too long is repeated, so a line may come twice."""
    again = ("device vda1", "entry A-B", "device vda1", "entry A-B")
    found = carriers("device vda", "device vda1", "partition-of vda", "device vda", f"table {ID}", *again)
    assert [(each.node, each.disk, each.kind) for each in found] == [
        ("/dev/vda", "/dev/vda", "label-id"),
        ("/dev/vda1", "/dev/vda", "PARTUUID"),
    ]


def test_names_with_a_slash_are_paths() -> None:
    assert [each.node for each in carriers("device cciss!c0d0", f"table {ID}")] == ["/dev/cciss/c0d0"]


def test_a_disk_is_not_a_duplicate_of_itself() -> None:
    assert refused(carriers("device vda", f"table {ID}"), label_id()) == [""]


def test_another_disk_with_the_uuid_is_refused_and_both_are_named() -> None:
    (why,) = refused(carriers("device vda", f"table {ID}", "device vdb", f"table {ID}"), label_id())
    assert why.startswith(f"/dev/vdb has the label-id that this play gives to /dev/vda, {ID}")


def test_the_advice_is_another_name_or_other_uuids() -> None:
    (report,) = refuse_duplicate_uuids(
        [label_id()], carriers("device vdb", f"table {ID}"), [TaskReport("task", "task", Outcome.OK)]
    )
    assert report.error
    assert "`disk:`" in report.error.advice
    assert "detach it" in report.error.advice


def test_a_disk_that_would_get_the_uuid_is_refused_too() -> None:
    assert refused(carriers("device vdb", f"table {ID}"), label_id())[0]


def test_uuids_are_compared_without_case() -> None:
    assert refused(carriers("device vdb1", "partition-of vdb", "holds BE16-F803"), _holds("be16-f803"))[0]
    assert refused(carriers("device vdb1", "partition-of vdb", "holds be16-f803"), _holds("BE16-F803"))[0]


def _holds(uuid: str) -> tuple[Claim, ...]:
    return (Claim("/dev/vda1", "/dev/vda", "UUID", uuid),)


def test_a_uuid_of_another_kind_is_not_a_duplicate() -> None:
    assert refused(carriers("device vdb", f"table {ID}"), _holds(ID)) == [""]


def test_two_disks_that_are_copies_are_reported_once() -> None:
    found = carriers("device vdb", f"table {ID}", "device vdb1", "partition-of vdb", "holds BE16-F803")
    first, second = refused(found, label_id(), _holds("BE16-F803"))
    assert first
    assert not second


def test_a_device_made_of_the_disk_is_not_a_duplicate() -> None:
    mirror = ("device md0", "above vda", "above vdb", f"table {ID}")
    assert refused(carriers("device vda", f"table {ID}", *mirror), label_id()) == [""]


def test_a_device_made_of_a_partition_of_the_disk_is_not_a_duplicate() -> None:
    found = carriers("device vda1", "partition-of vda", "holds A", "device dm-0", "above vda1", "holds A")
    assert refused(found, _holds("A")) == [""]


def test_a_device_that_the_disk_is_made_of_is_not_a_duplicate() -> None:
    paths = ("device sda", f"table {ID}", "device sdb", f"table {ID}")
    found = carriers(*paths, "device dm-0", "above sda", "above sdb", f"table {ID}")
    assert refused(found, label_id("/dev/dm-0")) == [""]


def test_devices_that_are_made_of_each_other_do_not_loop() -> None:
    assert refused(carriers("device a", "above b", f"table {ID}", "device b", "above a"), label_id("/dev/a")) == [""]


def test_the_other_devices_of_a_btrfs_are_not_duplicates_but_a_copy_of_one_is() -> None:
    own = ("device vda1", "partition-of vda", "holds A", "member 1")
    assert refused(carriers(*own, "device vdb", "holds A", "member 2"), _holds("A")) == [""]
    assert refused(carriers(*own, "device vdb", "holds A", "member 1"), _holds("A"))[0]


def test_a_planned_btrfs_is_not_part_of_an_existing_one() -> None:
    assert refused(carriers("device vda1", "partition-of vda", "device vdb", "holds A", "member 2"), _holds("A"))[0]
