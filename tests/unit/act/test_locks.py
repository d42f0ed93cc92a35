"""Which files a step locks, and in what order."""

from __future__ import annotations

import pytest

from subfloor.act import locks
from subfloor.core.errors import PluginError


def test_disks_are_locked_once_each_and_in_one_order() -> None:
    taken = locks.of_disks(["/dev/vdb", "/dev/vda", "/dev/vdb"])
    assert [lock.path for lock in taken] == ["/dev/vda", "/dev/vdb"]
    assert len({lock.descriptor for lock in taken}) == 2


def test_too_many_disks_to_lock_are_an_error() -> None:
    with pytest.raises(PluginError, match="6 disks at once, but only 5 can be locked"):
        locks.of_disks([f"/dev/vd{letter}" for letter in "abcdef"])
