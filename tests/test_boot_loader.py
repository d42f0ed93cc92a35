"""What boots the installed system: systemd-boot where the play mounts its partition, else what is declared."""

from __future__ import annotations

from typing import Any

import pytest

from subfloor.nixos.releases import Releases
from subfloor.parameters import build
from subfloor.plugins import Registry
from subfloor.task import Task

REGISTRY = Registry()
ROOT = ("tmpfs-mount", {"path": "/mnt", "size": "1GiB"})


def task(key: str, values: dict[str, Any]) -> Task:
    plugin = REGISTRY.get(key)
    assert plugin
    return build(plugin.task, values, None)


def configuration(esp: str | None, **values: Any) -> str:
    others = [ROOT, *([("mount", {"path": esp, "source": "/dev/vda1", "type": "vfat"})] if esp else [])]
    config = task("nixos-config", {"state_version": "25.11", **values})
    within = config.within((*(task(*each) for each in others), config))
    return str(within._texts(within.layout, Releases("25.11", ""))[1])  # type: ignore[attr-defined]


@pytest.mark.parametrize(("esp", "place"), [("/mnt/boot", None), ("/mnt/efi", "/efi"), ("/mnt/boot/efi", "/boot/efi")])
def test_systemd_boot_is_written_to_where_the_partition_is(esp: str, place: str | None) -> None:
    found = configuration(esp)
    assert "systemd-boot" in found
    assert ("efiSysMountPoint" in found) == bool(place)
    assert f'"{place or ""}' in found


def test_grub_as_declared() -> None:
    found = configuration(None, boot_loader="grub", grub_device="/dev/disk/by-id/a")
    assert '"/dev/disk/by-id/a"' in found
    assert "systemd-boot" not in found
    assert "configurationLimit" in found


def test_none_is_left_to_local_nix() -> None:
    assert "loader" not in configuration(None, boot_loader="none")


@pytest.mark.parametrize("values", [{"boot_loader": "grub"}, {"grub_device": "/dev/vda"}])
def test_grub_and_its_disk_belong_together(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="grub_device"):
        configuration("/mnt/boot", **values)
