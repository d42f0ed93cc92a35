"""The playbook of docs/how-to/btrfs-root.md: applied, found closed after a reboot, opened again, and rolled back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import testinfra.host
import yaml

from crash.forked import Ran
from places import ROOT
from unit.nixos.test_nix import evaluate

DISK = "/dev/vdd"
SIZES = ("-e", f"disk={DISK}", "-e", "esp_size=64MiB", "-e", "swap=64MiB")

Sh = Callable[..., str]
Blank = Callable[[str], str]
Subfloor = Callable[..., list[Ran]]

CLOSE = """
swapoff -a
for at in /mnt/boot /mnt/nix /mnt/swap; do umount "$at"; done
umount --recursive /mnt; umount /top
"""
ROOT_SHOWN = "mount -o subvol=/ $1 /media; ls -A /media/$2; umount /media"


@pytest.fixture
def playbook(tmp_path: Path) -> str:
    """The page's playbook, for a machine that is no NixOS installer and that no UEFI started."""
    (play,) = yaml.safe_load(
        re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/how-to/btrfs-root.md").read_text(), re.S)[0]
    )
    config: dict[str, Any] = play["tasks"][-1]["nixos-config"]
    config |= {"state_version": "25.11", "boot_loader": "systemd-boot", "no_login": "a test"}
    file = tmp_path / "btrfs-root.yml"
    file.write_text(yaml.safe_dump([play]))
    return str(file)


@pytest.mark.campaign
def test_a_btrfs_root_with_a_swap_file_is_set_up(
    playbook: str, tmp_path: Path, subfloor: Subfloor, blank: Blank, sh: Sh, host: testinfra.host.Host
) -> None:
    blank(DISK)
    apply, check = ["apply", playbook, *SIZES], ["check", playbook, *SIZES]
    first, again, checked = subfloor(apply, apply, check)
    assert first.status == 0, first.said
    assert again.status == 0 and "· " not in again.said, again
    assert checked.status == 0, checked.said

    assert host.mount_point("/mnt").filesystem == "btrfs" and "subvol=/@root" in host.mount_point("/mnt").options
    swap = host.file("/mnt/swap/swapfile")
    assert (swap.mode, swap.user, swap.size) == (0o600, "root", 64 << 20)
    assert "/mnt/swap/swapfile" in host.file("/proc/swaps").content_string
    assert host.run("lsattr /mnt/swap/swapfile").stdout.split()[0].count("C") == 1
    module = evaluate(f'({sh("cat /mnt/etc/nixos/filesystems.nix")}) {{ pkgs.btrfs-progs = "/usr"; }}', tmp_path)
    offset = sh("btrfs inspect-internal map-swapfile -r /mnt/swap/swapfile").strip()
    assert module["boot"]["kernelParams"] == [f"resume_offset={offset}"]
    assert module["swapDevices"] == [{"device": "/swap/swapfile"}]
    device = sh("readlink -f $1", module["boot"]["resumeDevice"]).strip()
    assert device == f"{DISK}2" == sh("readlink -f $1", module["fileSystems"]["/"]["device"]).strip()

    # A reboot: nothing is mounted any more. A check looks into it all the same, and writes nothing.
    sh(CLOSE)
    written = f"sync; tr -s ' ' </sys/block/{DISK.removeprefix('/dev/')}/stat | cut -d ' ' -f 8"
    before = sh(written)
    (closed,) = subfloor(check)
    assert closed.status == 2 and sh(written) == before, closed
    opened, checked = subfloor(apply, check)
    assert opened.status == 0, opened.said
    assert "Create" not in opened.said and "Activate the swap file" in opened.said, opened.said
    assert checked.status == 0, checked.said

    # The boot of the installed system: the root is blank, and what was persisted is there.
    sh("echo lost >/mnt/lost; echo kept >/mnt/var/log/kept")
    sh(CLOSE)
    service = module["boot"]["initrd"]["systemd"]["services"]["rollback-root"]
    sh('exec bash -ec "$1"', service["script"])
    assert sh(ROOT_SHOWN, device, "@root") == ""
    assert "lost" in sh(ROOT_SHOWN, device, "@root.former-1").split()
    opened, checked = subfloor(apply, check)
    assert opened.status == 0 and "Create" not in opened.said, opened.said
    assert checked.status == 0, checked.said
    assert sh("cat /mnt/var/log/kept; ls -A /mnt").split()[0] == "kept"
    assert not host.file("/mnt/lost").exists
    sh(CLOSE)
    sh("btrfs check --readonly $1", device)
