"""Real plays on real block devices, judged by other people's programs."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from foreign_disks import FOREIGN, table_inside_a_partition
from loop_disks import LoopDisk, MakeDisk, Mounter, disk, mounted, run, said
from subfloor.apply import Acting, apply, preflight
from subfloor.consent import Consent
from subfloor.host import Host
from subfloor.identity import Identity
from subfloor.outcome import Outcome, TaskReport
from subfloor.parameters import build
from subfloor.plugins import Registry
from subfloor.task import Task
from toys import AnEntry

pytestmark = pytest.mark.root

__all__ = ["disk", "mounted"]  # fixtures

Play = list[tuple[str, dict[str, Any]]]

_REGISTRY = Registry()
_CHECKS: Mapping[str, tuple[str, ...]] = {
    "ext4": ("e2fsck", "-f", "-n"),
    "vfat": ("fsck.fat", "-n"),
    "xfs": ("xfs_repair", "-n"),
    "btrfs": ("btrfs", "check", "--readonly"),
    "f2fs": ("fsck.f2fs", "--dry-run"),
}


def entries(play: Play, seed: str = "seed") -> tuple[AnEntry, ...]:
    made = []
    for key, values in play:
        plugin = _REGISTRY.get(key)
        assert plugin
        made.append(build(plugin.task, values, Identity(seed, "host")))
    return tuple(_entry(task, made) for task in made)


def _entry(task: Task, play: Iterable[Task]) -> AnEntry:
    return AnEntry(task.within(tuple(play)), key=task.key, name=task.key)


def applied(play: Play, *destroy: str, seed: str = "seed") -> tuple[TaskReport, ...]:
    """What comes of applying a play, as the command line does it: not at all where anything is refused."""
    consent = Consent(frozenset(destroy))
    with Host().shell() as shell:
        plan = preflight(entries(play, seed), shell, consent)
        if not plan.stands:
            return plan.reports
        return tuple(apply(entries(play, seed), plan.machine, Acting(shell, consent)))


def outcomes(reports: Iterable[TaskReport]) -> list[str]:
    """The outcomes in a row; why, where one did not come through."""
    return [str(report.error) if report.error else report.outcome.value for report in reports]


def converged(play: Play, *destroy: str, seed: str = "seed") -> None:
    """Apply a play, which comes through; and once more, which finds nothing to do."""
    reports = applied(play, *destroy, seed=seed)
    assert not [str(report.error) for report in reports if report.error]
    assert set(outcomes(applied(play, seed=seed))) == {"ok"}


def refusal(play: Play, *destroy: str, seed: str = "seed") -> str:
    """Why a play is refused."""
    reports = applied(play, *destroy, seed=seed)
    found = [str(report.error) for report in reports if report.outcome is Outcome.REFUSED]
    assert found, outcomes(reports)
    return found[0]


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
        if kind in _CHECKS:
            run(*_CHECKS[kind], disk.partition(number))


@pytest.mark.parametrize("sector", [512, 4096])
def test_every_filesystem_on_an_aligned_partition_case_39(disk: MakeDisk, sector: int) -> None:
    vda = disk("2GiB", sector=sector)
    converged(on(vda, *EVERY))
    judge(vda, EVERY)


def test_a_rerun_writes_nothing_case_47(disk: MakeDisk) -> None:
    vda = disk("2GiB")
    converged(on(vda, *EVERY))
    before = vda.digest(), vda.writes()
    assert set(outcomes(applied(on(vda, *EVERY), vda.node))) == {"ok"}
    assert (vda.digest(), vda.writes()) == before


def test_consent_that_is_still_given_destroys_nothing_of_ours_case_58(disk: MakeDisk, mounted: Mounter) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    (mounted(vda.partition(3)) / "letter").write_text("dear")
    assert set(outcomes(applied(on(vda, *SMALL), vda.node))) == {"ok"}


def test_one_thing_differs_and_nothing_else_is_touched_case_48(disk: MakeDisk) -> None:
    vda = disk()
    converged(on(vda, *SMALL), seed="one differs")
    run("e2label", vda.partition(3), "another")
    others = [number for number in range(1, len(SMALL) + 1) if number != 3]
    before = {number: hashlib.sha256(Path(vda.partition(number)).read_bytes()).digest() for number in others}
    table = said("sfdisk", "--dump", vda.node)
    done = [report.name for report in applied(on(vda, *SMALL), seed="one differs") if report.steps]
    assert len(done) == 1
    after = {number: hashlib.sha256(Path(vda.partition(number)).read_bytes()).digest() for number in others}
    assert (after, said("sfdisk", "--dump", vda.node)) == (before, table)
    judge(vda, SMALL)


def test_options_that_mkfs_does_not_take_case_15(disk: MakeDisk) -> None:
    """It is left unfinished, so that nothing is asked once they are right."""
    vda = disk()
    play = on(vda, *SMALL)
    play[-1][1]["options"] = ["--no-such-option"]
    assert "mkfs.ext4" in str(applied(play)[-1].error)
    assert json.loads(said("sfdisk", "--json", vda.node))["partitiontable"]["partitions"][2]["name"] == "nix.unfinished"
    converged(on(vda, *SMALL))
    judge(vda, SMALL)


LAST = 32 * 512
DAMAGES: Mapping[str, tuple[int, bytes]] = {
    "primary-header": (512, b"\xff" * 64),
    "primary-entries": (1024, b"\xff" * 64),
    "primary-gone": (512, bytes(33 * 512)),
    "backup-header": (-512, b"\xff" * 64),
    "backup-entries": (-33 * 512, b"\xff" * 64),
    "backup-gone": (-33 * 512, bytes(33 * 512)),
    "protective-mbr": (446, bytes(66)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_table_is_repaired_and_nothing_else_touched_case_24(disk: MakeDisk, damage: str) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    before = vda.digest()
    vda.put(*DAMAGES[damage])
    assert vda.digest() != before
    assert outcomes(applied(on(vda, *SMALL)))[:2] == ["ok", "changed"]
    assert set(outcomes(applied(on(vda, *SMALL)))) == {"ok"}
    assert vda.digest() == before
    judge(vda, SMALL)


def test_a_table_is_repaired_while_a_partition_is_mounted_case_53(disk: MakeDisk, mounted: Mounter) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    at = mounted(vda.partition(3))
    vda.put(*DAMAGES["protective-mbr"])
    converged(on(vda, *SMALL))
    assert at.is_mount()


@pytest.mark.parametrize("damage", [*DAMAGES, "both"])
def test_a_foreign_damaged_table_goes_with_consent_only_case_25(disk: MakeDisk, damage: str) -> None:
    vda = disk()
    converged(on(vda, *SMALL), seed="another")
    for each in ("primary-header", "backup-header") if damage == "both" else (damage,):
        vda.put(*DAMAGES[each])
    before = vda.digest()
    assert f"--destroy {vda.node}" in refusal(on(vda, *SMALL))
    assert vda.digest() == before
    converged(on(vda, *SMALL), vda.node)
    judge(vda, SMALL)


@pytest.mark.parametrize("damages", [("primary-header", "backup-header"), ("primary-header", "backup-gone")])
def test_a_disk_with_no_more_than_a_header_that_is_spoilt_is_not_blank_case_25(
    disk: MakeDisk, damages: tuple[str, str]
) -> None:
    """Nobody else finds a thing on it: and its partitions are there, every one."""
    vda = disk()
    converged(on(vda, *SMALL))
    vda.put(0, bytes(512))
    for damage in damages:
        at, data = DAMAGES[damage]
        vda.put(at + 16, data[16:])
    assert json.loads(said("wipefs", "--json", "--no-act", vda.node) or '{"signatures": []}')["signatures"] == []
    before = vda.digest()
    for wipe in (True, False):
        assert "a GPT that cannot be read" in refusal(on(vda, *SMALL, wipe=wipe))
    assert vda.digest() == before
    converged(on(vda, *SMALL), vda.node)
    judge(vda, SMALL)


def test_a_table_of_other_sectors_is_not_nothing_case_40(disk: MakeDisk, tmp_path: Path) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    vda.put(0, bytes(512))
    run("partx", "--delete", vda.node)
    again = disk(sector=4096)
    run("dd", f"if={vda.node}", f"of={again.node}", "bs=1M", "conv=fsync")
    assert "a GPT that cannot be read" in refusal(on(again, *SMALL))
    converged(on(again, *SMALL), again.node)
    judge(again, SMALL)


def test_a_grown_disk_gets_its_backup_at_the_end_and_the_rest_grows_case_43(disk: MakeDisk) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    vda.resize("768MiB")
    assert outcomes(applied(on(vda, *SMALL))) == ["ok", "changed", "ok", "ok", "changed", "ok", "ok", "ok"]
    assert set(outcomes(applied(on(vda, *SMALL)))) == {"ok"}
    judge(vda, SMALL)


def test_one_that_is_mounted_grows_too(disk: MakeDisk, mounted: Mounter) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    at = mounted(vda.partition(3))
    vda.resize("768MiB")
    converged(on(vda, *SMALL))
    assert at.is_mount()


def test_a_shrunk_disk_is_refused_case_44(disk: MakeDisk) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    run("partx", "--delete", vda.node)
    vda.resize("256MiB")
    before = vda.digest()
    assert "the disk has shrunk" in refusal(on(vda, *SMALL, wipe=False))
    assert vda.digest() == before


def test_a_large_sparse_disk_case_46(disk: MakeDisk) -> None:
    vda = disk("3TiB")
    converged(on(vda, ("one", "linux", "2500GiB", "xfs one"), ("two", "linux", "64MiB", "ext4 two")))
    judge(vda, [("one", "", "", "xfs one"), ("two", "", "", "ext4 two")])


@pytest.mark.parametrize("seed", ["seed", "another"])
def test_a_stale_filesystem_of_an_earlier_layout_never_reappears_case_29(
    disk: MakeDisk, mounted: Mounter, seed: str
) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    at = mounted(vda.partition(3))
    (at / "letter").write_text("dear")
    run("umount", at)
    run("wipefs", "--all", vda.node)
    run("partx", "--delete", vda.node)
    converged(on(vda, *SMALL), vda.node, seed=seed)
    run("mount", vda.partition(3), at)
    assert [each.name for each in at.iterdir()] == ["lost+found"]


def test_without_a_task_that_fills_it_a_new_partition_shows_nothing_old(disk: MakeDisk) -> None:
    vda = disk("2GiB")
    converged(on(vda, *EVERY))
    run("wipefs", "--all", vda.node)
    run("partx", "--delete", vda.node)
    bare = [task for task in on(vda, *EVERY) if task[0] != "mkfs"]
    converged(bare, vda.node)
    assert [blkid(vda.partition(number)).get("TYPE") for number in range(1, 7)] == [None] * 6


@pytest.mark.parametrize("wipe", [True, False], ids=["wipefs", "gpt-label"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_disk_goes_with_consent_only(disk: MakeDisk, kind: str, wipe: bool) -> None:
    vda = disk()
    FOREIGN[kind](vda)
    play = on(vda, *SMALL, wipe=wipe)
    before = vda.digest()
    assert f"--destroy {vda.node}" in refusal(play)
    assert refusal(play, "/dev/vdz")
    assert vda.digest() == before
    converged(play, vda.node)
    judge(vda, SMALL)
    types = {each["type"] for each in json.loads(said("wipefs", "--json", "--no-act", vda.node))["signatures"]}
    assert types == {"gpt", "PMBR"}


def test_a_table_inside_the_extent_of_a_new_partition_goes(disk: MakeDisk) -> None:
    """The disk looks all but blank: the outer table is gone, and a virtual machine's is left at 1 MiB."""
    vda = disk()
    table_inside_a_partition(vda)
    run("wipefs", "--all", vda.node)
    run("partx", "--delete", vda.node)
    converged(on(vda, *SMALL), vda.node)
    judge(vda, SMALL)


def test_a_stale_array_at_the_end_of_a_new_partition_goes_case_30(disk: MakeDisk) -> None:
    vda, member = disk(), disk("64MiB")
    FOREIGN["md-case-27"](member)
    run("dd", f"if={member.node}", f"of={vda.node}", "bs=1M", "seek=65", "conv=fsync")
    converged(on(vda, *SMALL))
    judge(vda, SMALL)
    assert "linux_raid_member" not in said("wipefs", "--no-act", vda.partition(2))


# What is refused leaves every byte as it was.


def _untouched(disk: LoopDisk, play: Play, words: str, seed: str = "seed") -> None:
    before = disk.digest()
    assert words in refusal(play, disk.node, seed=seed)
    assert disk.digest() == before


def test_a_mounted_partition_case_32(disk: MakeDisk, mounted: Mounter) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    at = mounted(vda.partition(3))
    run("mount", "-o", "remount,ro", at)
    _untouched(vda, on(vda, *SMALL), f"is in use: {vda.partition(3)} mounted at {at}", seed="another")


def test_active_swap_case_32(disk: MakeDisk) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    run("swapon", vda.partition(2))
    try:
        _untouched(vda, on(vda, *SMALL), "active as swap", seed="another")
    finally:
        run("swapoff", vda.partition(2))


def test_a_partition_that_the_kernel_still_uses_and_the_table_has_not_case_54(disk: MakeDisk, mounted: Mounter) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    at = mounted(vda.partition(3))
    run("mount", "-o", "remount,ro", at)
    run("wipefs", "--all", "--force", vda.node)
    _untouched(vda, on(vda, *SMALL), f"{vda.partition(3)}, which its table does not have")


@pytest.mark.parametrize("number", [1, 2])
def test_every_device_of_a_mounted_btrfs_is_in_use(disk: MakeDisk, mounted: Mounter, number: int) -> None:
    both = disk(), disk()
    run("mkfs.btrfs", "-q", *(each.node for each in both))
    mounted(both[0].node)
    assert "is in use" in refusal(on(both[number - 1], *SMALL), both[number - 1].node)


def test_a_disk_behind_another_is_in_use(disk: MakeDisk) -> None:
    vda = disk()
    FOREIGN["whole-ext4-case-27"](vda)
    behind = said("losetup", "--find", "--show", vda.node)
    try:
        _untouched(vda, on(vda, *SMALL), f"behind {Path(behind).name}")
    finally:
        run("losetup", "--detach", behind)


def test_a_read_only_disk_case_21(disk: MakeDisk) -> None:
    vda = disk(read_only=True)
    _untouched(vda, on(vda, *SMALL), "is read-only")


def test_too_small_by_one_sector_case_42(disk: MakeDisk) -> None:
    needed = 1024 + 100 * 1024 + 16.5  # KiB: the first grain, the partition, the backup of the table
    layout = ("nix", "linux", "100MiB", "ext4 nixos")
    exact = disk(f"{int(needed * 1024)}B".removesuffix("B"))
    short = disk(f"{int(needed * 1024) - 512}")
    converged(on(exact, layout))
    _untouched(short, on(short, layout), "1MiB too few")


def test_two_names_of_one_disk_case_22(disk: MakeDisk, tmp_path: Path) -> None:
    vda = disk()
    link = Path(f"/dev/subfloor-test-{Path(vda.node).name}")
    link.symlink_to(vda.node)
    try:
        play: Play = [("wipefs", {"device": vda.node}), ("gpt-label", {"device": str(link)})]
        _untouched(vda, play, f"in 2 ways: {vda.node} and {link}")
    finally:
        link.unlink()


def test_names_of_disks_that_were_swapped_case_20(disk: MakeDisk) -> None:
    def play(system: LoopDisk, data: LoopDisk) -> Play:
        return [
            (key, {"device": each.node, "disk": name})
            for each, name in ((system, "system"), (data, "data"))
            for key in ("wipefs", "gpt-label")
        ]

    one, other = disk(), disk()
    converged(play(one, other))
    assert "is the disk that this play calls “data”" in refusal(play(other, one), one.node, other.node)


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


# The kernel is told nothing of a partition that anybody has open.


@contextmanager
def _open(node: str, seconds: float) -> Iterator[None]:
    """Somebody has a partition open, for so long at the most."""
    program = f"import time; file = open({node!r}, 'rb'); print('open', flush=True); time.sleep({seconds})"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdout.readline()
        yield
        holder.kill()


def test_a_partition_that_somebody_has_open_for_a_moment_case_53(disk: MakeDisk) -> None:
    vda = disk()
    converged(on(vda, *SMALL), seed="another")
    with _open(vda.partition(3), 1.5):
        assert not [report.error for report in applied(on(vda, *SMALL), vda.node) if report.error]
    judge(vda, SMALL)


def test_whoever_has_a_partition_open_for_long_is_named_case_53(
    disk: MakeDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subfloor.steps.partitioning.MOMENT", 0.1)
    vda = disk()
    converged(on(vda, *SMALL), seed="another")
    with _open(vda.partition(3), 60.0):
        failed = str(applied(on(vda, *SMALL), vda.node)[-1].error)
        assert re.search(rf"partx --delete .*\n.* \(process \d+\) has {vda.partition(3)} open\n", failed, re.DOTALL)
        assert "let what has a partition open end" in failed
    converged(on(vda, *SMALL), vda.node)
    judge(vda, SMALL)


# Labels.

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
