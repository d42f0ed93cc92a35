"""`swap` on a real kernel: an area is activated, and anew where it drifted."""

from __future__ import annotations

from pathlib import Path

import pytest

from disks.devices import disk
from disks.mount_namespace import MountNamespace, namespace
from subfloor.core.errors import SubfloorError

pytestmark = pytest.mark.root

__all__ = ["disk", "namespace"]  # fixtures


def test_a_swap_area_is_activated_once(disk: str, namespace: MountNamespace) -> None:
    area = f"{disk}p2"
    assert namespace.settle({"swap": {"device": area}}) == [f"Activate {area} as swap"]
    assert namespace.settle({"swap": {"device": area, "priority": 7, "discard": "once"}}) == [
        f"Activate {area} as swap again, with priority 7"
    ]
    lines = [line.split() for line in Path("/proc/swaps").read_text().splitlines()]
    assert [(line[0], line[-1]) for line in lines if line[0] == area] == [(area, "7")]
    with pytest.raises(SubfloorError, match=r"p1 holds ext4, but swap is declared"):
        namespace.apply({"swap": {"device": f"{disk}p1"}})
