"""`bind-persist` over content of every kind: nothing is lost, hidden or exposed by a copy."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from disks.mount_namespace import MountNamespace, namespace
from subfloor.core.errors import SubfloorError
from subfloor.observe.hidden import staging
from subfloor.observe.path import unfinished

pytestmark = pytest.mark.root

__all__ = ["namespace"]  # a fixture


def bind(namespace: MountNamespace, path: str = "/x", **more: Any) -> dict[str, Any]:
    return {"bind-persist": {"path": path, "root": str(namespace.path / "root"), "existing": "copy", **more}}


def trees(namespace: MountNamespace) -> tuple[Path, Path]:
    """A directory with content, and its place in the store."""
    target, source = namespace.path / "root/x", namespace.path / "root/nix/persist/x"
    target.mkdir(parents=True)
    source.mkdir(parents=True)
    return target, source


def names(directory: Path) -> list[str]:
    return sorted(each.name for each in directory.iterdir())


def test_user_files_whose_names_end_in_unfinished_stay(namespace: MountNamespace) -> None:
    target, source = trees(namespace)
    (target / "a").write_text("1")
    (source / "a.unfinished").mkdir()
    (source / "a.unfinished/letter").write_text("mine")
    namespace.settle(bind(namespace))
    assert (source / "a.unfinished/letter").read_text() == "mine"
    assert names(source) == ["a", "a.unfinished"]


@pytest.mark.parametrize(
    "name", ["new\nline", "-x", "tab\there", "a\\b", "*", "é", b"\xff".decode(errors="surrogateescape")]
)
def test_any_name_is_seen_and_copied(namespace: MountNamespace, name: str) -> None:
    target, source = trees(namespace)
    (target / name).write_text("1")
    (target / f"{name}.d").mkdir()
    (target / f"{name}.d" / name).write_text("2")
    with pytest.raises(SubfloorError, match="would hide"):
        namespace.apply(bind(namespace, existing="refuse"))
    namespace.settle(bind(namespace))
    assert (source / name).read_text() + (source / f"{name}.d" / name).read_text() == "12"


def test_a_link_in_the_store_does_not_redirect_a_copy(namespace: MountNamespace) -> None:
    target, source = trees(namespace)
    outside = namespace.path / "outside"
    outside.mkdir()
    (source / "sub").symlink_to(outside)
    (target / "sub").mkdir()
    (target / "sub/letter").write_text("1")
    with pytest.raises(SubfloorError, match=r"sub.* differ"):
        namespace.apply(bind(namespace))
    assert not list(outside.iterdir())


def test_hard_links_stay_links(namespace: MountNamespace) -> None:
    target, source = trees(namespace)
    (target / "a").write_text("1")
    (target / "d").mkdir()
    (target / "b").hardlink_to(target / "a")
    (target / "d/c").hardlink_to(target / "a")
    namespace.settle(bind(namespace))
    assert len({(source / name).stat().st_ino for name in ("a", "b", "d/c")}) == 1


@pytest.mark.parametrize("what", ["mode", "owner", "directory", "link", "kind"])
def test_equal_content_with_a_more_open_mode_differs(namespace: MountNamespace, what: str) -> None:
    target, source = trees(namespace)
    for place in (target, source):
        (place / "key").write_text("secret")
        (place / "key").chmod(0o600)
        (place / "dir").mkdir()
        (place / "link").symlink_to("there")
    if what == "mode":
        (source / "key").chmod(0o644)
    elif what == "owner":
        os.chown(source / "key", 1000, 0)
    elif what == "directory":
        (source / "dir").chmod(0o777)
    elif what == "link":
        (source / "link").unlink()
        (source / "link").symlink_to("elsewhere//x")
    else:
        (source / "dir").rmdir()
        (source / "dir").write_text("")
    with pytest.raises(SubfloorError, match=r"(key|dir|link) at .* differ"):
        namespace.apply(bind(namespace))


def test_twenty_thousand_entries(namespace: MountNamespace) -> None:
    """All are copied, also those in a directory that both have; and one that differs is found."""
    target, source = trees(namespace)
    for place in (target, source):
        (place / "both").mkdir()
    for number in range(20_000):
        (target / ("both" if number % 2 else ".") / f"{number:05}").touch()
    namespace.settle(bind(namespace))
    assert len(names(source)) + len(names(source / "both")) == 20_001
    namespace.sh("umount root/x")
    (source / "both/19999").write_text("x")
    with pytest.raises(SubfloorError, match=r"both/19999 at .* differ"):
        namespace.apply(bind(namespace))


def test_a_difference_after_many_missing_entries_is_found(namespace: MountNamespace) -> None:
    target, source = trees(namespace)
    for number in range(500):
        (target / f"{number:05}").touch()
    (target / "z").write_text("1")
    (source / "z").write_text("2")
    with pytest.raises(SubfloorError, match=r"z at .* differ"):
        namespace.apply(bind(namespace))
    assert names(source) == ["z"]


def test_special_files_are_compared_by_kind_and_never_opened(namespace: MountNamespace) -> None:
    target, source = trees(namespace)
    os.mkfifo(target / "fifo")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(target / "socket"))
    os.mknod(target / "null", 0o20600, os.makedev(1, 3))
    namespace.settle(bind(namespace))
    namespace.sh("umount root/x")
    namespace.settle(bind(namespace))
    namespace.sh("umount root/x")
    (source / "fifo").unlink()
    (source / "fifo").write_text("")
    with pytest.raises(SubfloorError, match=r"fifo at .* differ"):
        namespace.apply(bind(namespace))


def test_attributes_and_holes_are_kept(namespace: MountNamespace) -> None:
    target, source = trees(namespace)
    with (target / "sparse").open("wb") as file:
        file.truncate(1 << 26)
    os.setxattr(target / "sparse", "user.colour", b"green")
    os.utime(target / "sparse", (1, 2))
    namespace.settle(bind(namespace))
    copy = source / "sparse"
    assert os.getxattr(copy, "user.colour") == b"green"
    assert (copy.stat().st_size, copy.stat().st_mtime, copy.stat().st_blocks) == (1 << 26, 2, 0)


@pytest.mark.parametrize("placed", [0, 1])
def test_an_interrupted_copy_is_removed(namespace: MountNamespace, placed: int) -> None:
    """What the interrupted copy left is removed, and nothing else, whether entries were moved already or not."""
    target, source = trees(namespace)
    (target / "a").write_text("1")
    left = Path(staging(str(source), "directory"))
    (left / "new").mkdir(parents=True)
    (left / "new/a").write_text("half")
    if placed:
        (source / "a").write_text("1")
    assert len(namespace.settle(bind(namespace))) == 2
    assert names(source) == ["a"] and (source / "a").read_text() == "1"


def test_a_secret_file_is_not_opened_to_others(namespace: MountNamespace) -> None:
    namespace.sh("mkdir -p root/etc root/nix/persist/etc; echo 1 > root/etc/key; chmod 600 root/etc/key")
    for equal in ("", "cp root/etc/key root/nix/persist/etc/key; chmod 644 root/nix/persist/etc/key"):
        namespace.sh(equal)
        with pytest.raises(SubfloorError, match=r"has mode 0600, and the usual mode 0644 would open it"):
            namespace.apply(bind(namespace, "/etc/key", kind="file"))
    namespace.sh("rm root/nix/persist/etc/key")
    namespace.settle(bind(namespace, "/etc/key", kind="file", mode="0600"))
    assert namespace.sh(
        "cat root/etc/key; stat -c %a root/nix/persist/etc/key; ls -A root/nix/persist/etc"
    ).split() == [*("1", "600", "key")]


def test_a_secret_directory_is_not_opened_to_others(namespace: MountNamespace) -> None:
    target, _ = trees(namespace)
    (target / "a").touch()
    target.chmod(0o700)
    with pytest.raises(SubfloorError, match=r"has mode 0700, and the usual mode 0755 would open it"):
        namespace.apply(bind(namespace))
    namespace.settle(bind(namespace, mode="0700"))


def test_writing_a_file_leaves_the_users_files_alone(namespace: MountNamespace) -> None:
    """The temporary name of a file is one that no user has."""
    namespace.sh("mkdir -p root/nix/persist/etc; echo mine > root/nix/persist/etc/machine-id.unfinished")
    namespace.settle({"machine-id": {"root": str(namespace.path / "root")}})
    assert namespace.sh("cat root/nix/persist/etc/machine-id.unfinished") == "mine"
    assert len(unfinished("/x/" + "n" * 255)) < 100
