"""`tmpfs-mount` on a real kernel: its sizes and modes, what has drifted, and what is in its way."""

from __future__ import annotations

import pytest

from disks.devices import ext4
from disks.ground import Ground, ground
from subfloor.core.errors import SubfloorError

pytestmark = pytest.mark.root

__all__ = ["ext4", "ground"]  # fixtures


def test_a_tmpfs_is_mounted(ground: Ground) -> None:
    path = str(ground.path / "root")
    said = ground.settle({"tmpfs-mount": {"path": path, "size": "64MiB", "options": ["nosuid", "noatime"]}})
    assert said == [f"Mount a tmpfs of 64MiB at {path}"]
    mount = ground.mount("root")
    assert (mount.source, mount.type) == ("tmpfs", "tmpfs")
    assert {"size=65536k", "nosuid", "noatime"} <= mount.options
    assert ground.sh("stat -c %a:%u root; df --output=size root | tail -n 1").split() == ["755:0", "65536"]


@pytest.mark.parametrize("size", ["3%", "25%", "50%", "99%", "4097B", "1KiB"])
def test_tmpfs_of_any_size(ground: Ground, size: str) -> None:
    """The kernel's own rounding, and its default that it does not show, are predicted exactly."""
    ground.settle({"tmpfs-mount": {"path": str(ground.path / "root"), "size": size, "mode": "1777"}})


def test_a_tmpfs_that_drifted_is_remounted_case_62(ground: Ground) -> None:
    play = {"tmpfs-mount": {"path": str(ground.path / "root"), "size": "64MiB", "options": ["exec", "nodev"]}}
    ground.settle(play)
    ground.sh("echo kept > root/file; chmod 1777 root; mount -o remount,size=1M,noexec,dev root")
    assert len(ground.settle(play)) == 2
    mount = ground.mount("root")
    assert "noexec" not in mount.options and {"size=65536k", "nodev"} <= mount.options
    assert ground.sh("stat -c %a root; cat root/file").split() == ["755", "kept"]


def test_a_read_only_tmpfs(ground: Ground) -> None:
    play = {"tmpfs-mount": {"path": str(ground.path / "root"), "size": "1MiB"}}
    ground.settle(play)
    ground.sh("mount -o remount,ro root")
    ground.settle(play)
    ground.sh("touch root/file")


def test_a_tmpfs_with_more_content_than_its_new_size_is_refused_case_62(ground: Ground) -> None:
    play = {"path": str(ground.path / "x"), "size": "8MiB"}
    ground.settle({"tmpfs-mount": play})
    ground.sh("head -c 3M /dev/zero > x/y")
    with pytest.raises(SubfloorError, match=r"holds 3MiB, which is more than 2MiB"):
        ground.apply({"tmpfs-mount": play | {"size": "2MiB"}})
    ground.settle({"tmpfs-mount": play | {"size": "3MiB"}})
    ground.sh("rm x/y")
    ground.settle({"tmpfs-mount": play | {"size": "2MiB"}})


def test_a_tmpfs_over_another_mount_is_refused(ext4: str, ground: Ground) -> None:
    ground.sh(f"mkdir root; mount {ext4} root")
    with pytest.raises(SubfloorError, match=r"ext4.* is mounted at .*root, but a tmpfs is declared"):
        ground.apply({"tmpfs-mount": {"path": str(ground.path / "root"), "size": "1MiB"}})


def test_a_tmpfs_that_would_hide_mounts_is_refused(ground: Ground) -> None:
    ground.sh("mkdir -p root/below; mount -t tmpfs tmpfs root/below")
    with pytest.raises(SubfloorError, match=r"would hide the mounts at .*root/below"):
        ground.apply({"tmpfs-mount": {"path": str(ground.path / "root"), "size": "1MiB"}})


def test_a_tmpfs_behind_a_symbolic_link_is_refused_case_63(ground: Ground) -> None:
    ground.sh("mkdir elsewhere; ln -s elsewhere root")
    for path in ("root", "root/x"):
        with pytest.raises(SubfloorError, match=r"leads through a symbolic link to .*elsewhere"):
            ground.apply({"tmpfs-mount": {"path": str(ground.path / path), "size": "1MiB"}})
