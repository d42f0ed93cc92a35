"""The filesystems that are made on partitions: of every kind, with every label, and by nobody else's UUID."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from disks.laying_out import EVERY, SMALL, blkid, judge, on
from disks.plays import Play, applied, converged, outcomes
from loop_disks import MakeDisk, disk, run, said
from subfloor.core.errors import Refused

pytestmark = pytest.mark.root

__all__ = ["disk"]  # fixtures


@pytest.mark.parametrize("sector", [512, 4096])
def test_every_filesystem_on_an_aligned_partition_case_39(disk: MakeDisk, sector: int) -> None:
    vda = disk("2GiB", sector=sector)
    converged(on(vda, *EVERY))
    judge(vda, EVERY)


WRONG: Mapping[str, tuple[tuple[str, list[str]], ...]] = {
    "ext4": (("100MiB", ["-J", "size=64"]), ("100MiB", ["-O", "no_such_feature"]), ("100MiB", ["-I", "100"])),
    "vfat": (("100MiB", ["-s", "3"]), ("100MiB", ["-f", "9"])),
    "xfs": (("256MiB", []), ("400MiB", ["-l", "size=900m"]), ("400MiB", ["-d", "agcount=9999"])),
    "btrfs": (("100MiB", []), ("200MiB", ["-d", "dup"]), ("200MiB", ["-O", "no-such-feature"])),
    "f2fs": (("40MiB", []), ("100MiB", ["-s", "16"]), ("100MiB", ["-O", "no_such_feature"])),
    "swap": (("100MiB", ["-p", "100"]),),
}
"""Sizes and options with which each program fails."""


@pytest.mark.parametrize("kind", WRONG)
def test_what_mkfs_would_refuse_is_known_before_anything_is_erased_case_15(disk: MakeDisk, kind: str) -> None:
    vda = disk()
    run("mkfs.ext4", "-q", "-F", vda.node)
    before = vda.digest()
    for size, options in WRONG[kind]:
        play = on(vda, ("tiny", "linux", size, kind))
        play[-1][1]["options"] = options
        error = applied(play, vda.node)[-1].error
        assert isinstance(error, Refused) and "would fail: " in str(error), (options, error)
        assert vda.digest() == before, options


def test_the_smallest_filesystem_of_each_type_is_made(disk: MakeDisk) -> None:
    """What is refused is too small by a MiB, and no more."""
    for kind, size in (("xfs", "300MiB"), ("btrfs", "109MiB"), ("f2fs", "52MiB")):
        converged(on(disk(), ("tiny", "linux", size, kind)), seed=kind)


@pytest.mark.parametrize("name", ["-x", "--", "--version", "-V"])
def test_a_name_that_looks_like_an_option_is_written_case_06(disk: MakeDisk, name: str) -> None:
    vda = disk()
    converged(on(vda, (name, "linux", "100MiB", "ext4")))
    named = json.loads(said("sfdisk", "--json", vda.node))["partitiontable"]["partitions"]
    assert [each["name"] for each in named] == [name]


def test_a_copy_of_our_partition_on_another_device_is_refused_case_57(disk: MakeDisk) -> None:
    one, other = disk(), disk()
    converged(on(one, *SMALL))
    run("dd", f"if={one.partition(2)}", f"of={other.node}", "bs=1M")
    run("sfdisk", "--quiet", "--part-label", one.node, "2", "swap.unfinished")
    other.sfdisk("label: gpt\n1: start=4M,size=100M\n")
    run("dd", f"if={one.partition(2)}", f"of={other.partition(1)}", "bs=1M", "conv=fsync")
    more: Play = [("gpt-label", {"device": other.node, "disk": "other"})]
    said_no = [text for text in outcomes(applied([*on(one, *SMALL), *more])) if "has the same UUID" in text]
    assert said_no and other.partition(1) in said_no[0]


LABELS: Mapping[str, tuple[str, ...]] = {
    "ext4": ("", "nixos", "two words", "a\"b'c", "a=b=", "ünï", "a\\b", "0123456789abcdef"),
    "vfat": ("", "BOOT", "boot", "A B", "EFI-1", "ABCDEFGHIJK", "A'B"),
    "xfs": ("", "nixos", "a=b=", "ünï", "0123456789ab", "a.b/c:d%e"),
    "btrfs": ("", "nixos", "two words", "a=", "ünï €", "x" * 254, 'a"b'),
    "f2fs": ("", "nixos", "two words", "a=", "ünï €", "𝄞", "x" * 255),
    "swap": ("", "swap", "two words", "a=", "ünï", "0123456789abcde"),
}


@pytest.mark.parametrize("kind", LABELS)
def test_every_label_that_is_allowed_is_kept_and_repaired_case_71(disk: MakeDisk, kind: str) -> None:
    vda = disk()
    for label in (*LABELS[kind], *reversed(LABELS[kind])):
        play = on(vda, ("data", "linux", "400MiB", f"{kind} {label}"))
        reports = applied(play)
        assert not [str(report.error) for report in reports if report.error], label
        assert set(outcomes(applied(play))) == {"ok"}, label
        assert blkid(vda.partition(1))["TYPE"] == kind
