"""One device under several names: links, and nodes of its own number, as udev and device-mapper make them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from disks.devices import CELLAR, bare
from disks.mount_namespace import MountNamespace, namespace
from loop_disks import run
from subfloor.act.look import look
from subfloor.observe.mount import Mount

pytestmark = pytest.mark.root

__all__ = ["bare", "namespace"]  # fixtures


@pytest.fixture
def names(bare: str) -> Iterator[tuple[str, ...]]:
    """The kernel's own name, a link to it, and another node."""
    folder = Path(f"/dev/subfloor-test-{os.getpid()}")
    folder.mkdir()
    (folder / "link").symlink_to(bare)
    os.mknod(folder / "node", stat.S_IFBLK | 0o600, Path(bare).stat().st_rdev)
    yield bare, str(folder / "link"), str(folder / "node")
    for each in folder.iterdir():
        each.unlink()
    folder.rmdir()


@pytest.mark.parametrize("kind", ["ext4", "btrfs"])
@pytest.mark.parametrize("by", [0, 1, 2])
def test_a_mount_by_any_name_is_recognised(
    names: tuple[str, ...], namespace: MountNamespace, kind: str, by: int
) -> None:
    run(f"mkfs.{kind}", "-q", "-F" if kind == "ext4" else "-f", "-L", CELLAR, names[0])
    path = str(namespace.path / "x")
    bind = {"bind-persist": {"path": "/kept", "root": str(namespace.path), "store": "/x"}}
    namespace.sh(f"mkdir x; mount {names[by]} x")
    namespace.settle(bind)
    for name in (*names, f"LABEL={CELLAR}"):
        assert namespace.apply({"mount": {"path": path, "source": name, "type": kind}}, bind) == []


@pytest.mark.parametrize("by", [0, 1, 2])
def test_a_whole_disk_by_any_name_is_filled_and_mounted(
    names: tuple[str, ...], namespace: MountNamespace, by: int
) -> None:
    """A link ``/dev/DIRECTORY/NAME`` of the user's own looks like that of a logical volume."""
    place = {"mount": {"path": str(namespace.path / "x"), "source": names[by], "type": "ext4"}}
    done = namespace.settle({"mkfs": {"device": names[by], "type": "ext4", "label": CELLAR}}, place)
    assert f"Make an ext4 filesystem on {names[by]} labelled '{CELLAR}'" in done


@pytest.mark.parametrize("by", [0, 1, 2])
def test_a_mount_by_any_name_is_verified(names: tuple[str, ...], namespace: MountNamespace, by: int) -> None:
    run("mkfs.btrfs", "-q", "-f", names[0])
    namespace.settle({"mount": {"path": str(namespace.path / "x"), "source": names[by], "type": "btrfs"}})
    there = Mount(str(namespace.path / "x"))
    seen = look(namespace.shell, {there})[there]
    assert seen.top and seen.top.source == names[0]


def test_swap_by_any_name_is_recognised(names: tuple[str, ...], namespace: MountNamespace) -> None:
    run("mkswap", "-q", names[0])
    run("swapon", names[2])
    try:
        for name in names:
            assert namespace.apply({"swap": {"device": name}}) == []
    finally:
        run("swapoff", names[0])
