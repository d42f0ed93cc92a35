"""The playbooks that come with it, with variables: imagined from a blank disk to their end."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import step_values
from disk_values import nothing_left
from places import TESTS
from subfloor import playbook
from subfloor.core.consent import Consent
from subfloor.core.engine import imagine, subjects
from subfloor.core.machine import Machine
from subfloor.core.outcome import TaskReport
from subfloor.observe.disk import Disk
from subfloor.playbook import Entry
from subfloor.playbook.inventory import LOCALHOST
from subfloor.playbook.recording import Recorder
from subfloor.playbook.registry import Registry

_HERE = TESTS
_REGISTRY = Registry()
NIXOS = "nixos-tmpfs-root.yml"
BTRFS = "nixos-luks-btrfs.yml"
LVM = "nixos-luks-lvm.yml"
MIRROR = "../tests/data/playbooks/nixos-mirror.yml"
TWO_DISKS = "../tests/data/playbooks/two-disks.yml"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH"
_USERS = {
    "root": {"ssh_keys": [f"{KEY} ${{root}}"]},
    "ada": {"uid": 1000, "description": 'Ada "K"', "groups": ["wheel"], "password_file": "/nix/persist/passwords/ada"},
    "guest": {"home": "/var/guest", "shell": "zsh"},
}
_KEPT = ["/etc/nixos", "/var/log", {"path": "/etc/adjtime", "kind": "file"}, {"path": "/opt", "needed_for_boot": True}]
_OF_ADA = [{"path": f"/home/ada/{name}", "owner": "1000", "mode": "0700"} for name in (".ssh", "a b")]

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "tmpfs root": (NIXOS, {}),
    "tmpfs root, no swap": (NIXOS, {"swap": 0}),
    "tmpfs root, a release as a number": (NIXOS, {"state_version": 25.05}),
    "tmpfs root, no GiB": (NIXOS, {"esp_size": "1GiB", "swap": "1GiB", "tmpfs_size": "25%", "nix_type": "btrfs"}),
    "tmpfs root elsewhere": (NIXOS, {"root": "/mnt/new system", "disk": "/dev/nvme0n1"}),
    "tmpfs root, more kept": (NIXOS, {"persist": ["/etc/nixos", "/home", "/var/lib/it's ${here}", '/a"b\\c']}),
    "tmpfs root, small ESP": (NIXOS, {"esp_size": "512MiB"}),
    "tmpfs root, by label": (NIXOS, {"devices": "label", "nix_type": "xfs"}),
    "tmpfs root, random key": (NIXOS, {"swap_encryption": "random"}),
    "tmpfs root, impermanence": (
        NIXOS,
        {"persistence": "impermanence", "persist": [*_KEPT, *_OF_ADA], "users": _USERS},
    ),
    "tmpfs root, flake": (NIXOS, {"flake": True, "timezone": "Europe/Zurich", "openssh": True, "users": _USERS}),
    "tmpfs root, password": (NIXOS, {"password_for": "root", "password": f"$6$salt${'0' * 86}"}),
    "tmpfs root, GRUB": (NIXOS, {"boot_loader": "grub"}),
    "tmpfs root, GRUB, no swap": (NIXOS, {"boot_loader": "grub", "swap": 0}),
    "tmpfs root, everything": (
        NIXOS,
        {"flake": True, "persistence": "impermanence", "devices": "partuuid", "swap_encryption": "random"},
    ),
    "tmpfs root, encrypted": (NIXOS, {"encrypt": True, "passphrase": "secret"}),
    "tmpfs root, encrypted, no swap": (NIXOS, {"encrypt": True, "swap": 0, "passphrase": "secret", "nix_type": "xfs"}),
    "btrfs in LUKS": (BTRFS, {"passphrase": "secret", "users": _USERS}),
    "btrfs in LUKS, no swap": (BTRFS, {"passphrase": "secret", "swap": 0, "allow_discards": True}),
    "LVM in LUKS": (LVM, {"passphrase": "secret", "users": _USERS}),
    "LVM in LUKS, no swap": (LVM, {"passphrase": "secret", "swap": 0, "type": "xfs"}),
    "two disks": (TWO_DISKS, {"swap": 0}),
    "two disks, by PARTUUID": (TWO_DISKS, {"swap": 0, "devices": "partuuid"}),
    "two disks, nothing early": (TWO_DISKS, {"swap": 0, "persist": ["/etc/nixos"]}),
    "two disks, impermanence": (TWO_DISKS, {"swap": 0, "persistence": "impermanence", "flake": True}),
    "ext4 root": ("ext4-root.yml", {}),
    "ext4 root, GRUB": ("ext4-root.yml", {"boot_loader": "grub"}),
    "data disk": ("data-disk.yml", {}),
    "mirror": (MIRROR, {"first": "/dev/vda", "second": "/dev/vdb"}),
    "mirror, no swap": (MIRROR, {"first": "/dev/vda", "second": "/dev/vdb", "swap": 0}),
}


RECORDED = {"tmpfs root, flake", "tmpfs root, password", "btrfs in LUKS"}
"""Those whose system can check itself; the others are looked at without that, since it takes many more steps."""


def entries(variant: str) -> tuple[Entry, ...]:
    """The entries of a playbook."""
    name, given = VARIANTS[variant]
    given = given if name in (TWO_DISKS, MIRROR) else {"disk": "/dev/vda"} | given
    return entries_of(_HERE.parent / "playbooks" / name, given, recorded=variant in RECORDED)


def entries_of(path: Path, given: dict[str, Any], *, recorded: bool = False) -> tuple[Entry, ...]:
    """The entries of a playbook file, with these variables."""
    plays = playbook.load(path, _REGISTRY)
    record = partial(Recorder(path, plays).record, LOCALHOST, given) if recorded else None
    return tuple(entry for play in plays for entry in play.entries(LOCALHOST, given, record=record))


def blank(play: tuple[Entry, ...]) -> Machine:
    """A machine with the disks that a play is about, and nothing on them."""
    looked = subjects(play)
    disks = {subject.path for subject in looked if isinstance(subject, Disk)}
    programs = {f"tool {name}": True for name in ("btrfs", "chattr", "filefrag", "lsattr")}
    installer = {"running": "nixos 25.11 25.11.20260101.abc"} | programs
    given = {
        f"disk {each}": "absent" if each.startswith(("/dev/mapper/", "/dev/md/")) else {"size": "30GiB"}
        for each in disks
    }
    return step_values.machine(given | installer, looked)


def on_the_way(machine: Machine, reports: tuple[TaskReport, ...]) -> Iterator[Machine]:
    yield machine
    for report in reports:
        for taken in report.steps:
            yield taken.step.after


def said(reports: tuple[TaskReport, ...]) -> list[str]:
    return [taken.step.says for report in reports for taken in report.steps]


@cache
def finished(variant: str) -> tuple[tuple[Entry, ...], Machine]:
    play = entries(variant)
    start = blank(play)
    return play, list(on_the_way(start, imagine(play, start, Consent(), nothing_left)))[-1]
