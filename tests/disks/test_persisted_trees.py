"""`bind-persist` over content of every kind: nothing is lost, hidden or exposed by a copy."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from disks.ground import Ground, ground
from subfloor.core.errors import SubfloorError
from subfloor.observe.hidden import staging
from subfloor.observe.path import unfinished

pytestmark = pytest.mark.root

__all__ = ["ground"]  # a fixture


def bind(ground: Ground, path: str = "/x", **more: Any) -> dict[str, Any]:
    return {"bind-persist": {"path": path, "root": str(ground.path / "root"), "existing": "copy", **more}}


def trees(ground: Ground) -> tuple[Path, Path]:
    """A directory with content, and its place in the store."""
    target, source = ground.path / "root/x", ground.path / "root/nix/persist/x"
    target.mkdir(parents=True)
    source.mkdir(parents=True)
    return target, source


def names(directory: Path) -> list[str]:
    return sorted(each.name for each in directory.iterdir())


def test_user_files_whose_names_end_in_unfinished_stay(ground: Ground) -> None:
    target, source = trees(ground)
    (target / "a").write_text("1")
    (source / "a.unfinished").mkdir()
    (source / "a.unfinished/letter").write_text("mine")
    ground.settle(bind(ground))
    assert (source / "a.unfinished/letter").read_text() == "mine"
    assert names(source) == ["a", "a.unfinished"]


@pytest.mark.parametrize(
    "name", ["new\nline", "-x", "tab\there", "a\\b", "*", "é", b"\xff".decode(errors="surrogateescape")]
)
def test_any_name_is_seen_and_copied(ground: Ground, name: str) -> None:
    target, source = trees(ground)
    (target / name).write_text("1")
    (target / f"{name}.d").mkdir()
    (target / f"{name}.d" / name).write_text("2")
    with pytest.raises(SubfloorError, match="would hide"):
        ground.apply(bind(ground, existing="refuse"))
    ground.settle(bind(ground))
    assert (source / name).read_text() + (source / f"{name}.d" / name).read_text() == "12"


def test_a_link_in_the_store_does_not_redirect_a_copy(ground: Ground) -> None:
    target, source = trees(ground)
    outside = ground.path / "outside"
    outside.mkdir()
    (source / "sub").symlink_to(outside)
    (target / "sub").mkdir()
    (target / "sub/letter").write_text("1")
    with pytest.raises(SubfloorError, match=r"sub.* differ"):
        ground.apply(bind(ground))
    assert not list(outside.iterdir())


def test_hard_links_stay_links(ground: Ground) -> None:
    target, source = trees(ground)
    (target / "a").write_text("1")
    (target / "d").mkdir()
    (target / "b").hardlink_to(target / "a")
    (target / "d/c").hardlink_to(target / "a")
    ground.settle(bind(ground))
    assert len({(source / name).stat().st_ino for name in ("a", "b", "d/c")}) == 1


@pytest.mark.parametrize("what", ["mode", "owner", "directory", "link", "kind"])
def test_equal_content_with_a_more_open_mode_differs(ground: Ground, what: str) -> None:
    target, source = trees(ground)
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
        ground.apply(bind(ground))


def test_twenty_thousand_entries(ground: Ground) -> None:
    """All are copied, also those in a directory that both have; and one that differs is found."""
    target, source = trees(ground)
    for place in (target, source):
        (place / "both").mkdir()
    for number in range(20_000):
        (target / ("both" if number % 2 else ".") / f"{number:05}").touch()
    ground.settle(bind(ground))
    assert len(names(source)) + len(names(source / "both")) == 20_001
    ground.sh("umount root/x")
    (source / "both/19999").write_text("x")
    with pytest.raises(SubfloorError, match=r"both/19999 at .* differ"):
        ground.apply(bind(ground))


def test_a_difference_after_many_missing_entries_is_found(ground: Ground) -> None:
    target, source = trees(ground)
    for number in range(500):
        (target / f"{number:05}").touch()
    (target / "z").write_text("1")
    (source / "z").write_text("2")
    with pytest.raises(SubfloorError, match=r"z at .* differ"):
        ground.apply(bind(ground))
    assert names(source) == ["z"]


def test_special_files_are_compared_by_kind_and_never_opened(ground: Ground) -> None:
    target, source = trees(ground)
    os.mkfifo(target / "fifo")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(target / "socket"))
    os.mknod(target / "null", 0o20600, os.makedev(1, 3))
    ground.settle(bind(ground))
    ground.sh("umount root/x")
    ground.settle(bind(ground))
    ground.sh("umount root/x")
    (source / "fifo").unlink()
    (source / "fifo").write_text("")
    with pytest.raises(SubfloorError, match=r"fifo at .* differ"):
        ground.apply(bind(ground))


def test_attributes_and_holes_are_kept(ground: Ground) -> None:
    target, source = trees(ground)
    with (target / "sparse").open("wb") as file:
        file.truncate(1 << 26)
    os.setxattr(target / "sparse", "user.colour", b"green")
    os.utime(target / "sparse", (1, 2))
    ground.settle(bind(ground))
    copy = source / "sparse"
    assert os.getxattr(copy, "user.colour") == b"green"
    assert (copy.stat().st_size, copy.stat().st_mtime, copy.stat().st_blocks) == (1 << 26, 2, 0)


@pytest.mark.parametrize("placed", [0, 1])
def test_an_interrupted_copy_is_removed(ground: Ground, placed: int) -> None:
    """What the interrupted copy left is removed, and nothing else, whether entries were moved already or not."""
    target, source = trees(ground)
    (target / "a").write_text("1")
    left = Path(staging(str(source), "directory"))
    (left / "new").mkdir(parents=True)
    (left / "new/a").write_text("half")
    if placed:
        (source / "a").write_text("1")
    assert len(ground.settle(bind(ground))) == 2
    assert names(source) == ["a"] and (source / "a").read_text() == "1"


def test_a_secret_file_is_not_opened_to_others(ground: Ground) -> None:
    ground.sh("mkdir -p root/etc root/nix/persist/etc; echo 1 > root/etc/key; chmod 600 root/etc/key")
    for equal in ("", "cp root/etc/key root/nix/persist/etc/key; chmod 644 root/nix/persist/etc/key"):
        ground.sh(equal)
        with pytest.raises(SubfloorError, match=r"has mode 0600, and the usual mode 0644 would open it"):
            ground.apply(bind(ground, "/etc/key", kind="file"))
    ground.sh("rm root/nix/persist/etc/key")
    ground.settle(bind(ground, "/etc/key", kind="file", mode="0600"))
    assert ground.sh("cat root/etc/key; stat -c %a root/nix/persist/etc/key; ls -A root/nix/persist/etc").split() == [
        *("1", "600", "key")
    ]


def test_a_secret_directory_is_not_opened_to_others(ground: Ground) -> None:
    target, _ = trees(ground)
    (target / "a").touch()
    target.chmod(0o700)
    with pytest.raises(SubfloorError, match=r"has mode 0700, and the usual mode 0755 would open it"):
        ground.apply(bind(ground))
    ground.settle(bind(ground, mode="0700"))


def test_writing_a_file_leaves_the_users_files_alone(ground: Ground) -> None:
    """The temporary name of a file is one that no user has."""
    ground.sh("mkdir -p root/nix/persist/etc; echo mine > root/nix/persist/etc/machine-id.unfinished")
    ground.settle({"machine-id": {"root": str(ground.path / "root")}})
    assert ground.sh("cat root/nix/persist/etc/machine-id.unfinished") == "mine"
    assert len(unfinished("/x/" + "n" * 255)) < 100
