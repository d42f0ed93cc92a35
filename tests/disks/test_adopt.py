"""`subfloor adopt` on real disks: a layout of other tools becomes ours, and no byte of its content changes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import jsonschema
import pytest

from loop_disks import LoopDisk, MakeDisk, Mounter, disk, mounted, run, said
from places import ROOT

pytestmark = pytest.mark.root

__all__ = ["disk", "mounted"]  # fixtures

PLAYBOOK = """
- hosts: all
  seed: {seed}
  tasks:
    - gpt-label: {{device: {disk}, existing: {existing}}}
{tasks}
"""


def subfloor(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    argv, env = [sys.executable, "-m", "subfloor", *map(str, arguments)], {**os.environ, **environment}
    return subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=env)


def hashes(vda: LoopDisk) -> dict[str, str]:
    """What every partition holds, and the first sector, where boot code is."""
    table = json.loads(said("sfdisk", "--json", vda.node))["partitiontable"]
    places = {each["node"]: (each["start"] * 512, each["size"] * 512) for each in table["partitions"]}
    run("sync", vda.node)
    with vda.image.open("rb") as file:
        return {name: _hash(file, *place) for name, place in {**places, "boot code": (0, 512)}.items()}


def _hash(file: BinaryIO, start: int, size: int) -> str:
    file.seek(start)
    return hashlib.sha256(file.read(size)).hexdigest()


def by_the_manual(vda: LoopDisk) -> None:
    """What the manual of NixOS does, without its sizes."""
    run("parted", "-s", vda.node, "--", "mklabel", "gpt")
    run("parted", "-s", vda.node, "--", "mkpart", "root", "ext4", "129MiB", "-65MiB")
    run("parted", "-s", vda.node, "--", "mkpart", "swap", "linux-swap", "-65MiB", "-1MiB")
    run("parted", "-s", vda.node, "--", "mkpart", "ESP", "fat32", "1MiB", "129MiB")
    run("parted", "-s", vda.node, "--", "set", "3", "esp", "on")
    run("partx", "--update", vda.node)
    run("mkfs.ext4", "-q", "-L", "nixos", vda.partition(1))
    run("mkswap", "-q", "-L", "swap", vda.partition(2))
    run("mkfs.fat", "-F", "32", "-n", "boot", vda.partition(3))


def manual_playbook(vda: LoopDisk, folder: Path, root: str = "nixos", existing: str = "replace") -> Path:
    tasks = f"""
    - aligned-partition: {{device: {vda.node}, number: 1, name: root, type: linux, start: 129MiB, end: -65MiB}}
    - mkfs: {{device: {vda.partition(1)}, type: ext4, label: {root}}}
    - aligned-partition: {{device: {vda.node}, number: 2, name: swap, type: swap, size: 64MiB}}
    - mkfs: {{device: {vda.partition(2)}, type: swap, label: swap}}
    - aligned-partition: {{device: {vda.node}, number: 3, name: ESP, type: esp, start: 1MiB, size: 128MiB}}
    - mkfs: {{device: {vda.partition(3)}, type: vfat, label: boot}}
"""
    path = folder / "play.yml"
    path.write_text(PLAYBOOK.format(seed=folder, disk=vda.node, existing=existing, tasks=tasks))
    return path


def in_sync(play: Path, command: str = "check") -> None:
    """Nothing is left to do."""
    again = subfloor(command, play)
    assert again.returncode == 0 and "in sync" in again.stdout, again.stdout + again.stderr


def test_a_layout_by_the_manual_is_taken_over_and_its_content_stays(disk: MakeDisk, tmp_path: Path) -> None:
    vda = disk()
    by_the_manual(vda)
    play, before, whole = manual_playbook(vda, tmp_path), hashes(vda), vda.digest()
    asked = subfloor("adopt", play)
    assert asked.returncode == 3 and f"--stamp {vda.node}" in asked.stderr and vda.digest() == whole
    assert f"{vda.partition(1)}: 'root' ext4 labelled 'nixos'" in " ".join(asked.stdout.split())
    adopted = subfloor("adopt", play, "--stamp", vda.node)
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    assert hashes(vda) == before and vda.digest() != whole
    assert "No errors detected" in said("sfdisk", "--verify", vda.node)
    for command in ("check", "apply", "adopt"):
        in_sync(play, command)
    run("mkfs.ext4", "-q", "-F", "-L", "nixos", vda.partition(1))  # the same type and label, but another filesystem
    replaced = subfloor("check", play)
    assert replaced.returncode == 5 and f"destroy what is on {vda.partition(1)}" in " ".join(replaced.stdout.split())


def test_a_layout_in_use_is_taken_over(disk: MakeDisk, mounted: Mounter, tmp_path: Path) -> None:
    vda = disk()
    by_the_manual(vda)
    play, at = manual_playbook(vda, tmp_path), mounted(vda.partition(1))
    (at / "mine").write_text("kept")
    before = hashes(vda)
    adopted = subfloor("adopt", play, "--stamp", vda.node, "--format", "json")
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    told = json.loads(adopted.stdout)
    jsonschema.validate(told, json.loads((ROOT / "src/subfloor/report/report.schema.json").read_text()))
    assert (told["command"], told["outcome"]) == ("adopt", "applied")
    run("umount", at)
    after = hashes(vda)
    assert {name for name in before if before[name] != after[name]} <= {vda.partition(1)}
    run("mount", vda.partition(1), at)
    assert (at / "mine").read_text() == "kept"
    in_sync(play)


def test_another_layout_is_reported_and_nothing_is_written(disk: MakeDisk, tmp_path: Path) -> None:
    vda = disk()
    by_the_manual(vda)
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--part-label", vda.node, "2", "other")
    before, play = vda.digest(), manual_playbook(vda, tmp_path, root="root")
    told = subfloor("adopt", play, "--stamp", vda.node)
    said_so = " ".join(told.stdout.split())
    assert told.returncode == 3 and vda.digest() == before, told.stdout
    assert f"mkfs would label {vda.partition(1)} 'root'" in said_so
    assert "would set the name from 'other' to 'swap'" in said_so


def test_an_interrupted_adoption_is_continued(disk: MakeDisk, tmp_path: Path) -> None:
    vda, tools = disk(), tmp_path / "bin"
    by_the_manual(vda)
    play, before = manual_playbook(vda, tmp_path), hashes(vda)
    tools.mkdir()
    real = said("which", "sfdisk")
    (tools / "sfdisk").write_text(f'#!/bin/sh\ncase "$*" in *{vda.node}" "3*) exit 9;; esac\nexec {real} "$@"\n')
    (tools / "sfdisk").chmod(0o755)
    failed = subfloor("adopt", play, "--stamp", vda.node, PATH=f"{tools}:{os.environ['PATH']}")
    assert failed.returncode == 1 and "resume with: subfloor adopt" in " ".join(failed.stdout.split()), failed.stdout
    assert "--stamp" not in failed.stdout.rpartition("resume with")[2]
    assert subfloor("adopt", play, "--stamp", vda.node).returncode == 0 and hashes(vda) == before
    in_sync(play)


def test_an_adoption_that_a_power_cut_tore_is_continued(disk: MakeDisk, tmp_path: Path) -> None:
    """sfdisk writes the second copy of the table first: after a power cut in between, both are sound and differ."""
    vda = disk()
    by_the_manual(vda)
    play, before = manual_playbook(vda, tmp_path), hashes(vda)
    first_copy = run("dd", f"if={vda.node}", "bs=512", "count=34").stdout
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--part-uuid", vda.node, "1", str(uuid4()))
    run("dd", f"of={vda.node}", "bs=512", "conv=notrunc,fsync", stdin=first_copy)
    torn = subfloor("adopt", play, "--stamp", vda.node)
    assert torn.returncode == 0 and "the two tables differ" in torn.stdout, torn.stdout + torn.stderr
    assert hashes(vda) == before and "No errors detected" in said("sfdisk", "--verify", vda.node)
    in_sync(play)


SYSTEMS = {
    "windows": (
        ("EFI system partition", "esp", "fat32", "100MiB", ("mkfs.fat", "-F", "32", "-n", "SYSTEM")),
        ("Microsoft reserved partition", "msftres", "", "16MiB", ()),
        ("Basic data partition", "msftdata", "ntfs", "200MiB", ()),
    ),
    "ubuntu": (
        ("EFI System Partition", "esp", "fat32", "100MiB", ("mkfs.fat", "-F", "32", "-n", "SYSTEM")),
        ("''", "", "ext4", "216MiB", ("mkfs.ext4", "-q", "-L", "ubuntu")),
    ),
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_partitions_beside_another_system_are_taken_over_alone(disk: MakeDisk, tmp_path: Path, system: str) -> None:
    vda, start = disk(), 1
    run("parted", "-s", vda.node, "--", "mklabel", "gpt")
    for number, (name, flag, kind, size, mkfs) in enumerate(SYSTEMS[system], 1):
        end = start + int(size.removesuffix("MiB"))
        run(
            "parted", "-s", vda.node, "--", "mkpart", f'"{name}"', *([kind] if kind else []), f"{start}MiB", f"{end}MiB"
        )
        run("parted", "-s", vda.node, "--", *(["set", number, flag, "on"] if flag else ["print"]))
        run("partx", "--update", vda.node)
        run(*(*mkfs, vda.partition(number)) if mkfs else ("true",))
        start = end
    mine = len(SYSTEMS[system]) + 1
    run("parted", "-s", vda.node, "--", "mkpart", "data", "ext4", f"{start}MiB", f"{start + 128}MiB")
    run("partx", "--update", vda.node)
    run("mkfs.ext4", "-q", "-L", "data", vda.partition(mine))
    play = tmp_path / "play.yml"
    tasks = f"""
    - aligned-partition: {{device: {vda.node}, number: {mine}, name: data, type: linux, size: 128MiB}}
    - mkfs: {{device: {vda.partition(mine)}, type: ext4, label: data}}
"""
    whole = PLAYBOOK.format(seed=tmp_path, disk=vda.node, existing="replace", tasks=tasks)
    play.write_text(whole)
    refused = subfloor("adopt", play, "--stamp", vda.node)
    assert refused.returncode == 3 and "existing: keep" in refused.stdout, refused.stdout
    play.write_text(whole.replace("replace", "keep"))
    before, table = hashes(vda), json.loads(said("sfdisk", "--json", vda.node))["partitiontable"]
    adopted = subfloor("adopt", play, "--stamp", vda.node)
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    after = json.loads(said("sfdisk", "--json", vda.node))["partitiontable"]
    assert after["id"] == table["id"] and after["partitions"][:-1] == table["partitions"][:-1]
    assert after["partitions"][-1]["uuid"] != table["partitions"][-1]["uuid"] and hashes(vda) == before
    in_sync(play)


def drafted(folder: Path, *arguments: str | Path) -> Path:
    """The playbook that `draft` writes."""
    told = subfloor("draft", *arguments)
    assert told.returncode == 0, told.stderr
    path = folder / "drafted.yml"
    path.write_text(told.stdout)
    return path


def test_a_draft_describes_what_is_there(disk: MakeDisk, mounted: Mounter, tmp_path: Path) -> None:
    vda = disk()
    by_the_manual(vda)
    written = vda.digest()
    drafted(tmp_path, vda.node)
    assert vda.digest() == written
    at, before = mounted(vda.partition(1)), hashes(vda)
    play = drafted(tmp_path, vda.node)
    assert f"mount: {{source: {vda.partition(1)}, path: {at}, type: ext4" in play.read_text()
    adopted = subfloor("adopt", play, "--stamp", vda.node)
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    in_sync(play)
    run("umount", at)
    after = hashes(vda)
    assert {name for name in before if before[name] != after[name]} <= {vda.partition(1)}
    assert subfloor("check", play).returncode == 2


def test_a_draft_leaves_another_system_as_it_is(disk: MakeDisk, tmp_path: Path) -> None:
    vda = disk()
    vda.sfdisk(
        "label: gpt\n"
        'size=100MiB, type=U, name="EFI system partition"\n'
        "size=16MiB, type=E3C9E316-0B5C-4DB8-817D-F92DF00215AE\n"
        'size=64MiB, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, name="Basic data partition"\n'
        "start=400003, size=100001, type=L, name=odd, attrs=GUID:60\n"
        "size=64MiB, type=L\n"
        "size=64MiB, type=ca7d7ccb-63ed-4c53-861c-1742536059cc, name=locked\n"
    )
    run("mkfs.ext4", "-q", "-L", "{{ odd }}", vda.partition(4))
    run(
        "cryptsetup",
        "luksFormat",
        "-q",
        "--pbkdf-force-iterations=4",
        "--pbkdf-memory=32",
        vda.partition(6),
        stdin=b"x",
    )
    play, before = drafted(tmp_path, vda.node), hashes(vda)
    text = " ".join(play.read_text().split())
    for words in ("existing: keep", "byte 204801536, which is not aligned", "holds a LUKS container", "has no name"):
        assert words in text, text
    assert text.count("another system") == 3 and "attributes: [read-only]" in text
    adopted = subfloor("adopt", play, "--stamp", vda.node)
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    assert hashes(vda) == before
    in_sync(play)


@pytest.mark.parametrize("name", ["data-disk", pytest.param("ext4-root", marks=pytest.mark.campaign)])
def test_a_draft_of_what_a_playbook_made(disk: MakeDisk, tmp_path: Path, name: str) -> None:
    vda, root = disk("1GiB"), tmp_path / "root"
    root.mkdir()
    kinds = {"ext4": "64MiB", "xfs": "400MiB", "btrfs": "200MiB"}
    volumes = [
        {"name": kind, "label": kind, "type": kind, "size": size, "path": f"{root}/{kind}"}
        for kind, size in kinds.items()
    ]
    given = {"disk": vda.node, "seed": str(tmp_path), "volumes": volumes}
    if name == "ext4-root":
        given = {"disk": vda.node, "seed": str(tmp_path), "swap": "64MiB", "esp_size": "100MiB", "root": str(root)}
    without = ("--skip-tags", "mount,swap") if name == "ext4-root" else ()
    made = subfloor("apply", ROOT / "playbooks" / f"{name}.yml", "-e", json.dumps(given), *without, "--yes")
    try:
        assert made.returncode == 0, made.stdout + made.stderr
        before, how = hashes(vda), (("--root", root) if name == "data-disk" else (vda.node,))
        play = drafted(tmp_path, *how)
        adopted = subfloor("adopt", play, "--stamp", vda.node)
        assert adopted.returncode == 0, adopted.stdout + adopted.stderr
        in_sync(play)
        assert set(hashes(vda)) == set(before)
        if name == "ext4-root":
            assert hashes(vda) == before
    finally:
        for each in kinds:
            run("umount", root / each, check=False)
