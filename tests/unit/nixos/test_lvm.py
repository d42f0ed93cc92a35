"""Layouts on logical volumes: what activates them, and the containers that they lie in."""

from __future__ import annotations

import pytest

from subfloor.core.contributions import Contribution, EncryptedDevice, FileSystem, LogicalVolume, SwapDevice
from subfloor.nixos import filesystems, stages
from subfloor.nixos.initrd import Initrd
from subfloor.nixos.layout import Layout, under

CRYPT = EncryptedDevice("crypt", "/dev/vda2")
ROOT_IN_CRYPT = LogicalVolume("my-pool", "root", ("/dev/mapper/crypt",))
SWAP_IN_CRYPT = LogicalVolume("my-pool", "swap", ("/dev/mapper/crypt",))


def lies(*contributions: Contribution) -> Layout:
    return under("/mnt", contributions).stacked({})


def text(layout: Layout, *, systemd: bool = True) -> str:
    """The module, in one line."""
    return " ".join(filesystems.module(layout, "binds", {}, {}, (), Initrd(systemd)).split())


@pytest.mark.parametrize("device", ["/dev/my-pool/root", "/dev/mapper/my--pool-root"])
def test_stage_1_opens_what_the_group_of_the_root_lies_in(device: str) -> None:
    layout = lies(
        CRYPT, ROOT_IN_CRYPT, SWAP_IN_CRYPT, FileSystem("/mnt", device, "ext4"), SwapDevice("/dev/my-pool/swap")
    )
    assert stages.early(layout, Initrd()).containers == {"crypt"}
    assert {each.name for each in layout.containers("/dev/my-pool/swap")} == {"crypt"}
    assert "lvm.enable = true;" in text(layout) and "luks.devices.crypt" in text(layout)
    assert 'resumeDevice = "/dev/my-pool/swap";' in text(layout)


def test_a_device_on_a_logical_volume_is_known_by_any_name() -> None:
    layout = lies(CRYPT, ROOT_IN_CRYPT, FileSystem("/mnt", "/dev/my-pool/root", "ext4"))
    named = layout.named(lambda each: each.path.replace("/dev/my-pool/root", "/dev/disk/by-label/nixos"))
    assert named.grouped == {"/dev/disk/by-label/nixos"}
    assert stages.early(named, Initrd()).groups and stages.early(named, Initrd()).containers == {"crypt"}


def test_what_is_needed_later_is_activated_later() -> None:
    home = LogicalVolume("pool", "home", ("/dev/vdb1",))
    layout = lies(home, FileSystem("/mnt", "/dev/vda2", "ext4"), FileSystem("/mnt/home", "/dev/pool/home", "ext4"))
    assert not stages.early(layout, Initrd()).groups
    assert "services.lvm.enable = true;" in text(layout) and "initrd" not in text(layout)


def test_a_layout_without_logical_volumes_says_nothing_of_them() -> None:
    assert "lvm" not in text(lies(CRYPT, FileSystem("/mnt", "/dev/mapper/crypt", "ext4")))


def test_the_older_scripts_open_a_container_on_a_logical_volume_after_they_activated_it() -> None:
    on_lvm = EncryptedDevice("crypt", "/dev/pool/crypt")
    volume = LogicalVolume("pool", "crypt", ("/dev/vda2",))
    layout = lies(volume, on_lvm, FileSystem("/mnt", "/dev/mapper/crypt", "ext4"))
    assert "preLVM = false;" in text(layout, systemd=False) and "preLVM" not in text(layout)
    assert stages.early(layout, Initrd()).groups
