"""The playbooks that come with it, imagined from a blank disk to their end, and from every place on the way."""

from __future__ import annotations

import posixpath
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import step_values
from subfloor import playbook
from subfloor.consent import Consent
from subfloor.engine import imagine, subjects
from subfloor.installed import FileSystem, SwapDevice
from subfloor.inventory import LOCALHOST
from subfloor.machine import AnySubject, Machine
from subfloor.outcome import Outcome, TaskReport
from subfloor.playbook import Entry
from subfloor.plugins import Registry
from subfloor.subjects.disk import Content, Disk
from subfloor.subjects.mount import Mount
from subfloor.subjects.path import Text, TextFile, is_below
from test_nix import evaluate

_PLAYBOOKS = Path(__file__).parent.parent / "playbooks"
_REGISTRY = Registry()
_ROOT = "nixos-tmpfs-root.yml"
_VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "tmpfs root": (_ROOT, {}),
    "tmpfs root, no swap": (_ROOT, {"swap": 0}),
    "tmpfs root, no GiB": (_ROOT, {"esp_size": "1GiB", "swap": "1GiB", "tmpfs_size": "25%", "nix_type": "btrfs"}),
    "tmpfs root elsewhere": (_ROOT, {"root": "/mnt/new system", "disk": "/dev/nvme0n1"}),
    "tmpfs root, more kept": (_ROOT, {"persist": ["/etc/nixos", "/home", "/var/lib/it's ${here}", '/a"b\\c']}),
    "ext4 root": ("ext4-root.yml", {}),
    "data disk": ("data-disk.yml", {}),
}


def entries(variant: str) -> tuple[tuple[Entry, ...], str]:
    """The entries of a playbook, and the disk that it is about."""
    name, given = _VARIANTS[variant]
    given = {"disk": "/dev/vda"} | given
    plays = playbook.load(_PLAYBOOKS / name, _REGISTRY)
    return tuple(entry for play in plays for entry in play.entries(LOCALHOST, given)), str(given["disk"])


def blank(play: tuple[Entry, ...], disk: str) -> Machine:
    return step_values.machine({f"disk {disk}": {"size": "30GiB"}}, subjects(play))


def on_the_way(machine: Machine, reports: tuple[TaskReport, ...]) -> Iterator[Machine]:
    yield machine
    for report in reports:
        for taken in report.steps:
            yield taken.step.after


def said(reports: tuple[TaskReport, ...]) -> list[str]:
    return [taken.step.says for report in reports for taken in report.steps]


def finished(variant: str) -> tuple[tuple[Entry, ...], Machine]:
    play, disk = entries(variant)
    start = blank(play, disk)
    return play, list(on_the_way(start, imagine(play, start, Consent())))[-1]


@pytest.mark.parametrize("variant", _VARIANTS)
def test_from_every_place_on_the_way_it_goes_on(variant: str) -> None:
    play, disk = entries(variant)
    start = blank(play, disk)
    reports = imagine(play, start, Consent())
    assert {report.error for report in reports} == {None}
    steps = said(reports)
    for done, machine in enumerate(on_the_way(start, reports)):
        again = imagine(play, machine, Consent())
        assert {report.error for report in again} == {None}
        assert said(again) == steps[done:]


@pytest.mark.parametrize("variant", _VARIANTS)
def test_after_a_reboot_only_mounts_are_missing(variant: str) -> None:
    """What is on the disk is there still, and cannot be seen before it is mounted."""
    play, finish = finished(variant)
    disks: dict[AnySubject, Any] = {
        subject: _rebooted(state) for subject, state in finish.items() if isinstance(subject, Disk)
    }
    machine = step_values.machine({}, finish.keys()).updated(disks)
    reports = imagine(play, machine, Consent())
    assert {report.outcome for report in reports} <= {
        *(Outcome.OK, Outcome.WOULD_CHANGE, Outcome.NOT_VISIBLE, Outcome.SKIPPED)
    }
    verbs = {words.split()[0] for words in said(reports)}
    assert verbs <= {"Mount", "Bind", "Activate", "Set"}
    written = [report for report in reports if report.task == "nixos-config"]
    assert all(report.outcome is Outcome.NOT_VISIBLE for report in written)


def _rebooted(state: Any) -> Any:
    """The disk as it is seen when nothing uses it yet, and nobody remembers that it was made just now."""
    volumes = tuple(replace(volume, in_use=False, users=(), content=_seen(volume.content)) for volume in state.volumes)
    return replace(state, in_use=False, users=(), volumes=volumes)


def _seen(content: Any) -> Any:
    return replace(content, fresh=False) if isinstance(content, Content) else content


@pytest.mark.parametrize("variant", [name for name, (file, _) in _VARIANTS.items() if file == _ROOT])
def test_the_configuration_mounts_what_is_mounted(variant: str, tmp_path: Path) -> None:
    play, finish = finished(variant)
    root = _VARIANTS[variant][1].get("root", "/mnt")
    text = {subject.path: state.content for subject, state in finish.items() if isinstance(subject, TextFile)}
    found = evaluate(f"({text[f'{root}/etc/nixos/filesystems.nix'].decode()}) {{ }}", tmp_path)
    mounted = {
        posixpath.join("/", subject.path.removeprefix(root)): state.top.type
        for subject, state in finish.items()
        if isinstance(subject, Mount) and (subject.path == root or is_below(subject.path, root))
    }
    binds = {path for path, about in found["fileSystems"].items() if "bind" in about.get("options", ())}
    assert found["fileSystems"].keys() == mounted.keys()
    for path, about in found["fileSystems"].items():
        if path in binds:
            assert (about["device"], about["depends"]) == (f"/nix/persist{path}", ["/nix"])
        else:
            assert about["fsType"] == mounted[path]
    assert found["fileSystems"]["/nix"]["neededForBoot"] is True
    assert found["fileSystems"]["/"]["device"] == "tmpfs"
    swaps = [each for entry in play if entry.task for each in entry.task.contributes() if isinstance(each, SwapDevice)]
    assert [each["device"] for each in found["swapDevices"]] == [each.device for each in swaps]


def test_every_configuration_parses(tmp_path: Path) -> None:
    _, finish = finished("tmpfs root, more kept")
    files = [state.content for state in finish.values() if isinstance(state, Text)]
    assert len(files) == 2
    for number, content in enumerate(files):
        path = tmp_path / f"{number}.nix"
        path.write_bytes(content)
        subprocess.run(["nix-instantiate", "--parse", str(path)], check=True, capture_output=True)


def test_what_is_mounted_by_a_label_is_what_the_play_labels() -> None:
    play, _ = finished("tmpfs root")
    contributed = [each for entry in play if entry.task for each in entry.task.contributes()]
    devices = [each.device for each in contributed if not (isinstance(each, FileSystem) and each.bind)]
    assert sorted(devices) == [
        "/dev/disk/by-label/boot",
        "/dev/disk/by-label/nixos",
        "/dev/disk/by-label/swap",
        "tmpfs",
    ]
