"""Partitions of our own: entries deleted or changed by hand, free space that is not empty, and starting over."""

from __future__ import annotations

from pathlib import Path

import pytest

from disks.laying_out import SMALL, blkid, judge, on
from disks.plays import Play, applied, converged, outcomes, refusal
from loop_disks import LoopDisk, MakeDisk, Mounter, disk, mounted, run, said
from subfloor.act.host import Host
from subfloor.act.look import look
from subfloor.core.outcome import TaskReport
from subfloor.observe.disk.free_space import FreeSpace
from subfloor.storage.sizes import MIB

pytestmark = pytest.mark.root

__all__ = ["disk", "mounted"]  # fixtures

LAYOUT = (
    ("ESP", "esp", "64MiB", "vfat BOOT"),
    ("swap", "swap", "64MiB", "swap swap"),
    ("lake", "linux", "320MiB", "xfs lake"),
    ("nix", "linux", "128MiB", "ext4 nixos"),
    ("butter", "linux", "200MiB", "btrfs butter"),
    ("flash", "linux", "rest", "f2fs flash"),
)
WITH_FILES = tuple(
    number for number, (*_, holds) in enumerate(LAYOUT, 1) if holds.split()[0] in ("ext4", "xfs", "btrfs")
)


def steps(reports: tuple[TaskReport, ...]) -> list[str]:
    return [taken.step.says for report in reports for taken in report.steps]


@pytest.fixture
def full(disk: MakeDisk, mounted: Mounter) -> LoopDisk:
    """A finished disk with a file on each of its filesystems."""
    made = disk("2GiB")
    converged(on(made, *LAYOUT))
    for number in mountable(made):
        (mounted(made.partition(number)) / "letter").write_text("dear")
    unmount(made)
    return made


def mountable(disk: LoopDisk) -> list[int]:
    """The numbers of the partitions whose filesystems this kernel can mount."""
    known = Path("/proc/filesystems").read_text().split()
    return [number for number in WITH_FILES if LAYOUT[number - 1][3].split()[0] in known]


def unmount(disk: LoopDisk) -> None:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if line.startswith(f"{disk.node}p"):
            at = line.split()[1]
            run("umount", at)
            Path(at).rmdir()


def delete(disk: LoopDisk, *numbers: int) -> None:
    run("sfdisk", "--quiet", "--no-reread", "--delete", disk.node, *numbers)
    run("partx", "--update", disk.node, check=False)
    for number in numbers:
        run("partx", "--delete", "--nr", str(number), disk.node, check=False)


def letters(disk: LoopDisk, mounted: Mounter) -> list[str]:
    found = [(mounted(disk.partition(number)) / "letter").read_text() for number in mountable(disk)]
    unmount(disk)
    return found


@pytest.mark.parametrize("number", range(1, len(LAYOUT) + 1))
def test_an_entry_that_was_deleted_is_put_back_with_its_filesystem(
    number: int, full: LoopDisk, mounted: Mounter
) -> None:
    before = blkid(full.partition(number))["UUID"]
    delete(full, number)
    reports = applied(on(full, *LAYOUT))
    assert set(outcomes(reports)) == {"ok", "changed"}
    assert [says for says in steps(reports) if says.startswith(("Put", "Make"))] == [
        says for says in steps(reports) if says.startswith("Put")
    ]
    assert blkid(full.partition(number))["UUID"] == before
    judge(full, LAYOUT)
    assert letters(full, mounted) == ["dear"] * len(mountable(full))
    assert set(outcomes(applied(on(full, *LAYOUT)))) == {"ok"}


def test_every_entry_that_was_deleted_is_put_back(full: LoopDisk, mounted: Mounter) -> None:
    delete(full, *range(1, len(LAYOUT) + 1))
    converged(on(full, *LAYOUT))
    judge(full, LAYOUT)
    assert letters(full, mounted) == ["dear"] * len(mountable(full))


def test_other_sizes_over_deleted_entries_need_consent(full: LoopDisk) -> None:
    delete(full, *range(1, len(LAYOUT) + 1))
    before = full.digest()
    other = on(full, ("ESP", "esp", "72MiB", "vfat BOOT"), ("nix", "linux", "rest", "ext4 nixos"))
    said_so = refusal(other)
    assert "swap labelled 'swap' at 65MiB" in said_so and "--destroy" in said_so
    assert full.digest() == before
    converged(other, full.node)


def test_free_space_of_a_foreign_disk_that_holds_a_filesystem_needs_consent(disk: MakeDisk) -> None:
    vda = disk("1GiB")
    vda.sfdisk("label: gpt\nsize=100MiB, name=home\nsize=100MiB, name=gone\n")
    run("mkfs.ext4", "-q", "-L", "home", vda.partition(1))
    run("mkfs.ext4", "-q", "-L", "photos", vda.partition(2))
    delete(vda, 2)
    play: Play = [
        (
            "aligned-partition",
            {"device": vda.node, "number": 2, "name": "nix", "type": "linux", "size": "rest", "raw": True},
        )
    ]
    before = vda.digest()
    assert "ext4 labelled 'photos' at 101MiB" in refusal(play)
    assert vda.digest() == before
    converged(play, vda.node)
    assert blkid(vda.partition(1))["LABEL"] == "home" and "TYPE" not in blkid(vda.partition(2))


def test_a_filesystem_behind_an_empty_part_of_free_space_is_found(disk: MakeDisk) -> None:
    vda = disk("1GiB")
    vda.sfdisk("label: gpt\nsize=128MiB\nname=gone\n")
    run("mkfs.ext4", "-q", "-L", "photos", vda.partition(2))
    delete(vda, 1, 2)
    play: Play = [
        ("aligned-partition", {"device": vda.node, "number": 1, "name": "nix", "type": "linux", "size": "rest"})
    ]
    assert "ext4 labelled 'photos' at 129MiB" in refusal(play)


@pytest.mark.parametrize("size", [2, 34, 66, 130, 258, 1026])
def test_free_space_is_read_to_its_end_and_nothing_behind_it(size: int, disk: MakeDisk) -> None:
    """A partition may have begun just before the end of the device, which refuses to be read behind it."""
    vda = disk(f"{size}MiB")
    hole = (MIB, size * MIB - 33 * 512)
    space = FreeSpace(vda.node, hole, hole)
    assert any(place + 4 * MIB > hole[1] for place in space.places())
    with Host().shell() as shell:
        assert look(shell, {space})[space] == ()


@pytest.mark.parametrize("kind", ["ext4 -b 1024", "xfs"])
def test_the_copies_of_a_wiped_superblock_do_not_count_as_a_filesystem(kind: str, disk: MakeDisk) -> None:
    vda = disk("2GiB")
    vda.sfdisk("label: gpt\nname=gone\n")
    run("sh", "-c", f"mkfs.{kind} -q {vda.partition(1)}")
    run("wipefs", "--all", "--quiet", vda.partition(1))
    delete(vda, 1)
    converged(
        [
            (
                "aligned-partition",
                {"device": vda.node, "number": 1, "name": "a", "type": "linux", "size": "rest", "raw": True},
            )
        ]
    )


# What its owner put into a partition that nothing filled.


@pytest.mark.parametrize("then", ["raw", "mkfs"])
def test_content_that_the_owner_made_in_an_unfinished_partition_needs_consent(then: str, disk: MakeDisk) -> None:
    vda = disk()
    part = {"device": vda.node, "number": 1, "name": "data", "type": "linux", "size": "100MiB"}
    start: Play = [("gpt-label", {"device": vda.node})]
    converged([*start, ("aligned-partition", part)])
    run(
        "sh",
        "-c",
        f"printf secret | cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 {vda.partition(1)} -",
    )
    before = vda.digest()
    more: Play = [
        ("aligned-partition", part | {"raw": then == "raw"}),
        *([("mkfs", {"device": vda.partition(1), "type": "ext4"})] if then == "mkfs" else []),
    ]
    said = refusal([*start, *more])
    assert "crypto_LUKS (" in said and "not made by this play" in said
    assert vda.digest() == before
    converged([*start, *more], vda.partition(1))
    assert blkid(vda.partition(1)).get("TYPE") == ("ext4" if then == "mkfs" else None)


# Changed by hand.


def test_a_changed_name_and_type_are_set_back(full: LoopDisk, mounted: Mounter) -> None:
    mounted(full.partition(4))
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--part-label", full.node, "4", "mine")
    run(
        "sfdisk",
        "--quiet",
        "--no-reread",
        "--no-tell-kernel",
        "--part-type",
        full.node,
        "4",
        "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
    )
    reports = applied(on(full, *LAYOUT))
    assert set(outcomes(reports)) == {"ok", "changed"}
    assert len(steps(reports)) == 1 and steps(reports)[0].startswith("Set the name from 'mine' to 'nix' and the type")
    unmount(full)
    judge(full, LAYOUT)
    assert letters(full, mounted) == ["dear"] * len(mountable(full))


# Starting over.

Layout = tuple[tuple[str, str, str, str], ...]
OTHERS: dict[str, Layout] = {
    "other sizes": (
        ("ESP", "esp", "100MiB", "vfat BOOT"),
        ("swap", "swap", "32MiB", "swap swap"),
        ("nix", "linux", "rest", "ext4 nixos"),
    ),
    "another order": (SMALL[0], ("nix", "linux", "200MiB", "ext4 nixos"), ("swap", "swap", "rest", "swap swap")),
    "other names": tuple((f"new-{name}", kind, size, holds) for name, kind, size, holds in SMALL),
    "one inserted": (SMALL[0], ("home", "linux", "64MiB", "ext4 home"), *SMALL[1:]),
    "fewer": (("nix", "linux", "300MiB", "ext4 nixos"),),
}


@pytest.mark.parametrize("how", OTHERS)
def test_another_layout_of_our_disk_is_made_by_one_run_with_consent(how: str, disk: MakeDisk, mounted: Mounter) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    (mounted(vda.partition(3)) / "letter").write_text("dear")
    unmount(vda)
    before, other = vda.digest(), on(vda, *OTHERS[how])
    assert "--destroy" in refusal(other)
    assert vda.digest() == before
    converged(other, vda.node)
    if how != "fewer":
        judge(vda, OTHERS[how])
    else:
        names = [line.split('name="')[1] for line in said("sfdisk", "--dump", vda.node).splitlines() if "name=" in line]
        assert [name.split('"')[0] for name in names][:1] == ["nix"]


def test_a_partition_that_was_never_finished_is_changed_without_consent(disk: MakeDisk) -> None:
    vda = disk()
    start: Play = [("gpt-label", {"device": vda.node})]
    part = {"device": vda.node, "number": 1, "name": "data", "type": "linux"}
    converged([*start, ("aligned-partition", part | {"size": "200MiB"})])
    converged([*start, ("aligned-partition", part | {"size": "100MiB"})])
    converged([*start, ("aligned-partition", part | {"name": "other", "size": "100MiB", "start": "50MiB"})])


def test_a_disk_in_use_is_not_laid_out_again(disk: MakeDisk, mounted: Mounter) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    mounted(vda.partition(3))
    said_so = refusal(on(vda, *SMALL[:2], ("nix", "linux", "100MiB", "ext4 nixos")), vda.node)
    assert "is in use: mounted" in said_so


# One partition of another system.


def test_one_partition_of_another_system_is_taken_over_and_the_rest_is_kept(disk: MakeDisk, mounted: Mounter) -> None:
    vda = disk()
    vda.sfdisk("label: gpt\nsize=64MiB, type=U, name=ESP\nsize=100MiB, name=root\nname=home\n")
    run("mkfs.fat", "-F", "32", "-n", "EFI", vda.partition(1))
    run("mkfs.ext4", "-q", "-L", "oldroot", vda.partition(2))
    run("mkfs.ext4", "-q", "-L", "home", vda.partition(3))
    (mounted(vda.partition(3)) / "letter").write_text("dear")
    rest = [Path(vda.partition(number)).read_bytes() for number in (1,)]
    play: Play = [("mkfs", {"device": vda.partition(2), "type": "ext4", "label": "nixos"})]
    before = said("sfdisk", "--json", vda.node)
    words = refusal(play)
    assert "'root' of a disk of 0.5 GiB: ext4 labelled 'oldroot' (" in words and "(not made by this play)" in words
    assert "--destroy" in refusal(play, vda.partition(3))
    assert said("sfdisk", "--json", vda.node) == before
    converged(play, vda.partition(2))
    assert blkid(vda.partition(2))["LABEL"] == "nixos"
    assert [Path(vda.partition(number)).read_bytes() for number in (1,)] == rest
    unmount(vda)
    assert (mounted(vda.partition(3)) / "letter").read_text() == "dear"
    assert 'name="root"' in said("sfdisk", "--dump", vda.node)
