"""The rollback of a btrfs root in the configuration, evaluated by Nix; and what is refused in its play."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disks import plays
from subfloor.core.contributions import EncryptedDevice, FileSystem, Rollback
from subfloor.nixos import filesystems, lint, rollback
from subfloor.nixos.layout import Layout, under
from unit.nixos.test_nix import evaluate

ROLLBACK = Rollback("/dev/mapper/root", "@root", "@root-blank")
ROOT = FileSystem("/mnt", "/dev/mapper/root", "btrfs", ("subvol=@root",))
NIX = FileSystem("/mnt/nix", "/dev/mapper/root", "btrfs", ("subvol=@nix",))
LAYOUT = under("/mnt", (ROOT, NIX, ROLLBACK))


def evaluated(layout: Layout, home: Path) -> Any:
    text = filesystems.module(layout, "binds", {}, {})
    return evaluate(f'({text}) {{ pkgs.btrfs-progs = "/nix/store/x-btrfs-progs"; }}', home)


def test_the_service(tmp_path: Path) -> None:
    """After the device is there and nothing was resumed from; before the root is mounted, and never again."""
    systemd = evaluated(LAYOUT, tmp_path)["boot"]["initrd"]["systemd"]
    assert systemd["extraBin"] == {"btrfs": "/nix/store/x-btrfs-progs/bin/btrfs"}
    service = systemd["services"]["rollback-root"]
    device = "dev-mapper-root.device"
    assert service["requires"] == [device]
    assert service["after"] == [device, "local-fs-pre.target", "systemd-hibernate-resume.service"]
    assert service["before"] == ["sysroot.mount", "shutdown.target"]
    assert service["wantedBy"] == ["initrd.target"]
    assert service["unitConfig"] == {"DefaultDependencies": False, "ConditionPathIsMountPoint": "!/sysroot"}
    assert service["serviceConfig"] == {"Type": "oneshot", "RemainAfterExit": True}


def test_the_device_is_the_one_that_the_installed_system_finds(tmp_path: Path) -> None:
    by_uuid = "/dev/disk/by-partuuid/6a3d4f0e-6b0a"
    found = evaluated(LAYOUT.named(lambda _: by_uuid), tmp_path)
    assert found["fileSystems"]["/"]["device"] == by_uuid
    service = found["boot"]["initrd"]["systemd"]["services"]["rollback-root"]
    assert service["requires"] == ["dev-disk-by\\x2dpartuuid-6a3d4f0e\\x2d6b0a.device"]
    assert f"device={by_uuid}\n" in service["script"]


def test_without_one_nothing_is_declared(tmp_path: Path) -> None:
    assert "boot" not in evaluate(
        f"({filesystems.module(under('/mnt', (ROOT, NIX)), 'binds', {}, {})}) {{ }}", tmp_path
    )


@pytest.mark.skipif(not shutil.which("systemd-escape"), reason="systemd-escape is the judge")
@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=4), min_size=1, max_size=3
    )
)
def test_the_name_of_the_device_s_unit(parts: list[str]) -> None:
    """As systemd writes it. A unit's name has no more than 255 characters, and it refuses a longer one."""
    path = "/dev/" + "/".join(part for part in parts if part not in (".", ".."))
    done = subprocess.run(["systemd-escape", "--path", "--", path], capture_output=True, check=True, env=os.environ)
    assert rollback.escaped(path) == done.stdout.decode().removesuffix("\n")


def test_such_a_root_forgets() -> None:
    assert LAYOUT.is_forgetful and not LAYOUT.keeps("/etc/machine-id") and LAYOUT.keeps("/nix/store")
    assert any(
        "/etc/machine-id does not survive" in text for text in lint.forgotten(LAYOUT, {}, "/etc/nixos", None, {})
    )


def play(**changes: Mapping[str, Any] | None) -> plays.Play:
    tasks: dict[str, tuple[str, Mapping[str, Any]]] = {
        "top": ("mount", {"path": "/top", "source": "/dev/vda1", "type": "btrfs", "options": ["subvol=/"]}),
        "root": ("btrfs-subvolume", {"path": "/top/@root", "blank": "/top/@blank", "rollback": True}),
        "nix": ("btrfs-subvolume", {"path": "/top/@nix"}),
        "at-root": ("mount", {"path": "/mnt", "source": "/dev/vda1", "type": "btrfs", "options": ["subvol=@root"]}),
        "at-nix": ("mount", {"path": "/mnt/nix", "source": "/dev/vda1", "type": "btrfs", "options": ["subvol=@nix"]}),
        "config": ("nixos-config", {"state_version": "25.11", "boot_loader": "systemd-boot"}),
    }
    given = ((key, task, changes.get(key.replace("-", "_"), {})) for key, task in tasks.items())
    return [(task[0], {**task[1], **more}) for _, task, more in given if more is not None]


def test_a_play_that_rolls_its_root_back() -> None:
    plays.entries(play())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"top": None}, "rollback: put a `mount` task for the btrfs"),
        ({"top": {"type": "ext4"}}, "rollback: put a `mount` task for the btrfs"),
        ({"nix": {"path": "/top/@root/nix"}}, "rollback: /top/@root/nix would be lost with /top/@root"),
        ({"nix": {"path": "/mnt/var"}}, "rollback: /mnt/var would be lost with /top/@root"),
        ({"at_nix": {"options": ["subvol=@root/nix"]}}, "root: /nix would be lost at every boot"),
        ({"at_nix": None}, "root: /nix/store would be lost at every boot"),
        (
            {"at_root": {"options": ["subvol=@other"]}},
            "root: the play rolls back /@root of /dev/vda1 at every boot, but mounts something else",
        ),
        ({"at_root": {"source": "/dev/vda2"}}, "mount it with the same `source` and the option `subvol=@root`"),
        ({"at_root": None}, "root: the play rolls back /@root of /dev/vda1"),
        ({"config": {"initrd": "scripted"}}, "initrd: only a systemd initrd can roll back the root"),
    ],
)
def test_layouts_that_lose_data_or_cannot_work_are_refused(changes: Mapping[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        plays.entries(play(**changes))


def test_a_swap_file_on_such_a_root_is_refused() -> None:
    more: plays.Play = [("swap-file", {"path": "/mnt/swapfile", "size": "1GiB"})]
    with pytest.raises(ValueError, match="root: /swapfile would be lost at every boot"):
        plays.entries([*more, *play()])


def test_a_script_quotes_what_it_is_given(tmp_path: Path) -> None:
    nasty = Rollback("/dev/x", "a b'$(touch /tmp/x)\"", "${x}", 3)
    text = rollback.script(nasty, "/dev/disk/by-label/a\\x20b").partition("top=")[0]
    ran = subprocess.run(["sh", "-euc", f'{text}printf "%s|" "$device" "$root" "$blank" "$keep"'], capture_output=True)
    assert ran.stdout.decode() == f"/dev/disk/by-label/a\\x20b|{nasty.subvolume}|{nasty.blank}|3|"


def test_a_root_in_a_container(tmp_path: Path) -> None:
    """The container is opened in stage 1, and the service waits for the device in it."""
    layout = under("/mnt", (ROOT, NIX, ROLLBACK, EncryptedDevice("root", "/dev/vda2"))).stacked({})
    initrd = evaluated(layout, tmp_path)["boot"]["initrd"]
    assert initrd["luks"]["devices"]["root"]["device"] == "/dev/vda2"
    assert "dev-mapper-root.device" in initrd["systemd"]["services"]["rollback-root"]["after"]
