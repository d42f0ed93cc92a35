"""Device names, sizes and derived UUIDs."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subfloor.core.identity import Identity
from subfloor.storage import declared_sizes, devices, sizes
from subfloor.storage.devices import Device
from subfloor.storage.filesystems import check_label, fat_serial
from subfloor.storage.partition_types import TYPES, type_guid, type_name


@pytest.mark.parametrize(
    ("disk", "node"),
    [
        ("/dev/vda", "/dev/vda3"),
        ("/dev/sdaa", "/dev/sdaa3"),
        ("/dev/nvme0n1", "/dev/nvme0n1p3"),
        ("/dev/mmcblk0", "/dev/mmcblk0p3"),
        ("/dev/loop0", "/dev/loop0p3"),
        ("/dev/md127", "/dev/md127p3"),
        ("/dev/disk/by-id/virtio-1234", "/dev/disk/by-id/virtio-1234-part3"),
        ("/dev/disk/by-path/pci-0000:00:04.0", "/dev/disk/by-path/pci-0000:00:04.0-part3"),
    ],
)
def test_a_partition_is_named_as_the_kernel_and_udev_do_case_19(disk: str, node: str) -> None:
    assert devices.partition_node(disk, 3) == node
    assert devices.device(node) == Device(disk, 3)
    assert devices.device(disk) == Device(disk)
    assert devices.partition_of(node) == (disk, 3)


@pytest.mark.parametrize("path", ["vda", "/dev/../vda", "/dev//vda", "/etc/passwd", "/dev/", "/dev/vda ", "", "/dev/."])
def test_unclean_paths_are_not_devices_case_9(path: str) -> None:
    with pytest.raises(ValueError, match="normalised path below /dev"):
        devices.device(path)


def test_a_partition_is_not_a_disk_and_a_disk_not_a_partition_case_21() -> None:
    with pytest.raises(ValueError, match="/dev/vda1 is a partition; its disk is /dev/vda"):
        devices.whole_disk("/dev/vda1")
    with pytest.raises(ValueError, match=r"/dev/nvme0n1 is a whole disk.*such as /dev/nvme0n1p1"):
        devices.partition_of("/dev/nvme0n1")


@pytest.mark.parametrize(
    "text", ["8GB", "8G", "8", "1.5GiB", "8e9B", "-1MiB", "0MiB", "8 GiB", " 8GiB", "", "GiB", "9000000PiB", "٣MiB"]
)
def test_sizes_have_one_spelling_case_11(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a size|out of range"):
        sizes.parse(text)


@given(st.integers(1, (1 << 63) - 1))
def test_a_size_that_is_shown_reads_back(size: int) -> None:
    assert sizes.parse(sizes.show(size)) == size


def test_sizes_are_shown_in_the_largest_whole_unit() -> None:
    assert [sizes.show(n) for n in (0, 1000, 513 << 20, 8 << 30)] == ["0B", "1000B", "513MiB", "8GiB"]


def test_uuids_depend_on_seed_host_and_name_alone() -> None:
    one, table = Identity("seed", "host"), UUID(int=1)
    assert one.disk("disk") == Identity("seed", "host").disk("disk")
    assert len({one.disk("disk"), one.disk("data"), Identity("seed", "other").disk("disk")}) == 3
    assert Identity("other", "host").disk("disk") != one.disk("disk")
    numbers = {one.partition(table, 1, "a"), one.partition(table, 2, "a"), one.partition(table, 1, "b")}
    assert len(numbers | {one.partition(UUID(int=2), 1, "a")}) == 4
    assert one.disk("disk").version == 5


def test_derived_uuids_never_change_between_versions() -> None:
    """They are on people's disks: another derivation would make all of those foreign."""
    assert str(Identity("seed", "host").disk("disk")) == "79ae4415-ccb3-5e82-8a37-135d19b37440"


def test_a_foreign_name_that_utf_8_cannot_encode_has_a_uuid_too() -> None:
    one, table = Identity("seed", "host"), UUID(int=1)
    assert len({one.partition(table, 1, name) for name in ("\ud800", "\ud801", "\udfff")}) == 3
    assert not one.is_adopted(UUID(int=2), table, 1, "\udfff")


def test_a_disk_is_recognised_on_its_machine_and_by_what_earlier_versions_wrote() -> None:
    anywhere, here, there = (Identity("seed", "localhost", machine) for machine in ("", "a", "b"))
    assert here.disk("disk") != there.disk("disk") != anywhere.disk("disk") == here.disk_anywhere("disk")
    assert here.is_disk(here.disk("disk"), "disk") and here.is_disk(anywhere.disk("disk"), "disk")
    assert anywhere.is_disk(here.disk("disk"), "disk")
    for other in (there.disk("disk"), here.disk("data"), Identity("seed", "host", "a").disk("disk"), UUID(int=8)):
        assert not here.is_disk(other, "disk")
    assert here.is_of_another_machine(there.disk("disk"), "disk")
    assert not any(here.is_of_another_machine(each, "disk") for each in (here.disk("disk"), anywhere.disk("disk")))
    assert not anywhere.is_of_another_machine(here.disk("disk"), "disk")
    assert not here.is_of_another_machine(there.disk("data"), "disk")
    assert here.name_of(here.disk("b"), ("a", "b")) == "b" and here.name_of(there.disk("b"), ("a", "b")) is None


def test_only_the_label_id_says_on_which_machine_a_disk_was_laid_out() -> None:
    here, there, table = Identity("seed", "localhost", "a"), Identity("seed", "localhost", "b"), UUID(int=1)
    assert here.partition(table, 1, "a") == there.partition(table, 1, "a")
    assert here.filesystem(table) == there.filesystem(table)


def test_partition_types_have_names_and_guids_case_8() -> None:
    assert type_name(type_guid("esp")) == "esp"
    assert type_guid("C12A7328-F81F-11D2-BA4B-00A0C93EC93B") == TYPES["esp"]
    assert len(set(TYPES.values())) == len(TYPES)
    with pytest.raises(ValueError, match="not a partition type"):
        type_guid("c12a7328-f81f")


@pytest.mark.parametrize(("kind", "longest"), [("ext4", 16), ("vfat", 11), ("swap", 15), ("xfs", 12), ("btrfs", 254)])
def test_labels_have_limits_case_7(kind: str, longest: int) -> None:
    check_label(kind, "x" * longest)
    with pytest.raises(ValueError, match=f"too long for {kind}: at most {longest} bytes"):
        check_label(kind, "x" * (longest + 1))


@pytest.mark.parametrize(("kind", "label"), [("ext4", " a"), ("ext4", "a\n"), ("vfat", "a/b"), ("xfs", "ü" * 7)])
def test_labels_that_a_filesystem_cannot_hold_are_refused(kind: str, label: str) -> None:
    with pytest.raises(ValueError):
        check_label(kind, label)


def test_a_fat_volume_has_the_first_half_of_the_first_part() -> None:
    assert fat_serial(UUID("d174e84e-55e5-4348-879c-11a562aa0581")) == "D174-E84E"


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("10G", "write 10GiB"),
        ("512m", "write 512MiB"),
        ("5 GB", "write 5GiB, or 5000000000B if you mean 5 GB of 1000 bytes"),
        ("8 GiB", "write 8GiB"),
        ("8gib", "write 8GiB"),
        ("1.5GiB", "write 1536MiB"),
        ("1.3GiB", "write 1332MiB"),
        ("1024KiB ", "write 1MiB"),
        ("100 B", "write 100B"),
        ("8", "write a whole number and an IEC unit, such as 512MiB or 8GiB"),
        ("8e9", "write a whole number and an IEC unit, such as 512MiB or 8GiB"),
        ("0G", "write a whole number and an IEC unit, such as 512MiB or 8GiB"),
    ],
)
def test_a_wrong_size_gets_a_suggestion(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match="is not a size") as caught:
        sizes.parse(text)
    assert str(caught.value) == f"{text!r} is not a size; {advice}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-8G", "'-8G' is not a size; write -8GiB"),
        ("rset", "'rset' is not a size; write `rest`, or a size such as 8GiB or 25%"),
    ],
)
def test_a_wrong_partition_size_gets_a_suggestion(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="is not a size") as caught:
        declared_sizes.check_size(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("lunix", "linux"),
        ("EF00", "esp"),
        ("8300", "linux"),
        ("ef02", "bios-boot"),
        ("efi", "esp"),
        ("ext4", "linux"),
        ("Swap", "swap"),
        ("linux-root-amd64", "linux-root-arm64"),
        ("NTFS", "microsoft-basic-data"),
    ],
)
def test_a_wrong_partition_type_gets_a_suggestion(text: str, meant: str) -> None:
    with pytest.raises(ValueError, match=f"did you mean {meant}\\?"):
        type_guid(text)
