"""The playbook that `draft` writes: every part of a disk is a task, or a comment that names it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

import step_values
from subfloor.observe.disk import DiskState, Mapped
from subfloor.observe.mount import Mounted
from subfloor.observe.swap import SwapState
from subfloor.playbook.drafting import Drafted, draft

GPT = {"table": "ours"}


def disk(about: Any, path: str = "/dev/vda") -> DiskState:
    found = step_values.disk(path, about)[1]
    assert isinstance(found, DiskState)
    return found


def written(about: Any, **more: Any) -> tuple[str, list[dict[str, Any]]]:
    """The text of a draft of one disk, and its tasks."""
    text = draft(Drafted({"/dev/vda": disk(about)}, **more))
    (play,) = yaml.safe_load(text)
    assert play["hosts"] == "localhost" and play["seed"].startswith("drafted-")
    return text, play["tasks"]


def test_a_disk_with_mounts_and_swap() -> None:
    parts = [
        {"name": "ESP", "type": "esp", "size": "512MiB", "holds": "vfat boot"},
        {"name": "nix", "size": "8GiB", "holds": "btrfs nixos", "attrs": 1 << 60},
        {"name": "yes", "type": "swap", "size": "1GiB", "holds": "swap"},
    ]
    shown = frozenset({"rw", "noatime", "relatime", "compress=zstd:3", "space_cache=v2"})
    mounts = {
        "/mnt": Mounted("tmpfs", "tmpfs", "/", frozenset({"rw", "size=2097152k", "mode=755"})),
        "/mnt/nix": Mounted("/dev/vda2", "btrfs", "/@nix", shown),
        "/mnt/var": Mounted("/dev/vda1", "vfat", "/x", frozenset({"rw"})),
        "/mnt/other": Mounted("/dev/mapper/x", "ext4", "/", frozenset({"rw"})),
    }
    text, tasks = written({**GPT, "partitions": parts}, mounts=mounts, swaps={"/dev/vda3": SwapState(True, 5)})
    first = {"device": "/dev/vda", "number": 1, "name": "ESP", "type": "esp", "start": "1MiB", "size": "512MiB"}
    assert tasks[:3] == [
        {"gpt-label": {"device": "/dev/vda"}},
        {"aligned-partition": first},
        {"mkfs": {"device": "/dev/vda1", "type": "vfat", "label": "boot"}},
    ]
    assert tasks[3]["aligned-partition"]["attributes"] == ["read-only"]
    assert tasks[5]["aligned-partition"]["name"] == "yes"
    options = ["compress=zstd:3", "noatime", "subvol=/@nix"]
    assert tasks[7:] == [
        {"tmpfs-mount": {"path": "/mnt", "size": "2GiB", "mode": "0755"}},
        {"mount": {"source": "/dev/vda2", "path": "/mnt/nix", "type": "btrfs", "options": options}},
        {"swap": {"device": "/dev/vda3", "priority": 5}},
    ]
    assert "/mnt/var shows /x of /dev/vda1 (a bind)" in text and "/dev/mapper/x (ext4) at /mnt/other" in text


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"name": ""}, "it has no name"),
        ({"name": "x.unfinished"}, "no task can give it this name"),
        ({"name": "{{ x }}"}, "no task can give it this name"),
        ({"name": "a", "attrs": 1 << 50}, "attributes that no task can give"),
        ({"name": "a", "type": "microsoft-basic-data", "holds": "ntfs"}, "it belongs to another system"),
        ({"name": "b"}, "another partition has the same name"),
    ],
)
def test_a_partition_that_cannot_be_declared_is_named_and_kept(part: dict[str, Any], words: str) -> None:
    others = [{"name": "b", "size": "1GiB", "holds": "ext4 b"}]
    text, tasks = written({**GPT, "partitions": [part, *others]})
    assert f"# Not described: partition 1 {part['name']!r}" in text and words in text
    assert tasks[0] == {"gpt-label": {"device": "/dev/vda", "existing": "keep"}}
    assert not any(task.get("aligned-partition", {}).get("number") == 1 for task in tasks)


@pytest.mark.parametrize(
    ("holds", "words"),
    [
        ("crypto_LUKS", "holds a LUKS container"),
        ("ntfs x", "ntfs labelled 'x', which no task describes"),
        ({"type": "ext4", "label": "a\nb"}, "no task can give it this label"),
        (None, "nothing recognisable"),
    ],
)
def test_content_that_cannot_be_declared_is_named(holds: Any, words: str) -> None:
    text, tasks = written({**GPT, "partitions": [{"name": "a", "size": "1GiB", "holds": holds}]})
    assert words in text and tasks[1]["aligned-partition"]["raw"] is True and len(tasks) == 2


def test_a_boot_partition_that_starts_another_system_is_left_to_it() -> None:
    parts = [
        {"name": "EFI system partition", "type": "esp", "size": "100MiB", "holds": "vfat"},
        {"name": "Windows", "type": "microsoft-basic-data", "size": "8GiB", "holds": "ntfs"},
        {"name": "data", "type": "microsoft-basic-data", "size": "8GiB", "holds": "ext4 data"},
    ]
    mounts = {"/boot": Mounted("/dev/vda1", "vfat", "/", frozenset({"rw", "fmask=0077"}))}
    _, tasks = written({**GPT, "partitions": parts}, mounts=mounts)
    assert [task["aligned-partition"]["number"] for task in tasks if "aligned-partition" in task] == [3]
    assert {"mount": {"source": "/dev/vda1", "path": "/boot", "type": "vfat", "options": ["fmask=0077"]}} in tasks


@pytest.mark.parametrize(
    "about",
    [
        {"table": {"type": "dos"}},
        {"holds": "ext4 x"},
        {},
        {**GPT, "kind": "part"},
        {"table": {"id": "ours", "taken": ["a"]}},
    ],
)
def test_a_disk_that_cannot_be_declared_is_named(about: Any) -> None:
    text, tasks = written(about)
    assert tasks == [] and "# Not described: " in text


def test_a_mapped_device_is_named_with_what_it_lies_on() -> None:
    container = replace(disk({"holds": "ext4 x"}), mapped=Mapped("CRYPT-LUKS2-x", ("/dev/vda2",)))
    assert "Not described: it lies on /dev/vda2" in draft(Drafted({"/dev/dm-0": container}))


def test_each_disk_has_a_name_of_its_own() -> None:
    part = [{"name": "a", "size": "1GiB", "holds": "ext4 a"}]
    both = {path: disk({**GPT, "partitions": part}, path) for path in ("/dev/vda", "/dev/disk/by-id/x")}
    tasks = yaml.safe_load(draft(Drafted(both)))[0]["tasks"]
    assert [task["gpt-label"] for task in tasks if "gpt-label" in task] == [
        {"device": "/dev/vda"},
        {"device": "/dev/disk/by-id/x", "disk": "disk2"},
    ]
    assert {"mkfs": {"device": "/dev/disk/by-id/x-part1", "type": "ext4", "label": "a"}} not in tasks  # one UUID, twice
