"""Mounts and swap areas, read from what a kernel prints."""

from __future__ import annotations

import pytest

from probe_records import looked
from subfloor.core.machine import Output
from subfloor.observe import mountinfo
from subfloor.observe.mount import Mount
from subfloor.observe.swap import Swap, SwapState, areas


@pytest.mark.parametrize(
    ("written", "path"),
    [
        (rb"/a\040b", "/a b"),
        (rb"/a\134040b", r"/a\040b"),
        (rb"/a\134b", r"/a\b"),
        (rb"/new\012line", "/new\nline"),
        (rb"/tab\011", "/tab\t"),
        (rb"/hash\043", "/hash#"),
        ("/ünï/€".encode(), "/ünï/€"),
        (b"/caf\xe9", "/caf\udce9"),
    ],
)
def test_escaped_paths_of_mounts_are_decoded_case_61(written: bytes, path: str) -> None:
    (mount,) = mountinfo.parse(b"30 21 8:1 / " + written + b" rw,relatime shared:1 - ext4 /dev/sda1 rw\n")
    assert mount.path == path


def test_a_bind_whose_source_was_deleted_case_60() -> None:
    (mount,) = mountinfo.parse(b"30 21 8:1 /etc/x//deleted /mnt/x rw - ext4 /dev/sda1 rw\n")
    assert mount.root == "/etc/x//deleted"


def test_optional_fields_of_mountinfo_are_skipped() -> None:
    line = b"30 21 0:44 / /x ro,noatime shared:1 master:2 propagate_from:3 - tmpfs tmpfs rw,size=1k\n"
    (mount,) = mountinfo.parse(line)
    assert (mount.type, mount.source, mount.options) == ("tmpfs", "tmpfs", frozenset({"ro", "noatime", "size=1k"}))


@pytest.mark.parametrize(
    ("own", "within", "options", "halted"),
    [
        ("rw,noatime", "rw", "rw,noatime", False),
        ("ro", "rw", "ro", False),
        ("ro", "ro", "ro", False),
        ("rw,noatime", "ro", "ro,noatime", True),
        ("rw", "rw,errors=remount-ro,emergency_ro", "ro,errors=remount-ro,emergency_ro", True),
        ("ro", "rw,emergency_ro", "ro,emergency_ro", False),
        ("rw", "rw,shutdown", "ro,shutdown", True),
    ],
)
def test_a_filesystem_that_became_read_only_case_64(own: str, within: str, options: str, halted: bool) -> None:
    (mount,) = mountinfo.parse(f"30 21 8:1 / /x {own} - ext4 /dev/sda1 {within}\n".encode())
    assert (mount.options, mount.halted) == (frozenset(options.split(",")), halted)


def test_the_last_of_stacked_mounts_is_on_top_case_59() -> None:
    mounts = b"1 1 8:1 / / rw - ext4 a rw\n2 1 0:3 / /x rw - tmpfs b rw\n3 2 0:4 / /x rw - tmpfs c rw\n"
    seen = looked(Mount("/x"), (Output(mounts), Output(b"/x\n")))
    assert [mount.source for mount in seen.stack] == ["b", "c"] and seen.top and seen.top.source == "c"


def test_active_swap_areas_are_parsed() -> None:
    table = b"Filename Type Size Used Priority\n/dev/vda2 partition 1 0 -2\n/dev/vdb partition 1 0 5\n"
    assert looked(Swap("/dev/vda2"), (Output(b"/dev/vda2\n"), Output(table))) == SwapState(True)
    assert looked(Swap("/dev/vdb"), (Output(b"/dev/vdb\n"), Output(table))) == SwapState(True, 5)
    assert looked(Swap("/dev/vdc"), (Output(b"/dev/vdc\n"), Output(table))) == SwapState()


def test_swap_areas_below_a_former_mount_of_dev_case_66() -> None:
    table = b"Filename Type Size Used Priority\n/vda2 partition 1 0 -2\n/vdb file 1 0 -3\n/swap\\040file file 1 0 -4\n"
    assert looked(Swap("/dev/vda2"), (Output(b"/dev/vda2\n"), Output(table))) == SwapState(True)
    assert looked(Swap("/dev/vdb"), (Output(b"/dev/vdb\n"), Output(table))) == SwapState()
    assert [path for path, _ in areas(table.decode())] == ["/dev/vda2", "/vdb", "/swap file"]
