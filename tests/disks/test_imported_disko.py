"""Playbooks that `import disko` wrote, on real disks: laid out as declared, and disks of disko taken over."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from loop_disks import LoopDisk, MakeDisk, disk, run, said
from places import DATA, ROOT

pytestmark = pytest.mark.root

__all__ = ["disk"]  # fixtures

CASES = DATA / "disko"
MIB = 2048  # sectors


def subfloor(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it in a mount namespace of its own, which ends with it."""
    argv = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "subfloor", *map(str, arguments)]
    env = {**os.environ, **environment}
    return subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=env)


def imported(case: Path, folder: Path, *arguments: str) -> str:
    done = subfloor("import", "disko", case, "--root", folder / "mnt", *arguments)
    assert done.returncode in (0, 6), done.stderr
    return done.stdout.replace("/top/", f"{folder}/top/")


def partitions(vda: LoopDisk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(said("sfdisk", "--json", vda.node))["partitiontable"]["partitions"]
    return found


def applied_twice(play: Path, *disks: LoopDisk, again: str = "apply") -> None:
    """Both in one namespace: what the first apply mounted is there for the second."""
    each = f"{sys.executable} -m subfloor"
    off = f"grep -o '^{play.parent}[^ ]*' /proc/swaps | xargs -r -n 1 swapoff"
    script = f"{each} apply {play} && {each} {again} {play}; status=$?; {off}; exit $status"
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    for vda in disks:
        for number in range(10):
            run("swapoff", vda.partition(number), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "in sync" in done.stdout, done.stdout


def test_a_configuration_is_laid_out_and_stays(disk: MakeDisk, tmp_path: Path) -> None:
    vda = disk("640MiB")
    play = tmp_path / "play.yml"
    play.write_text(imported(CASES / "tmpfs-root.nix", tmp_path, "--argstr", "disk", vda.node))
    applied_twice(play, vda)
    found = [(each["name"], each["start"] / MIB, each["size"] / MIB) for each in partitions(vda)]
    assert found == [
        ("disk-main-boot", 1, 1),
        ("disk-main-nix", 2, 200),
        ("disk-main-swap", 202, 32),
        ("disk-main-rest", 234, 405),
    ]
    kinds = [said("blkid", "-p", "-s", "TYPE", "-o", "value", vda.partition(number)) for number in (2, 3, 4)]
    assert kinds == ["ext4", "swap", "btrfs"]
    assert said("blkid", "-p", "-s", "LABEL", "-o", "value", vda.partition(4)) == "store"


MADE_BY_DISKO = """
sgdisk --clear {disk}
sgdisk --align-end --new=1:0:+1M --change-name=1:disk-main-boot --typecode=1:EF02 {disk}
sgdisk --align-end --new=2:0:+200M --change-name=2:disk-main-nix --typecode=2:8300 {disk}
sgdisk --align-end --new=3:0:+32M --change-name=3:disk-main-swap --typecode=3:8200 {disk}
sgdisk --align-end --new=4:0:-0 --change-name=4:disk-main-rest --typecode=4:8300 {disk}
partx --update {disk}
mkfs.ext4 -q {disk}p2
mkswap -q {disk}p3
mkfs.btrfs -q -L store {disk}p4
mkdir {folder}/top
mount -o subvol=/ {disk}p4 {folder}/top
btrfs -q subvolume create {folder}/top/@a
btrfs -q subvolume create {folder}/top/@b
umount {folder}/top
"""
"""What disko's scripts do for tmpfs-root.nix: the commands of its types gpt, filesystem, swap and btrfs."""


def test_a_disk_that_disko_laid_out_is_taken_over(disk: MakeDisk, tmp_path: Path) -> None:
    vda = disk("640MiB")
    run("sh", "-euc", MADE_BY_DISKO.format(disk=vda.node, folder=tmp_path))
    uuids = [said("blkid", "-p", "-s", "UUID", "-o", "value", vda.partition(number)) for number in (2, 3, 4)]
    places = [(each["name"], each["start"], each["size"], each["type"]) for each in partitions(vda)]
    play = tmp_path / "play.yml"
    play.write_text(imported(CASES / "tmpfs-root.nix", tmp_path, "--argstr", "disk", vda.node))
    adopted = subfloor("adopt", play, "--stamp", vda.node)
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    assert [(each["name"], each["start"], each["size"], each["type"]) for each in partitions(vda)] == places
    assert [said("blkid", "-p", "-s", "UUID", "-o", "value", vda.partition(number)) for number in (2, 3, 4)] == uuids
    applied_twice(play, vda, again="check")


HELD = ("order", "places", "table", "btrfs-disks", "caches", "swaps", "subvolumes", "filesystems")
"""Configurations whose layout loop devices can hold."""

UNKNOWN = ("type: vfat", "f2fs", "pquota")
"""What the kernel of a small machine does not mount: such lines are left out."""


@pytest.mark.campaign
@pytest.mark.parametrize("name", HELD)
def test_every_configuration_that_loop_devices_can_hold(name: str, disk: MakeDisk, tmp_path: Path) -> None:
    text = imported(CASES / f"{name}.nix", tmp_path)
    named = sorted(set(re.findall(r"gpt-label: {device: \"?([^,}\"]+)", text)))
    disks = {path: disk("40GiB") for path in named}
    for path, each in disks.items():
        text = re.sub(rf"{path}(?:-part|p)?(?=\d)", f"{each.node}p", text).replace(path, each.node)
    kept = [line for line in text.splitlines() if not any(each in line for each in UNKNOWN)]
    play = tmp_path / "play.yml"
    play.write_text("\n".join(kept) + "\n")
    applied_twice(play, *disks.values())
    expected = yaml.safe_load((CASES / f"{name}.yml").read_text())["tasks"]
    sizes = [each["aligned-partition"] for each in expected if "aligned-partition" in each]
    for path, each in disks.items():
        found = {int(part["node"].rpartition("p")[2]): part for part in partitions(each)}
        for declared in (part for part in sizes if part["device"] == path):
            assert found[declared["number"]]["name"].removesuffix(".unfinished") == declared["name"]
            if unit := re.fullmatch(r"(\d+)([MG])iB", declared.get("size", "")):
                assert found[declared["number"]]["size"] == int(unit[1]) * {"M": 1, "G": 1024}[unit[2]] * MIB


PAGE = ROOT / "docs/how-to/from-disko.md"


def test_the_commands_of_the_page_take_a_disk_over(disk: MakeDisk, tmp_path: Path) -> None:
    vda, page = disk("256MiB"), PAGE.read_text()
    (configuration,) = re.findall(r"```nix\n({\n  disko\.devices.*?)```", page, re.DOTALL)
    (shown,) = re.findall(r"```yaml\n(- name: \"The disks.*?)```", page, re.DOTALL)
    (tmp_path / "disk-config.nix").write_text(configuration)
    commands = re.findall(r"^    (subfloor (?:import|adopt|check) .*(?:nix|yml|vdb).*)$", page, re.MULTILINE)
    assert [each.split()[1] for each in commands] == ["import", "adopt", "check"]
    done = _told(commands[0], tmp_path)
    play = tmp_path / "machine.yml"
    assert done.returncode == 0 and play.read_text().partition("- name")[2] == shown.partition("- name")[2]
    play.write_text(play.read_text().replace("/dev/vdb1", vda.partition(1)).replace("/dev/vdb", vda.node))
    run("sh", "-euc", LIKE_DISKO.format(disk=vda.node))
    adopted = _told(commands[1].replace("/dev/vdb", vda.node), tmp_path)
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    checked = _told(commands[2], tmp_path)
    assert checked.returncode == 2 and "Mount " in checked.stdout, checked.stdout
    assert [each["name"] for each in partitions(vda)] == ["disk-data-photos", "disk-data-rest"]


LIKE_DISKO = """
sgdisk --clear {disk}
sgdisk --align-end --new=1:0:+64M --change-name=1:disk-data-photos --typecode=1:8300 {disk}
sgdisk --align-end --new=2:0:-0 --change-name=2:disk-data-rest --typecode=2:8300 {disk}
partx --update {disk}
mkfs.ext4 -q {disk}p1
"""


def _told(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the page there."""
    script = command.replace("subfloor ", f"{sys.executable} -m subfloor ", 1)
    return subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd=folder
    )


BACK = """
{{ disko.devices.disk.data = {{
  device = "{disk}";
  content = {{ type = "gpt"; partitions.photos = {{
{partition}
  }}; }};
}}; }}
"""


@pytest.mark.campaign
def test_the_way_back_describes_the_same_disk(disk: MakeDisk, tmp_path: Path) -> None:
    """The partition of the page, made by a playbook; what the page gives to disko is what is there."""
    vda, page = disk("256MiB"), PAGE.read_text()
    (tasks,) = re.findall(r"^(    - aligned-partition.*name: photos.*\n    - mkfs.*\n)", page, re.MULTILINE)
    (inside,) = re.findall(r"```nix\npartitions.photos = {\n(.*?)\n};\n```", page, re.DOTALL)
    tasks = tasks.replace("/dev/vdb1", vda.partition(1)).replace("/dev/vdb", vda.node)
    mine, theirs = tmp_path / "mine.yml", tmp_path / "theirs.yml"
    head = f"- hosts: localhost\n  seed: {tmp_path}\n  tasks:\n    - gpt-label: {{device: {vda.node}}}\n"
    mine.write_text(head + tasks)
    assert subfloor("apply", mine).returncode == 0
    (tmp_path / "back.nix").write_text(BACK.format(disk=vda.node, partition=inside))
    text = imported(tmp_path / "back.nix", tmp_path)
    theirs.write_text("\n".join(line for line in text.splitlines() if "mount:" not in line))
    compared = subfloor("adopt", theirs)
    assert compared.returncode == 3 and f"--stamp {vda.node}" in compared.stderr, compared.stdout + compared.stderr
