"""The filesystems that are made on partitions: of every kind, with every label, and by nobody else's UUID."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from loop_disks import MakeDisk, disk, run, said
from machine.laying_out import EVERY, SMALL, blkid, judge, on
from machine.plays import Play, applied, converged, outcomes

pytestmark = pytest.mark.root

__all__ = ["disk"]  # fixtures


@pytest.mark.parametrize("sector", [512, 4096])
def test_every_filesystem_on_an_aligned_partition_case_39(disk: MakeDisk, sector: int) -> None:
    vda = disk("2GiB", sector=sector)
    converged(on(vda, *EVERY))
    judge(vda, EVERY)


def test_options_that_mkfs_does_not_take_case_15(disk: MakeDisk) -> None:
    """It is left unfinished, so that nothing is asked once they are right."""
    vda = disk()
    play = on(vda, *SMALL)
    play[-1][1]["options"] = ["--no-such-option"]
    assert "mkfs.ext4" in str(applied(play)[-1].error)
    assert json.loads(said("sfdisk", "--json", vda.node))["partitiontable"]["partitions"][2]["name"] == "nix.unfinished"
    converged(on(vda, *SMALL))
    judge(vda, SMALL)


@pytest.mark.parametrize("kind", ["xfs", "btrfs", "f2fs"])
def test_where_there_is_too_little_room_the_program_is_heard(disk: MakeDisk, kind: str) -> None:
    vda = disk()
    error = str(applied(on(vda, ("tiny", "linux", "1MiB", kind)))[-1].error)
    said_by_program = error.partition("ended with status")[2].split("\n")[1:-1]
    assert any("small" in line.lower() or "sufficient" in line for line in said_by_program), error


def test_a_copy_of_our_partition_elsewhere_case_57(disk: MakeDisk) -> None:
    one, other = disk(), disk()
    converged(on(one, *SMALL))
    run("dd", f"if={one.partition(2)}", f"of={other.node}", "bs=1M")
    run("sfdisk", "--quiet", "--part-label", one.node, "2", "swap.unfinished")
    other.sfdisk("label: gpt\n1: start=4M,size=100M\n")
    run("dd", f"if={one.partition(2)}", f"of={other.partition(1)}", "bs=1M", "conv=fsync")
    more: Play = [("gpt-label", {"device": other.node, "disk": "other"})]
    said_no = [text for text in outcomes(applied([*on(one, *SMALL), *more])) if "has the very UUID" in text]
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
