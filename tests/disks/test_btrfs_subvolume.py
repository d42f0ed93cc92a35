"""`btrfs-subvolume` on a real btrfs: created with its properties, carried on with, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from disks.mount_namespace import MountNamespace, namespace
from loop_disks import attach, run, take_away
from subfloor.core.errors import SubfloorError

pytestmark = pytest.mark.root

__all__ = ["namespace"]  # fixtures


@pytest.fixture
def btrfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    made = attach(tmp_path_factory.mktemp("disk") / "btrfs", "256M")
    try:
        run("mkfs.btrfs", "-q", made.node)
        yield made.node
    finally:
        take_away(made)


@pytest.fixture
def top(btrfs: str, namespace: MountNamespace) -> str:
    """Where the top level is mounted."""
    namespace.sh(f"mkdir top; mount {btrfs} top")
    return str(namespace.path / "top")


def play(path: str, **more: Any) -> dict[str, Any]:
    return {"btrfs-subvolume": {"path": path, **more}}


def property_of(namespace: MountNamespace, path: str, name: str) -> str:
    return namespace.sh(f"btrfs property get -t {'subvol' if name == 'ro' else 'inode'} {path} {name}")


def test_a_subvolume_is_created_with_its_properties(top: str, namespace: MountNamespace) -> None:
    assert namespace.settle(play(f"{top}/my data/@nix", compression="zstd")) == [
        f"Create the subvolume {top}/my data/@nix"
    ]
    assert property_of(namespace, "'top/my data/@nix'", "compression") == "compression=zstd"
    assert namespace.settle(play(f"{top}/my data/@nix", compression="none")) == [
        f"Set the compression of {top}/my data/@nix to none"
    ]
    namespace.settle(play(f"{top}/@swap", nodatacow=True))
    namespace.sh("echo x > top/@swap/file")
    assert "C" in namespace.sh("lsattr top/@swap/file").split()[0]
    assert namespace.sh("btrfs subvolume list top | grep -c @") == "2"


def test_the_default_subvolume_is_set(top: str, btrfs: str, namespace: MountNamespace) -> None:
    namespace.settle(play(f"{top}/@a", default=True), play(f"{top}/@b"))
    namespace.sh(f"mkdir shown; mount {btrfs} shown")
    assert namespace.mount("shown").root == "/@a"
    assert namespace.settle(play(f"{top}/@b", default=True)) == [f"Make {top}/@b the default subvolume of {btrfs}"]


def test_a_limit_is_set(top: str, namespace: MountNamespace) -> None:
    assert namespace.settle(play(f"{top}/@home", limit="64MiB"))[-1] == f"Limit {top}/@home to 64MiB, and enable quotas"
    assert namespace.settle(play(f"{top}/@home", limit="32MiB")) == [f"Limit {top}/@home to 32MiB"]
    found = namespace.sh("dd if=/dev/urandom of=top/@home/big bs=1M count=48 conv=fsync 2>&1 || true")
    assert "quota exceeded" in found.lower()


def test_a_blank_subvolume_is_finished_and_used(top: str, namespace: MountNamespace) -> None:
    wanted = play(f"{top}/@root", blank=f"{top}/@blank", compression="zstd")
    namespace.settle(wanted)
    assert property_of(namespace, "top/@blank", "ro") == "ro=true"
    namespace.sh(
        "echo x > top/@root/file; btrfs property set top/@blank ro false; btrfs property set top/@blank compression ''"
    )
    assert namespace.settle(wanted) == [f"Finish the blank subvolume {top}/@blank, read-only"]
    namespace.sh(
        "btrfs subvolume delete top/@root; btrfs subvolume snapshot top/@blank top/@root; echo x > top/@root/file"
    )
    assert namespace.apply(wanted) == []
    assert property_of(namespace, "top/@root", "compression") == "compression=zstd"
    namespace.sh(
        "btrfs property set top/@blank ro false; echo x > top/@blank/file; btrfs property set top/@blank ro true"
    )
    with pytest.raises(SubfloorError, match=r"@blank is not empty"):
        namespace.apply(wanted)


def test_unusable_places_are_refused(top: str, btrfs: str, namespace: MountNamespace) -> None:
    namespace.sh(
        "mkdir top/plain plain; touch top/file; ln -s plain top/link; btrfs subvolume create top/@s; touch top/@s/file;"
        f"btrfs subvolume snapshot -r top/@s top/@ro; mkdir at; mount -o subvol=@s {btrfs} at"
    )
    for path, more, words in (
        ("top/plain", {}, "is a plain directory, but must be a subvolume"),
        ("top/file", {}, "is a file"),
        ("top/link/@x", {}, "leads through a symbolic link"),
        ("top/@ro", {}, "is read-only"),
        ("top/@s", {"nodatacow": True}, "is not empty, and existing files keep their copy-on-write setting"),
        ("top/@s", {"blank": str(namespace.path / "plain")}, "which is not a btrfs"),
        ("plain/@x", {}, "which is not a btrfs"),
        ("at", {}, "is mounted at .*at and hides the content of that directory"),
    ):
        with pytest.raises(SubfloorError, match=words):
            namespace.apply(play(str(namespace.path / path), **more))
    assert namespace.sh("ls -A top") == "@ro\n@s\nfile\nlink\nplain"


def test_a_rerun_resumes_after_every_command(top: str, namespace: MountNamespace) -> None:
    """Each prefix of the commands is what a crash can leave."""
    commands = (
        "btrfs subvolume create top/@root",
        "chattr +C top/@root",
        "btrfs subvolume create top/@blank",
        "chattr +C top/@blank",
        "btrfs property set top/@blank ro true",
    )
    for done in range(len(commands) + 1):
        namespace.sh(
            "; ".join(
                ("set +e", *("btrfs subvolume delete top/@root top/@blank 2>/dev/null", "set -e"), *commands[:done])
            )
        )
        namespace.apply(play(f"{top}/@root", nodatacow=True, blank=f"{top}/@blank"))
        assert namespace.sh("lsattr -d top/@root top/@blank | grep -c '^-*C'") == "2", done
        assert property_of(namespace, "top/@blank", "ro") == "ro=true"
