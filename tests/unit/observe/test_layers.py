"""What a member of a group, an array or a filesystem over several devices is a part of, from recorded outputs."""

from __future__ import annotations

import struct
from typing import Any

import pytest
import yaml

from places import DATA
from subfloor.core.machine import Output
from subfloor.observe.disk import Content
from subfloor.observe.layers import Array, CacheSet, Layer, Part, Spread, VolumeGroup, layers_of

RECORDED = yaml.safe_load((DATA / "layers" / "recorded.yml").read_text("utf-8"))
UUID = "f9342fdc-09b1-45f5-9fa4-51ee27241df7"
DEVICES = b"device /dev/vda\nsize=1048576\ndevice /dev/vdc\nsize=1048576\n"


def group(name: str, node: str) -> Layer:
    return VolumeGroup(node, "LVM2_member", "").parse(Output(RECORDED[name].encode()))


def array(name: str, node: str, listed: bytes = DEVICES) -> Layer:
    record: dict[str, Any] = RECORDED[name]
    outputs = (Output(record["superblock"].encode()), Output(record["arrays"].encode()), Output(listed))
    return Array(node, "linux_raid_member", UUID).parse(*outputs)


def alike(kind: str) -> bytes:
    return b"".join(
        f"device {node}\nsize=1048576\nID_FS_TYPE={kind}\nID_FS_UUID={UUID}\n".encode()
        for node in ("/dev/vda", "/dev/vdc")
    )


@pytest.mark.parametrize(
    ("name", "node", "words"),
    [
        (
            "lvm-over-two-disks",
            "/dev/nvme0n1",
            "volume group 'pool' with 'root' (1016 MiB); its other devices may lose data too: /dev/vdc (512 MiB)",
        ),
        (
            "lvm-thin",
            "/dev/nvme0n1",
            "volume group 'pool' with 'guest' (300 MiB, thin sparse), 'thin' (100 MiB, thin pool)",
        ),
        ("lvm-in-partitions", "/dev/nvme0n1p2", "volume group 'pool' with 'root' (100 MiB), 'swap' (52 MiB)"),
        (
            "lvm-of-a-disk-that-is-gone",
            "/dev/vda",
            "volume group 'pool' with 'root' (1016 MiB); 1 of its devices is not present",
        ),
        ("lvm-pv", "/dev/nvme0n1", "in no volume group"),
    ],
)
def test_a_group_is_named_with_its_volumes_and_its_other_devices(name: str, node: str, words: str) -> None:
    assert group(name, node).as_loss == words


def test_where_a_logical_volume_begins_is_known_unless_it_is_in_a_pool() -> None:
    places = {part.name: part.place for part in group("lvm-in-partitions", "/dev/nvme0n1p2").parts}
    assert places["'swap'"] == ("/dev/nvme0n1p2", (1 << 20) + 25 * (4 << 20), (1 << 20) + 38 * (4 << 20))
    assert {part.place for part in group("lvm-thin", "/dev/nvme0n1").parts} == {None}


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (Output(b"", 127), "the volume group is unknown: lvm is not installed"),
        (Output(b"", 5), "the volume group is unknown; run `pvs --all /dev/vda` to see why"),
        (
            Output(b'{"report": [{"pv": [{}]}]}'),
            "the volume group is unknown; run `pvs --all /dev/vda` to see why",
        ),
        (Output(b'{"report": []}'), "LVM does not list the device"),
    ],
)
def test_missing_output_of_lvm_is_reported_and_fails_no_look(output: Output, words: str) -> None:
    assert words in str(VolumeGroup("/dev/vda", "LVM2_member", "").parse(output))


@pytest.mark.parametrize(
    ("name", "node", "words"),
    [
        (
            "md-1.2-of-two-disks",
            "/dev/vda",
            "raid1 array 'subfloor:9' of 2 devices (511 MiB); its other devices may lose data too: /dev/vdc (512 MiB)",
        ),
        (
            "md-raid0-of-two-disks",
            "/dev/nvme0n1",
            "raid0 array 'subfloor:9' of 2 devices; its other devices may lose data too: /dev/vdc (512 MiB)",
        ),
        ("md-0.90", "/dev/nvme0n1", "raid1 array of 2 devices (511.9 MiB); 1 of its devices is not present"),
        (
            "md-external-imsm",
            "/dev/nvme0n1",
            "imsm container of 2 devices with 'vol0'; 1 of its devices is not present",
        ),
    ],
)
def test_an_array_is_named_with_its_level_and_its_other_devices(name: str, node: str, words: str) -> None:
    assert array(name, node).as_loss == words


def test_the_content_of_an_array_begins_on_every_mirror_and_on_the_first_member_of_others() -> None:
    (mirror,) = array("md-1.2-of-two-disks", "/dev/vda").parts
    assert mirror.place == ("/dev/vda", 1 << 20, (1 << 20) + 1046528 * 512)
    (first,) = array("md-raid0-of-two-disks", "/dev/nvme0n1").parts
    assert first.place == ("/dev/nvme0n1", 2 << 20, (2 << 20) + 1044480 * 512)


def test_without_mdadm_the_other_members_are_named_by_their_uuid() -> None:
    outputs = (Output(b"", 127), Output(b""), Output(alike("linux_raid_member")))
    said = Array("/dev/vda", "linux_raid_member", UUID).parse(*outputs).as_loss
    assert "may lose data too: /dev/vdc (512 MiB)" in said and "mdadm is not installed" in said


@pytest.mark.parametrize(
    ("count", "listed", "words"),
    [
        ("1", DEVICES, ""),
        ("2", alike("btrfs"), "on 2 devices; its other devices may lose data too: /dev/vdc (512 MiB)"),
        ("2", DEVICES, "on 2 devices; 1 of its devices is not present"),
        (
            "1",
            DEVICES + b"silent=yes\n",
            "its other devices may lose data too: /dev/vdc (512 MiB), which cannot be read",
        ),
    ],
)
def test_a_btrfs_names_its_other_devices(count: str, listed: bytes, words: str) -> None:
    said = Spread("/dev/vda", "btrfs", UUID).parse(Output(f" {count}\n".encode()), Output(listed)).as_loss
    assert said.startswith(words) if words else not said


def superblock(version: int, of: bytes, label: bytes = b"") -> str:
    magic = bytes.fromhex("c68573f64e1a45ca8265f57f48ba6d81")
    start = struct.pack("<QQQ16s16s16s32s", 0, 8, version, magic, bytes(16), of, label)
    return (start.ljust(184, b"\0") + struct.pack("<Q", 32)).hex()


def test_a_cache_names_the_devices_that_it_is_in_front_of() -> None:
    lines = {
        "/dev/vda": superblock(3, b"a"),
        "/dev/vdc": superblock(1, b"a", b"photos"),
        "/dev/vdd": superblock(1, b"b"),
    }
    printed = "".join(f"{node} {digits}\n" for node, digits in lines.items()).encode()
    said = {node: CacheSet(node, "bcache", "").parse(Output(printed), Output(DEVICES)) for node in lines}
    assert said["/dev/vda"].as_loss == "cache; its other devices may lose data too: /dev/vdc (512 MiB)"
    assert said["/dev/vdc"].as_loss.startswith("backing device 'photos'; its other devices may lose data too: /dev/vda")
    assert said["/dev/vdc"].parts == (Part(place=("/dev/vdc", 8192, 512 << 20)),)


@pytest.mark.parametrize(
    "kind", ["LVM2_member", "linux_raid_member", "isw_raid_member", "btrfs", "bcache", "zfs_member"]
)
def test_every_kind_that_may_lie_on_several_devices_is_looked_at(kind: str) -> None:
    assert layers_of("/dev/vda", Content(kind, uuid=UUID))


def test_a_filesystem_on_one_device_is_not_looked_at() -> None:
    assert layers_of("/dev/vda", Content("ext4")) == ()


@pytest.mark.parametrize("kind", ["zfs_member", "bcachefs"])
def test_a_pool_names_its_other_devices(kind: str) -> None:
    (subject,) = layers_of("/dev/vda", Content(kind, uuid=UUID))
    assert subject.parse(Output(alike(kind))).as_loss == "its other devices may lose data too: /dev/vdc (512 MiB)"
