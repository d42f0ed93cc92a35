"""What boots the installed system: systemd-boot where the play mounts its partition, else what is declared."""

from __future__ import annotations

from typing import Any

import pytest

import step_values
from subfloor.core.parameters import build
from subfloor.core.task import Task
from subfloor.nixos.releases import Releases
from subfloor.nixos.system import Loader
from subfloor.playbook.registry import Registry

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
    return str(within._declaration.texts(within.layout, Releases("25.11", ""))[1])  # type: ignore[attr-defined]


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


@pytest.mark.parametrize(
    ("loader", "uefi", "told"),
    [
        ("systemd-boot", False, "this machine booted with BIOS"),
        ("grub", True, "this machine booted with UEFI"),
        ("systemd-boot", True, ""),
        ("grub", False, ""),
        ("none", False, ""),
        (None, True, ""),
    ],
)
def test_a_declared_boot_loader_that_cannot_start_this_machine_is_a_warning(
    loader: Loader, uefi: bool, told: str
) -> None:
    config = task("nixos-config", {"boot_loader": loader, "grub_device": "/dev/vda" if loader == "grub" else ""})
    said = "\n".join(config.warnings_on(step_values.machine({"uefi": uefi}, config.subjects())))
    assert told in said and bool(told) == bool(said)


def test_grub_is_installed_on_every_disk_of_a_mirror() -> None:
    found = configuration(None, boot_loader="grub", grub_device="/dev/disk/by-id/a", grub_mirrors=["/dev/disk/by-id/b"])
    assert 'devices = [ "/dev/disk/by-id/a" "/dev/disk/by-id/b" ];' in " ".join(found.split())
    with pytest.raises(ValueError, match="grub_mirrors"):
        configuration(None, grub_mirrors=["/dev/disk/by-id/b"])
