"""The generated configuration of every playbook and variant: it parses, and mounts exactly what is mounted.

The machine is the one that each playbook was imagined to its end on; what Nix makes of the files is held
against its mounts, down to the partition behind each name and the place in it that each bind shows.
"""

from __future__ import annotations

import posixpath
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import whole_playbooks
from nixos_reading import Reading, read
from subfloor.core.machine import Machine
from subfloor.observe.disk import Content, Disk, DiskState
from subfloor.observe.mount import Mount, Mounted
from subfloor.observe.path import Node, Text, TextFile
from subfloor.observe.path import Path as TargetPath
from subfloor.observe.swap import Swap
from subfloor.storage import gpt
from unit.nixos.test_nix import evaluate

_LINKED = {"/etc/machine-id"}
"""What is no mount now, since it is a link, or impermanence's affair, in the installed system."""

_FILES = (whole_playbooks.NIXOS, whole_playbooks.TWO_DISKS)
_NIXOS = [name for name, (file, _) in whole_playbooks.VARIANTS.items() if file in _FILES]


def root_of(variant: str) -> str:
    return str(whole_playbooks.VARIANTS[variant][1].get("root", "/mnt"))


def written(machine: Machine) -> dict[str, bytes]:
    """The files that were written, by name."""
    return {
        posixpath.basename(subject.path): state.content
        for subject, state in machine.items()
        if isinstance(subject, TextFile) and isinstance(state, Text) and subject.path.endswith(".nix")
    }


def reading(machine: Machine, home: Path) -> Reading:
    return read(evaluate(f"({written(machine)['filesystems.nix'].decode()}) {{ }}", home))


@pytest.mark.parametrize("variant", _NIXOS)
def test_every_file_parses(variant: str, tmp_path: Path) -> None:
    _, finish = whole_playbooks.finished(variant)
    files = written(finish)
    assert {"filesystems.nix", "configuration.nix", "hardware-configuration.nix"} <= files.keys()
    assert ("flake.nix" in files) == bool(whole_playbooks.VARIANTS[variant][1].get("flake"))
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    command = ["nix-instantiate", "--parse", *(str(tmp_path / name) for name in files)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.parametrize("variant", _NIXOS)
def test_it_mounts_the_filesystems_of_the_play(variant: str, tmp_path: Path) -> None:
    _, finish = whole_playbooks.finished(variant)
    said = reading(finish, tmp_path)
    assert {path: _as_mounted(said, path, finish) for path in said.mounts.keys() | said.files.keys() - _LINKED} == {
        path: (top.source, top.root) for path, top in _mounted(finish, root_of(variant)).items()
    }
    for path, about in said.mounts.items():
        top = _mounted(finish, root_of(variant))[path]
        if path not in said.binds:
            assert about["fsType"] == top.type
            assert _shown(about.get("options", ())) == _shown(top.options)


def _mounted(machine: Machine, root: str) -> dict[str, Mounted]:
    """What is mounted under the root, by the path that it has in the installed system."""
    found = {subject.path: state.top for subject, state in machine.items() if isinstance(subject, Mount) and state.top}
    return {
        posixpath.join("/", path.removeprefix(root)): top
        for path, top in found.items()
        if posixpath.commonpath((path, root)) == root
    }


def _as_mounted(said: Reading, path: str, machine: Machine) -> tuple[str, str]:
    """The device that will be mounted at a path, as the kernel lists it, and the place in it."""
    device = said.binds.get(path) or said.mounts[path]["device"]
    if not device.startswith("/") or device.startswith("/dev/"):
        return _node(device, machine), "/"
    holder = max((each for each in said.mounts if _is_in(device, each)), key=len)
    source, place = _as_mounted(said, holder, machine)
    return source, posixpath.join(place, posixpath.relpath(device, holder))


def _is_in(path: str, folder: str) -> bool:
    return posixpath.commonpath((path, folder)) == folder


def _node(device: str, machine: Machine) -> str:
    """The kernel's name of a device: which partition carries the label, or the UUID."""
    if device == "tmpfs":
        return device
    # udev writes what may not be in a path as \\xHH (systemd, encode_devnode_name).
    plain = re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), device)
    found = [node for name, node in _names(machine) if name == plain]
    assert len(found) == 1, f"{device} is carried by {found or 'nothing'}"
    return found[0]


def _names(machine: Machine) -> Iterator[tuple[str, str]]:
    """Every name of every partition that stays, and the kernel's."""
    disks = ((subject, state) for subject, state in machine.items() if isinstance(subject, Disk))
    for _, disk in disks:
        if isinstance(disk, DiskState) and disk.mapped:
            yield disk.node, disk.node  # by its name, which is the same at every boot
        if not isinstance(disk, DiskState) or not isinstance(disk.table, gpt.Gpt):
            continue
        for entry in disk.table.entries:
            node, volume = disk.partition_node(entry.number), disk.volume(entry.number)
            yield f"/dev/disk/by-partuuid/{entry.uuid}", node
            if volume and isinstance(volume.content, Content) and volume.content.label:
                yield f"/dev/disk/by-label/{volume.content.label}", node


def _shown(options: Any) -> set[str]:
    """The options, as the kernel shows them; only those that it shows as they are given."""
    return {option for option in options if option in ("noatime", "fmask=0077", "dmask=0077")}


@pytest.mark.parametrize("variant", [name for name in _NIXOS if not name.startswith("two disks")])
def test_the_machine_id_is_there_before_anything_is_mounted(variant: str, tmp_path: Path) -> None:
    """It is no bind, which systemd would make too late: it has read the file by then."""
    _, finish = whole_playbooks.finished(variant)
    said = reading(finish, tmp_path)
    assert {**said.links, **said.files}["/etc/machine-id"] == "/nix/persist/etc/machine-id"
    assert "/etc/machine-id" not in said.mounts
    kept = Path(f"{root_of(variant)}/nix/persist/etc/machine-id")
    assert isinstance(finish[TargetPath(str(kept))], Node)


@pytest.mark.parametrize("variant", _NIXOS)
def test_it_activates_the_swap_areas_of_the_play(variant: str, tmp_path: Path) -> None:
    """An area with a random key is not in use before the installed system makes it."""
    _, finish = whole_playbooks.finished(variant)
    swaps = reading(finish, tmp_path).swaps
    plain = [_node(each["device"], finish) for each in swaps if "randomEncryption" not in each]
    active = [subject.device for subject, state in finish.items() if isinstance(subject, Swap) and state.active]
    assert plain == active
    given = whole_playbooks.VARIANTS[variant][1]
    keyed = [each for each in swaps if each.get("randomEncryption", {}).get("enable")]
    random = given.get("swap_encryption") == "random" or given.get("encrypt", False)
    assert len(keyed) == (random and given.get("swap") != 0)
    for each in keyed:
        # config/swap.nix asserts that it is found by nothing that is on it.
        assert each["device"].startswith("/dev/disk/by-partuuid/")
        _node(each["device"], finish)
    assert len(swaps) == (given.get("swap") != 0)


@pytest.mark.parametrize("variant", _NIXOS)
def test_stage_1_finds_what_it_needs(variant: str, tmp_path: Path) -> None:
    """What stage 1 mounts lies on nothing that stage 2 mounts; it mounts all that is needed before systemd."""
    _, finish = whole_playbooks.finished(variant)
    said = reading(finish, tmp_path)
    early = {path for path in said.mounts if said.is_early(path)}
    assert {"/", "/nix"} <= early
    assert ("/opt" in early) == ("/opt" in said.mounts)
    assert ("/kept" in early) == ("/kept" in said.mounts)
    for path in early:
        assert early.issuperset(said.needs(path)), f"{path} is mounted before what it lies on"


@pytest.mark.parametrize("variant", _NIXOS)
def test_no_device_is_named_by_its_kernel_name(variant: str, tmp_path: Path) -> None:
    _, finish = whole_playbooks.finished(variant)
    said = reading(finish, tmp_path)
    devices = [about["device"] for about in (*said.mounts.values(), *said.swaps)]
    by = {posixpath.dirname(device) for device in devices if device.startswith("/dev/")} - {"/dev/mapper"}
    file, given = whole_playbooks.VARIANTS[variant]
    # Every NixOS that was installed by the manual has a partition labelled `nixos`.
    usual = "partuuid" if file == whole_playbooks.NIXOS else "label"
    expected = {f"/dev/disk/by-{given.get('devices', usual)}"}
    assert by - expected <= ({"/dev/disk/by-partuuid"} if said.swaps and "randomEncryption" in said.swaps[0] else set())


@pytest.mark.parametrize("variant", _NIXOS)
def test_it_names_the_release_and_the_boot_loader_of_this_machine(variant: str, tmp_path: Path) -> None:
    _, finish = whole_playbooks.finished(variant)
    files = written(finish)
    packages = '{ pkgs = { zsh = "zsh"; }; }'
    found = evaluate(f'removeAttrs (({files["configuration.nix"].decode()}) {packages}) [ "imports" ]', tmp_path)
    file, given = whole_playbooks.VARIANTS[variant]
    usual = "25.11" if file == whole_playbooks.NIXOS else "24.05"  # what the other play says itself
    assert found["system"]["stateVersion"] == str(given.get("state_version", usual))
    if "flake.nix" in files:
        flake = evaluate(f"({files['flake.nix'].decode()}).inputs.nixpkgs.url", tmp_path)
        assert flake == "github:NixOS/nixpkgs/nixos-25.11", "the installer's"
    loader = found["boot"]["loader"]
    grub = given.get("boot_loader") == "grub"
    assert ("grub" in loader, "systemd-boot" in loader) == (grub, not grub)
    if grub:
        assert loader["grub"]["device"] == "/dev/vda"
        (disk,) = [state for subject, state in finish.items() if isinstance(subject, Disk)]
        assert isinstance(disk.table, gpt.Gpt)
        assert "grub" in [entry.name for entry in disk.table.entries], "it has a place there"
