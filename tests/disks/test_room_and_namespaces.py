"""Filesystems that are read-only or full, and mount namespaces of every kind: what tasks make of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from disks.mount_namespace import ALONE, MountNamespace, namespace
from subfloor.act.host import Host
from subfloor.core.errors import SubfloorError

pytestmark = pytest.mark.root
__all__ = ["namespace"]

Play = tuple[Mapping[str, Mapping[str, Any]], ...]


def _play(path: Path) -> Play:
    """What is written to a filesystem at `root`: directories, binds of both kinds, and files."""
    root = str(path / "root")
    return (
        {"directory": {"path": f"{root}/srv/www", "mode": "0700"}},
        {"bind-persist": {"path": "/var/log", "root": root}},
        {"bind-persist": {"path": "/etc/machine-id", "root": root, "kind": "file"}},
        {"nixos-config": {"root": root, "state_version": "24.05", "boot_loader": "none"}},
    )


# Each is a tmpfs that something cannot be written to, how that is mended, and what is said of it.
LACKING = {
    "read-only": ("ro,size=1m", ":", "mount -o remount,rw root", "Read-only file system"),
    "no space": ("size=64k", "head -c 61440 /dev/zero > root/full", "rm root/full", "No space left on device"),
    "no space at all": ("size=64k", "cat /dev/zero > root/full || :", "rm root/full", "No space left on device"),
    "no inodes": ("size=1m,nr_inodes=8", "touch root/1 root/2", "mount -o remount,nr_inodes=100 root", "No space left"),
    "no inodes at all": ("size=1m,nr_inodes=2", "touch root/1", "mount -o remount,nr_inodes=99 root", "No space left"),
}


@pytest.mark.parametrize("lacking", LACKING)
def test_a_failed_write_is_reported_and_the_rerun_resumes_case_64(namespace: MountNamespace, lacking: str) -> None:
    options, spoil, mend, said = LACKING[lacking]
    namespace.sh(f"mkdir root; mount -t tmpfs -o {options} none root; {spoil} 2>/dev/null")
    play = _play(namespace.path)
    with pytest.raises(SubfloorError) as caught:
        namespace.apply(*play)
    assert said in caught.value.what and caught.value.advice
    namespace.sh(mend)
    namespace.apply(*play)
    assert namespace.apply(*play) == [], "it settles"
    assert namespace.sh("find root -name '*.unfinished'") == ""
    assert namespace.sh("cat root/etc/nixos/configuration.nix").rstrip().endswith("}")
    assert namespace.mount("root/var/log").root == "/nix/persist/var/log"


@pytest.fixture(params=["private", "slave", "shared"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MountNamespace]:
    """A mount namespace of its own, whose mounts are propagated in this way among themselves."""
    with Host("here", ALONE).shell() as shell:
        namespace = MountNamespace(shell, tmp_path)
        namespace.sh("mkdir outer; mount -t tmpfs -o size=8m outer outer; mkdir outer/root peer")
        namespace.sh("mount --make-shared outer; mount --bind outer peer")
        if request.param != "shared":
            namespace.sh(f"mount --make-{request.param} outer")
        yield MountNamespace(shell, tmp_path / "outer")


def test_mounts_are_made_once_in_any_propagation_mode_case_66(shared: MountNamespace) -> None:
    root = str(shared.path / "root")
    play = ({"tmpfs-mount": {"path": root, "size": "1MiB"}}, *_play(shared.path))
    shared.settle(*play)
    assert len(shared.mounts("root")) == len(shared.mounts("root/var/log")) == 1
    shared.sh("umount -R root")
    shared.settle(*play)


def test_mounts_of_another_namespace_do_not_count_case_66(namespace: MountNamespace) -> None:
    root = str(namespace.path / "root")
    play = {"tmpfs-mount": {"path": root, "size": "1MiB"}}
    with Host("there", ALONE).shell() as shell:
        other = MountNamespace(shell, namespace.path)
        other.settle(play)
        assert namespace.mounts("root") == []
        namespace.settle(play)
        assert other.apply(play) == []


@pytest.fixture
def chroot(namespace: MountNamespace) -> Iterator[MountNamespace]:
    """A chroot into what is otherwise this machine."""
    namespace.sh("mkdir inside; mount --rbind / inside; mount --make-rprivate inside")
    pid = namespace.sh(
        "read -r line < /proc/$$/stat; set -- ${line##*) }; echo $3"
    )  # its shell leads its process group
    enter = ("nsenter", "--mount", f"--target={pid}", "chroot", str(namespace.path / "inside"))
    with Host("inside", enter).shell() as shell:
        yield MountNamespace(shell, namespace.path)


def test_in_a_chroot_mounts_are_made_and_found_case_66(chroot: MountNamespace) -> None:
    root = str(chroot.path / "root")
    chroot.settle({"tmpfs-mount": {"path": root, "size": "1MiB"}}, *_play(chroot.path))
    assert chroot.mount("root/var/log").root == "/nix/persist/var/log"
