"""Whether a path still leads to the device that was planned for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from subfloor.act.device_guard import check_same_disks
from subfloor.core.errors import Refused
from subfloor.core.machine import Machine
from subfloor.observe.disk import Disk, DiskState, Mapped

DISK = DiskState("/dev/vda", 1 << 30, seq=1)
VOLUME = DiskState("/dev/mapper/pool-root", 1 << 30, seq=2, mapped=Mapped("LVM-x"))


def _check(before: DiskState, now: DiskState) -> None:
    subject = Disk(before.node)
    check_same_disks(Machine({subject: before}), Machine({subject: now}))


def test_a_disk_of_another_size_is_another_disk() -> None:
    with pytest.raises(Refused, match="is not the disk that the plan was made for"):
        _check(DISK, replace(DISK, size=2 << 30))


def test_a_mapped_device_grows_in_the_run_that_planned_it() -> None:
    _check(VOLUME, replace(VOLUME, size=2 << 30))
    with pytest.raises(Refused, match="is not the disk that the plan was made for"):
        _check(VOLUME, replace(VOLUME, seq=3))
