"""What keeps its size although its volume has grown, and says so."""

from __future__ import annotations

import pytest
from subfloor_plugins.mkfs import Mkfs

import step_values


def warnings(kind: str, size: str, *users: str) -> tuple[str, ...]:
    task = Mkfs(device="/dev/vda1", type=kind, label="x", identity=step_values.IDENTITY)
    partition = {"name": "nix", "holds": f"{kind} x", "users": list(users)}
    given = {"disk /dev/vda": {"table": "ours", "partitions": [partition]}, f"size /dev/vda1 {kind}": size}
    found: tuple[str, ...] = task.warnings_on(step_values.machine(given, task.subjects()))
    return found


@pytest.mark.parametrize(
    ("kind", "users", "words"),
    [("f2fs", (), "with a copy of its files"), ("vfat", (), "make it again"), ("swap", ("used as swap",), "`swapoff`")],
)
def test_what_does_not_grow_is_a_warning(kind: str, users: tuple[str, ...], words: str) -> None:
    (warning,) = warnings(kind, "512MiB", *users)
    assert f"the {kind} on /dev/vda1 uses only 512MiB of 1GiB" in warning and words in warning
    assert warnings(kind, "1GiB", *users) == ()


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "swap"])
def test_what_grows_needs_no_warning(kind: str) -> None:
    assert warnings(kind, "512MiB") == ()
