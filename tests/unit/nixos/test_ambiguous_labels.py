"""Labels by which an installed system may find the wrong disk."""

from __future__ import annotations

import pytest

from subfloor.core.contributions import FileSystem, SwapDevice
from subfloor.nixos import lint
from subfloor.nixos.layout import Layout


def told(*devices: tuple[str, str]) -> str:
    mounts = tuple(FileSystem(f"/{number}", path, "ext4", label=label) for number, (path, label) in enumerate(devices))
    return "\n".join(lint.ambiguous_labels(Layout(mounts)))


@pytest.mark.parametrize("label", ["nixos", "boot", "NIXOS", "swap"])
def test_a_common_label_is_a_warning(label: str) -> None:
    assert f"`{label}`" in told(("/dev/vda1", "mine"), ("/dev/vda2", label))


def test_labels_on_two_disks_are_a_warning() -> None:
    assert "2 disks (/dev/vda, /dev/vdb)" in told(("/dev/vda1", "a"), ("/dev/vdb1", "b"))


@pytest.mark.parametrize(
    "devices", [(("/dev/vda1", "kiosk-7"), ("/dev/vda2", "kiosk-8")), (("/dev/vda1", ""), ("/dev/vdb1", "")), ()]
)
def test_others_are_not(devices: tuple[tuple[str, str], ...]) -> None:
    assert not told(*devices)


def test_an_area_that_is_made_at_every_boot_is_not_found_by_label() -> None:
    swap = SwapDevice("/dev/vda2", label="swap", random_key=True)
    assert not list(lint.ambiguous_labels(Layout(swaps=(swap,))))
