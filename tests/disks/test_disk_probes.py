"""Looking at real disks, with every sh that a host may have, and with tools that fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from foreign_disks import FOREIGN
from loop_disks import LoopDisk, MakeDisk, Mounter, disk, mounted, run
from subfloor.act.host import Host
from subfloor.act.look import look
from subfloor.core.errors import LookFailed
from subfloor.observe.disk import Content, Disk, DiskState, Missing, Unopened
from subfloor.storage import gpt

pytestmark = pytest.mark.root
__all__ = ["disk", "mounted"]  # fixtures

SHELLS: Mapping[str, tuple[str, ...]] = {"dash": (), "busybox": ("busybox",)}


def seen(disk: LoopDisk | str, *prefix: str) -> DiskState | Missing | Unopened:
    subject = Disk(disk if isinstance(disk, str) else disk.node)
    with Host("here", prefix).shell() as shell:
        return look(shell, {subject})[subject]


def state(disk: LoopDisk | str, *prefix: str) -> DiskState:
    found = seen(disk, *prefix)
    assert isinstance(found, DiskState)
    return found


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_full_disk_is_never_blank(disk: MakeDisk, kind: str, shell: str) -> None:
    vda = disk()
    FOREIGN[kind](vda)
    found = state(vda, *SHELLS[shell])
    assert found.table or found.signatures
    assert "blank" not in found.describe()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_blank_disk_is_blank(disk: MakeDisk, shell: str) -> None:
    found = state(disk(), *SHELLS[shell])
    assert (found.table, found.signatures, found.volumes, found.busy) == (None, (), (), ())


@pytest.mark.parametrize("kind", FOREIGN)
def test_every_shell_sees_the_same(disk: MakeDisk, kind: str) -> None:
    vda = disk()
    FOREIGN[kind](vda)
    first, *others = (state(vda, *prefix) for prefix in SHELLS.values())
    assert all(repr(other) == repr(first) for other in others)


def test_logical_partitions_of_an_mbr_case_26(disk: MakeDisk) -> None:
    vda = disk()
    FOREIGN["mbr-with-logical-partitions-case-26"](vda)
    volumes = state(vda).volumes
    assert [volume.number for volume in volumes] == [1, 2, 5, 6]
    assert [str(volume.content or "") for volume in volumes] == ["", "dos", "ext4 labelled 'photos'", "swap"]


def test_a_partition_without_a_kernel_device_is_read_through_the_disk(disk: MakeDisk) -> None:
    vda = disk()
    FOREIGN["gpt-with-gaps-case-36"](vda)
    vda.forget_partitions()
    volume = state(vda).volumes[0]
    assert (volume.number, volume.known, str(volume.content)) == (2, False, "ext4 labelled 'photos'")


@pytest.mark.parametrize(
    "label", [b"two words", b"a=b=", b"caf\xe9", "ü\u2028x".encode(), b"'\"\\", "\u3000x".encode()]
)
def test_any_label_is_read_unchanged_case_71(disk: MakeDisk, label: bytes) -> None:
    vda = disk()
    vda.sfdisk("label: gpt\n1: start=1M,size=100M\n")
    for node in (vda.partition(1), vda.node):
        run("mkfs.ext4", "-q", "-F", "-L", label.decode("utf-8", "surrogateescape"), node)
        found = state(vda)
        assert "ext4" in found.signatures or found.volumes[0].content
        for volume in found.volumes:
            assert isinstance(volume.content, Content)
            assert volume.content.label.encode("utf-8", "surrogateescape") == label


def test_a_read_only_disk_case_21(disk: MakeDisk) -> None:
    assert state(disk(read_only=True)).read_only


def test_a_disk_of_size_0_and_a_partition_case_21(disk: MakeDisk) -> None:
    vda = disk()
    vda.sfdisk("label: gpt\n1: start=1M,size=100M\n")
    assert state(vda.partition(1)).kind == "partition"
    vda.forget_partitions()
    vda.resize("0")
    assert (state(vda).size, state(vda).kind) == (0, "disk")


def test_a_link_is_resolved_to_the_node_case_22(disk: MakeDisk, tmp_path: Path) -> None:
    vda = disk()
    link = tmp_path / "a link"
    link.symlink_to(vda.node)
    assert state(str(link)).node == vda.node


def test_a_look_at_a_missing_disk_lists_the_existing_ones(tmp_path: Path) -> None:
    assert isinstance(seen("/dev/none"), Missing)
    assert isinstance(seen(str(tmp_path)), Missing)


def test_mounts_swap_and_stacked_mounts_are_uses_case_32(disk: MakeDisk, mounted: Mounter) -> None:
    vda = disk()
    vda.sfdisk("label: gpt\n1: start=1M,size=100M\n2: start=200M,size=64M\n")
    run("mkfs.ext4", "-q", "-F", vda.partition(1))
    run("mkswap", vda.partition(2))
    at = mounted(vda.partition(1))
    run("mount", "--bind", at, at)
    run("swapon", vda.partition(2))
    try:
        found = state(vda)
        assert found.is_busy and not found.in_use
        assert [volume.users for volume in found.volumes] == [(f"mounted at {at}",), ("active as swap",)]
    finally:
        run("swapoff", vda.partition(2))
        run("umount", at)


def test_a_mounted_btrfs_has_a_device_number_of_its_own(disk: MakeDisk, mounted: Mounter) -> None:
    vda = disk()
    vda.sfdisk("label: gpt\n1: start=1M,size=300M\n")
    run("mkfs.btrfs", "-q", vda.partition(1))
    at = mounted(vda.partition(1))
    assert f"mounted at {at}" in state(vda).volumes[0].users


# What only the kernel's memory has. Here it has what was read, and the file behind the disk has changed since.


@contextmanager
def _in_memory(node: str) -> Iterator[None]:
    """Until nobody has a device open any more, the kernel keeps what was read of it."""
    with Path(node).open("rb") as file:
        file.read()
        yield


def _beneath(disk: LoopDisk, at: int, data: bytes) -> None:
    with disk.image.open("r+b") as file:
        file.seek(at)
        file.write(data)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("sector", [512, 4096])
def test_the_table_is_read_from_the_medium(disk: MakeDisk, shell: str, sector: int) -> None:
    vda = disk(sector=sector)
    vda.sfdisk("label: gpt\n1: start=1M,size=40M,name=data\n")
    with _in_memory(vda.node):
        _beneath(vda, sector, b"\xff" * 64)
        table = state(vda, *SHELLS[shell]).table
    assert isinstance(table, gpt.Gpt) and table.damage == {"primary table"}


@pytest.mark.parametrize("size", ["64KiB", "96KiB", "4608", "1049088"])
def test_the_ends_of_a_small_or_odd_disk_are_read(disk: MakeDisk, size: str) -> None:
    assert state(disk(size)).table is None


def test_a_device_without_direct_reads_is_read_after_its_cache_is_dropped(disk: MakeDisk, tmp_path: Path) -> None:
    vda = disk()
    vda.sfdisk("label: gpt\n1: start=1M,size=40M,name=data\n")
    indirect = 'case "$*" in *direct*) exit 1;; esac; PATH=${PATH#*:}; exec dd "$@"'
    with _in_memory(vda.node):
        _beneath(vda, 512, b"\xff" * 64)
        table = state(vda, *_with_first(_broken(tmp_path / "bin", "dd", indirect))).table
    assert isinstance(table, gpt.Gpt) and table.damage == {"primary table"}


def test_signatures_are_read_from_the_medium(disk: MakeDisk) -> None:
    vda = disk()
    run("mkfs.ext4", "-q", "-F", vda.node)
    run("sync", vda.node)
    with _in_memory(vda.node):
        _beneath(vda, 1024, bytes(1024))
        assert state(vda).signatures == ("unknown data",)


def test_content_of_a_partition_is_read_from_the_medium(disk: MakeDisk) -> None:
    vda = disk()
    vda.sfdisk("label: gpt\n1: start=1M,size=40M,name=data\n")
    run("mkfs.ext4", "-q", "-F", vda.partition(1))
    run("sync", vda.partition(1))
    with _in_memory(vda.partition(1)):
        _beneath(vda, (1 << 20) + 1024, bytes(1024))
        assert [volume.content for volume in state(vda).volumes] == [None]


# Tools that fail. Each is put before the real one; `$0` is its own path.

FAILURES: Mapping[str, str] = {
    "missing": "exit 127",
    "refusing": "exit 1",
    "usage": "exit 4",
    "killed": "kill -9 $$",
    "garbage": "echo 'x y z = } ['; exit 0",
    "garbage-and-failing": "echo 1 2 3; exit 1",
    "half": 'PATH=${PATH#*:}; "${0##*/}" "$@" | head -c 20; exit 1',
    "noisy": 'echo warning >&2; PATH=${PATH#*:}; exec "${0##*/}" "$@"',
}
TOOLS = ("wipefs", "partx", "blkid", "dd", "blockdev", "readlink", "tr", "id", "perl")
FULL = ("mbr-with-logical-partitions-case-26", "gpt-with-gaps-case-36", "whole-ext4-case-27", "luks-case-27")


@pytest.mark.parametrize("kind", FULL)
def test_no_failing_tool_makes_a_full_disk_look_blank(disk: MakeDisk, tmp_path: Path, kind: str) -> None:
    vda = disk()
    FOREIGN[kind](vda)
    truth = state(vda)
    for tool in TOOLS:
        _no_failure_hides(vda, truth, tool, tmp_path)


def test_a_failing_cat_does_not_make_a_full_disk_look_blank(
    disk: MakeDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All output passes through a cat: without it there is no output, and the look ends at its time limit."""
    monkeypatch.setattr(Disk, "patience", 2.0)
    vda = disk()
    FOREIGN[FULL[0]](vda)
    _no_failure_hides(vda, state(vda), "cat", tmp_path)


def _no_failure_hides(disk: LoopDisk, truth: DiskState, tool: str, tmp_path: Path) -> None:
    for failure, script in FAILURES.items():
        broken = _broken(tmp_path / f"{tool}-{failure}", tool, script)
        try:
            found = seen(disk, *_with_first(broken))
        except LookFailed:
            assert failure != "noisy", f"{tool} {failure}"
            continue
        _tells_no_less(found, truth, f"{tool} {failure}")


def _broken(directory: Path, tool: str, script: str) -> Path:
    directory.mkdir()
    (directory / tool).write_text(f"#!/bin/sh\n{script}\n")
    (directory / tool).chmod(0o755)
    return directory


def _have_dd_fail(directory: Path) -> None:
    """As on a disk with sectors that cannot be read, where it is to show whether it could be."""
    (directory / "dd").write_text(
        '#!/bin/sh\ncase "$*" in *count=2048*|*bs=1048576*) exit 1;; esac; PATH=${PATH#*:}; exec dd "$@"\n'
    )
    (directory / "dd").chmod(0o755)


def _with_first(directory: Path) -> tuple[str, str]:
    return "env", f"PATH={directory}:/usr/sbin:/usr/bin:/sbin:/bin"


def _tells_no_less(found: DiskState | Missing | Unopened, truth: DiskState, what: str) -> None:
    """It is refused (no such disk, no size, no disk at all), or nothing that was there is passed over."""
    if not isinstance(found, DiskState) or not found.size or found.kind != "disk":
        return
    assert found.table == truth.table and found.signatures == truth.signatures, what
    for volume in truth.volumes:
        other = found.volume(volume.number)
        assert other and (other.content is not None or volume.content is None), what


LIARS: Mapping[str, Callable[[LoopDisk], str]] = {
    "wipefs": lambda disk: "echo '{\"signatures\": []}'",
    "blkid": lambda disk: "exit 2",
}


@pytest.mark.parametrize("tool", LIARS)
def test_an_unreadable_disk_is_a_failed_look(disk: MakeDisk, tmp_path: Path, tool: str) -> None:
    """libblkid takes a sector that it cannot read for an empty one. So does this, with dd failing as on such a disk."""
    vda = disk()
    FOREIGN["mbr-with-logical-partitions-case-26" if tool == "blkid" else "whole-ext4-case-27"](vda)
    broken = _broken(tmp_path / "bin", tool, LIARS[tool](vda))
    _have_dd_fail(broken)
    with pytest.raises(LookFailed, match="cannot be read"):
        seen(vda, *_with_first(broken))


def test_a_table_that_cannot_be_read_is_not_reported_as_missing(disk: MakeDisk, tmp_path: Path) -> None:
    """Its partitions are listed and hold something, so nothing else of the disk is read for whether it is blank."""
    vda = disk()
    vda.sfdisk("label: dos\n1: size=100M,type=83\n")
    run("mkfs.ext4", "-q", "-F", vda.partition(1))
    broken = _broken(tmp_path / "bin", "wipefs", LIARS["wipefs"](vda))
    _have_dd_fail(broken)
    with pytest.raises(LookFailed, match="cannot be read"):
        seen(vda, *_with_first(broken))
