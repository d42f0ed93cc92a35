"""Drift of a real disk, made by plain tools: what check says of it, in text and JSON, and with which status."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from loop_disks import LoopDisk, MakeDisk, disk, released, run
from subfloor.report.json import SCHEMA

pytestmark = pytest.mark.root

__all__ = ["disk"]  # a fixture

MIB = 1 << 20


class Place:
    """A disk and a playbook for it: two partitions, each mounted."""

    def __init__(self, made: LoopDisk, path: Path) -> None:
        self.disk, self.path = made, path
        self.playbook = path / "play.yml"
        self.write(made.node)

    def write(self, node: str) -> None:
        tasks: list[dict[str, Any]] = [{"gpt-label": {"device": node, "disk": str(self.path)}}]
        for number, (name, size) in enumerate((("home", "64MiB"), ("data", "64MiB")), 1):
            part = f"{node}p{number}"
            tasks += [
                {"aligned-partition": {"device": node, "number": number, "name": name, "type": "linux", "size": size}},
                {"mkfs": {"device": part, "type": "ext4", "label": name}},
                {"mount": {"source": part, "path": str(self.path / name), "type": "ext4"}},
            ]
        self.playbook.write_text(json.dumps([{"hosts": "all", "seed": str(self.path), "tasks": tasks}]))

    def ran(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "subfloor", command, str(self.playbook), *options]
        return subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

    def checked(self) -> tuple[int, dict[str, Any]]:
        ran = self.ran("check", "--format", "json")
        told = json.loads(ran.stdout)
        jsonschema.validate(told, json.loads(SCHEMA.read_text()))
        assert told["status"] == ran.returncode
        host: dict[str, Any] = told["hosts"]["localhost"]
        return ran.returncode, host

    def unmount(self) -> None:
        for number, name in enumerate(("home", "data"), 1):
            with suppress(subprocess.CalledProcessError):
                run("umount", self.path / name)
                released(self.disk.partition(number))


@pytest.fixture
def place(disk: MakeDisk, tmp_path: Path) -> Iterator[Place]:
    found = Place(disk("256MiB"), tmp_path)
    yield found
    found.unmount()


def differing(host: dict[str, Any]) -> list[dict[str, Any]]:
    return [difference for task in host["tasks"] for difference in task["differences"]]


def test_a_machine_that_was_never_set_up_differs_from_one_with_drift(place: Place) -> None:
    status, host = place.checked()
    assert (status, host["applied_before"]) == (2, "never")
    assert "never applied here" in place.ran("check").stdout
    made = next(each for each in differing(host) if each["property"] == "partition table, entry 1")
    assert (made["declared"]["start"], made["declared"]["size"], made["found"]) == (MIB, 64 * MIB, None)
    assert place.ran("apply", "--yes").returncode == 0
    assert place.checked()[0] == 0
    run("sfdisk", "--no-reread", "--part-label", place.disk.node, "2", "other")
    status, host = place.checked()
    assert (status, host["applied_before"]) == (2, "fully")
    (renamed,) = differing(host)
    assert (renamed["found"], renamed["declared"], renamed["in_place"]) == ("other", "data", True)
    said = place.ran("check").stdout
    assert "applied before" in said and "name: other; declared: data" in said
    assert place.ran("apply", "--yes").returncode == 0
    assert place.checked()[0] == 0


def test_a_replaced_filesystem_needs_consent_and_an_interrupted_one_does_not(place: Place) -> None:
    assert place.ran("apply", "--yes").returncode == 0
    place.unmount()
    run("mkfs.ext4", "-q", "-F", place.disk.partition(2))
    status, host = place.checked()
    assert (status, host["outcome"], host["applied_before"]) == (5, "needs-consent", "fully")
    lost = next(task for task in host["tasks"] if task["repair"] == "destroys")
    assert lost["task"] == "mkfs" and lost["destroys"] and "--destroy" in lost["differences"][0]["advice"]
    run("wipefs", "--all", place.disk.partition(2))
    run("sfdisk", "--no-reread", "--part-label", place.disk.node, "2", "data.unfinished")
    status, host = place.checked()
    assert (status, host["applied_before"]) == (2, "partly")
    assert "applied in part" in place.ran("check").stdout


def test_an_undeclared_partition_is_reported_and_is_not_drift(place: Place) -> None:
    assert place.ran("apply", "--yes").returncode == 0
    run("sfdisk", "--append", "--no-reread", place.disk.node, stdin=b"size=16MiB, name=guest")
    run("partx", "--update", "--nr", "1:16", place.disk.node)
    run("mkfs.ext4", "-q", "-L", "photos", place.disk.partition(3))
    status, host = place.checked()
    assert (status, host["outcome"]) == (0, "in-sync")
    (found,) = host["undeclared"]
    assert (found["number"], found["name"], found["size"]) == (3, "guest", 16 * MIB)
    assert found["content"] == "ext4 labelled 'photos'"
    said = place.ran("check").stdout
    assert f"{place.disk.partition(3)} 'guest' (16 MiB, ext4 labelled 'photos'): no task declares it" in said


def test_a_missing_disk_is_the_only_reported_cause(place: Place) -> None:
    place.write("/dev/loop987")
    said = place.ran("check")
    assert said.returncode == 3 and said.stdout.count("there is no device /dev/loop987") == 1
    status, host = place.checked()
    assert (status, [task["repair"] for task in host["tasks"]]) == (3, ["person", *["blocked"] * 6])
    assert host["applied_before"] == "unknown" and len(host["tasks"][0]["blocks"]) == 6
