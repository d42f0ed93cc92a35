"""`tmpfs-mount` on a real kernel: its sizes and modes, what has drifted, and what is in its way."""

from __future__ import annotations

import pytest

from disks.devices import ext4
from disks.mount_namespace import MountNamespace, namespace
from subfloor.core.errors import SubfloorError

pytestmark = pytest.mark.root

__all__ = ["ext4", "namespace"]  # fixtures


def test_a_tmpfs_is_mounted(namespace: MountNamespace) -> None:
    path = str(namespace.path / "root")
    said = namespace.settle({"tmpfs-mount": {"path": path, "size": "64MiB", "options": ["nosuid", "noatime"]}})
    assert said == [f"Mount a tmpfs of 64MiB at {path}"]
    mount = namespace.mount("root")
    assert (mount.source, mount.type) == ("tmpfs", "tmpfs")
    assert {"size=65536k", "nosuid", "noatime"} <= mount.options
    assert namespace.sh("stat -c %a:%u root; df --output=size root | tail -n 1").split() == ["755:0", "65536"]


@pytest.mark.parametrize("size", ["3%", "25%", "50%", "99%", "4097B", "1KiB"])
def test_tmpfs_of_any_size(namespace: MountNamespace, size: str) -> None:
    """The kernel's own rounding, and its default that it does not show, are predicted exactly."""
    namespace.settle({"tmpfs-mount": {"path": str(namespace.path / "root"), "size": size, "mode": "1777"}})


def test_a_tmpfs_that_drifted_is_remounted_case_62(namespace: MountNamespace) -> None:
    play = {"tmpfs-mount": {"path": str(namespace.path / "root"), "size": "64MiB", "options": ["exec", "nodev"]}}
    namespace.settle(play)
    namespace.sh("echo kept > root/file; chmod 1777 root; mount -o remount,size=1M,noexec,dev root")
    assert len(namespace.settle(play)) == 2
    mount = namespace.mount("root")
    assert "noexec" not in mount.options and {"size=65536k", "nodev"} <= mount.options
    assert namespace.sh("stat -c %a root; cat root/file").split() == ["755", "kept"]


def test_a_read_only_tmpfs(namespace: MountNamespace) -> None:
    play = {"tmpfs-mount": {"path": str(namespace.path / "root"), "size": "1MiB"}}
    namespace.settle(play)
    namespace.sh("mount -o remount,ro root")
    namespace.settle(play)
    namespace.sh("touch root/file")


def test_a_tmpfs_with_more_content_than_its_new_size_is_refused_case_62(namespace: MountNamespace) -> None:
    play = {"path": str(namespace.path / "x"), "size": "8MiB"}
    namespace.settle({"tmpfs-mount": play})
    namespace.sh("head -c 3M /dev/zero > x/y")
    with pytest.raises(SubfloorError, match=r"holds 3MiB, which is more than 2MiB"):
        namespace.apply({"tmpfs-mount": play | {"size": "2MiB"}})
    namespace.settle({"tmpfs-mount": play | {"size": "3MiB"}})
    namespace.sh("rm x/y")
    namespace.settle({"tmpfs-mount": play | {"size": "2MiB"}})


def test_a_tmpfs_over_another_mount_is_refused(ext4: str, namespace: MountNamespace) -> None:
    namespace.sh(f"mkdir root; mount {ext4} root")
    with pytest.raises(SubfloorError, match=r"ext4.* is mounted at .*root, but a tmpfs is declared"):
        namespace.apply({"tmpfs-mount": {"path": str(namespace.path / "root"), "size": "1MiB"}})


def test_a_tmpfs_that_would_hide_mounts_is_refused(namespace: MountNamespace) -> None:
    namespace.sh("mkdir -p root/below; mount -t tmpfs tmpfs root/below")
    with pytest.raises(SubfloorError, match=r"would hide the mounts at .*root/below"):
        namespace.apply({"tmpfs-mount": {"path": str(namespace.path / "root"), "size": "1MiB"}})


def test_a_tmpfs_behind_a_symbolic_link_is_refused_case_63(namespace: MountNamespace) -> None:
    namespace.sh("mkdir elsewhere; ln -s elsewhere root")
    for path in ("root", "root/x"):
        with pytest.raises(SubfloorError, match=r"leads through a symbolic link to .*elsewhere"):
            namespace.apply({"tmpfs-mount": {"path": str(namespace.path / path), "size": "1MiB"}})
