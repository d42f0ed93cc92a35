"""Plays that lay out a whole disk, and what it is held against then: programs that have nothing to do with subfloor."""

from __future__ import annotations

import json
from collections.abc import Iterable

from disk_oracle import FSCK
from disks.plays import Play, refusal
from loop_disks import LoopDisk, run, said

SMALL = (
    ("ESP", "esp", "64MiB", "vfat BOOT"),
    ("swap", "swap", "64MiB", "swap swap"),
    ("nix", "linux", "rest", "ext4 nixos"),
)
EVERY = (
    ("ESP", "esp", "300MiB", "vfat BOOT"),
    ("swap", "swap", "64MiB", "swap swap"),
    ("a", "linux", "64MiB", "ext4 nixos"),
    ("b", "linux", "400MiB", "xfs lake"),
    ("c", "linux", "200MiB", "btrfs butter"),
    ("d", "linux", "rest", "f2fs flash"),
)


def on(disk: LoopDisk, *partitions: tuple[str, str, str, str], wipe: bool = True) -> Play:
    """A play that lays out a disk: name, type of partition, size and what it holds of each."""
    play: Play = [("wipefs", {"device": disk.node})] if wipe else []
    play.append(("gpt-label", {"device": disk.node}))
    for number, (name, kind, size, _) in enumerate(partitions, 1):
        play.append(
            ("aligned-partition", {"device": disk.node, "number": number, "name": name, "type": kind, "size": size})
        )
    for number, (_, _, _, holds) in enumerate(partitions, 1):
        kind, _, label = holds.partition(" ")
        play.append(("mkfs", {"device": disk.partition(number), "type": kind, "label": label}))
    return play


def untouched(disk: LoopDisk, play: Play, words: str, seed: str = "seed") -> None:
    """A play is refused, saying why, whatever was consented to; and the disk keeps every byte."""
    before = disk.digest()
    assert words in refusal(play, disk.node, seed=seed)
    assert disk.digest() == before


def blkid(node: str) -> dict[str, str]:
    lines = run("blkid", "--probe", "--output", "export", node, check=False).stdout.decode().splitlines()
    return dict(line.partition("=")[::2] for line in lines)


def judge(disk: LoopDisk, partitions: Iterable[tuple[str, str, str, str]]) -> None:
    """Hold a disk against what it should be, by programs that have nothing to do with subfloor."""
    wanted = list(partitions)
    table = json.loads(said("sfdisk", "--json", disk.node))["partitiontable"]
    assert table["label"] == "gpt"
    assert [each["name"] for each in table["partitions"]] == [name for name, *_ in wanted]
    assert "No errors detected" in said("sfdisk", "--verify", disk.node)
    for number, (_, _, _, holds) in enumerate(wanted, 1):
        kind, _, label = holds.partition(" ")
        said("parted", "--script", disk.node, "align-check", "optimal", number)
        found = blkid(disk.partition(number))
        assert (found.get("TYPE"), found.get("LABEL")) == (kind, label)
        if kind in FSCK:
            run(*FSCK[kind], disk.partition(number))
