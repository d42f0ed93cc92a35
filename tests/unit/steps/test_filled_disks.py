"""Which disks a play fills as a whole: devices that lie on others are none of them."""

from __future__ import annotations

import pytest
from subfloor_plugins.mkfs import Mkfs

from step_values import IDENTITY
from subfloor.steps.volumes import filled_disks


@pytest.mark.parametrize("path", ["/dev/mapper/crypt", "/dev/md/root", "/dev/vda2"])
def test_what_lies_on_a_disk_is_no_whole_disk(path: str) -> None:
    play = (
        Mkfs(device="/dev/vdb", type="ext4", label="data", identity=IDENTITY),
        Mkfs(device=path, type="ext4", label="data", identity=IDENTITY),
    )
    assert filled_disks(play) == (("disk", "/dev/vdb"),)
