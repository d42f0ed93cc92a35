"""The installed system assembles the arrays of its play, and reports what happens to them."""

from __future__ import annotations

from subfloor.core.contributions import ArrayDevice, FileSystem
from subfloor.nixos import filesystems
from subfloor.nixos.layout import Layout, under

ROOT = FileSystem("/mnt", "/dev/md/root", "ext4")
ARRAY = ArrayDevice("root", "840b7ccd-acf7-5f94-8af2-948761cab319", ("/dev/vda2", "/dev/vdb2"))


def text(layout: Layout) -> str:
    return filesystems.module(layout, "binds", {}, {})


def test_arrays_are_assembled_by_their_uuid_under_their_name() -> None:
    found = text(under("/mnt", (ROOT, ARRAY)))
    assert "enable = true" in found and 'device = "/dev/md/root"' in found
    assert "ARRAY /dev/md/root UUID=840b7ccd:acf75f94:8af29487:61cab319" in found


def test_mdmonitor_has_a_program_to_run() -> None:
    assert "PROGRAM /run/current-system/sw/bin/logger" in text(under("/mnt", (ROOT, ARRAY)))


def test_without_arrays_nothing_is_said_of_them() -> None:
    assert "swraid" not in text(under("/mnt", (ROOT,)))
