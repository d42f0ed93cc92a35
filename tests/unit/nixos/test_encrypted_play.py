"""`nixos-config` in a play with containers: by which names it finds what is in them, and what it tells GRUB."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from subfloor.core.contributions import Contribution, EncryptedDevice
from subfloor.core.errors import NotVisible
from subfloor.core.identity import Identity
from subfloor.core.machine import AnySubject, Machine
from subfloor.core.parameters import build
from subfloor.core.task import Step, Task
from subfloor.nixos import device_tags
from subfloor.nixos.releases import Releases
from subfloor.observe.disk import Content, Disk, DiskState, Unopened
from subfloor.playbook.registry import Registry
from unit.nixos.test_nix import evaluate

REGISTRY = Registry()
IDENTITY = Identity("a test", "host")
ESP = ("mount", {"path": "/mnt/boot", "source": "/dev/vda1", "type": "vfat"})
CRYPTROOT = EncryptedDevice("cryptroot", "/dev/vda2")
OPEN = Disk("/dev/mapper/cryptroot")


@dataclass(frozen=True, kw_only=True)
class Opened(Task):
    """A task that opens a container."""

    key: ClassVar[str] = "opened"
    container: EncryptedDevice = CRYPTROOT

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset()

    def next_step(self, machine: Machine) -> Step | None:
        return None

    def contributes(self) -> tuple[Contribution, ...]:
        return (self.container,)


def task(key: str, values: dict[str, Any]) -> Task:
    plugin = REGISTRY.get(key)
    assert plugin
    return build(plugin.task, values, IDENTITY)


def mount(source: str, path: str = "/mnt") -> tuple[str, dict[str, Any]]:
    return ("mount", {"path": path, "source": source, "type": "ext4"})


def config(*others: tuple[str, dict[str, Any]], opened: Opened | None = None, **values: Any) -> Any:
    """The task `nixos-config` of a play, which knows the others."""
    own = task("nixos-config", {"state_version": "25.11", "no_login": "a test", **values})
    return own.within((opened or Opened(), *(task(*each) for each in others), own))


def texts(found: Any) -> tuple[str, ...]:
    return found._declaration.texts(found.layout, Releases("25.11", ""))  # type: ignore[no-any-return]


def test_a_label_in_a_container_is_found() -> None:
    mkfs = ("mkfs", {"device": "/dev/mapper/cryptroot", "type": "ext4", "label": "my root"})
    filesystems = texts(config(mkfs, mount("LABEL=my root"), ESP))[0]
    assert 'boot.initrd.luks.devices.cryptroot.device = "/dev/vda2"' in filesystems
    assert "crypttab" not in filesystems


def test_a_uuid_in_a_container_is_found_once_it_is_open() -> None:
    found = config(mount("UUID=0bd5a1c0-0000-4000-8000-000000000001"), ESP)
    assert OPEN in found.subjects()
    inside = DiskState("/dev/dm-0", 1 << 30, content=Content("ext4", uuid="0bd5a1c0-0000-4000-8000-000000000001"))
    located = device_tags.located(Machine({OPEN: inside}), found.layout)
    assert "luks.devices.cryptroot" in texts(replace(found, layout=located))[0]
    with pytest.raises(NotVisible, match="is unknown until a task opens it"):
        device_tags.located(Machine({OPEN: Unopened("a task opens it")}), found.layout)


def test_a_play_that_finds_nothing_by_uuid_looks_into_no_container() -> None:
    assert OPEN not in config(mount("/dev/mapper/cryptroot"), ESP).subjects()


def test_a_label_of_its_own_is_needed() -> None:
    mkfs = ("mkfs", {"device": "/dev/mapper/cryptroot", "type": "ext4", "label": "root"})
    opened = Opened(container=EncryptedDevice("cryptroot", "/dev/vda2", label="root"))
    with pytest.raises(ValueError, match="have the same label, root"):
        config(mkfs, mount("/dev/mapper/cryptroot"), ESP, opened=opened)
    config(mkfs, mount("/dev/mapper/cryptroot"), ESP, opened=opened, devices="partuuid")


@pytest.mark.parametrize(("boot", "expected"), [([], True), ([mount("/dev/vda1", "/mnt/boot")], None)])
def test_grub_opens_the_container_of_its_files(tmp_path: Path, boot: list[Any], expected: bool | None) -> None:
    found = config(mount("/dev/mapper/cryptroot"), *boot, boot_loader="grub", grub_device="/dev/disk/by-id/a")
    told = evaluate(f'removeAttrs (({texts(found)[1]}) {{ }}) [ "imports" ]', tmp_path)
    assert told["boot"]["loader"]["grub"].get("enableCryptodisk") == expected
    assert any("pbkdf2" in each for each in found.warnings()) == bool(expected)


def test_a_warning_reaches_the_report() -> None:
    opened = Opened(container=EncryptedDevice("cryptroot", "/dev/vda2", key_file="/tmp/key"))
    found = config(mount("/dev/mapper/cryptroot"), ESP, opened=opened)
    assert any("asks for a passphrase at every boot" in each for each in found.warnings())
