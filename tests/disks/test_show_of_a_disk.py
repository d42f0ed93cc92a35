"""`subfloor show` on real disks: it says what is there, and writes nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import jsonschema
import pytest

from disks.laying_out import SMALL, on
from disks.plays import converged, interrupted
from loop_disks import MakeDisk, Mounter, disk, mounted, run
from places import ROOT

pytestmark = pytest.mark.root

__all__ = ["disk", "mounted"]  # fixtures

SCHEMA = json.loads((ROOT / "src/subfloor/report/show.schema.json").read_text())


def show(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "subfloor", "show", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_show_draws_the_disk_and_writes_nothing(disk: MakeDisk, mounted: Mounter) -> None:
    vda, blank = disk(), disk("64MiB")
    converged(on(vda, *SMALL))
    before = vda.digest(), vda.writes(), blank.digest(), blank.writes()
    assert show(vda.node, blank.node).returncode == show("--json", vda.node, blank.node).returncode == 0
    assert (vda.digest(), vda.writes(), blank.digest(), blank.writes()) == before
    at = mounted(vda.partition(3))
    said, told = show(vda.node, blank.node), json.loads(show("--json", vda.partition(3), blank.node).stdout)
    jsonschema.validate(told, SCHEMA)
    assert said.returncode == 0 and f"mounted at {at}" in said.stdout and "blank; sectors of 512" in said.stdout
    first, second = told["disks"]
    parts = [part for part in first["parts"] if part["number"]]
    assert [part["name"] for part in parts] == [name for name, *_ in SMALL]
    assert {part["owner"] for part in parts} == {"subfloor"} and all(part["aligned"] for part in parts)
    assert parts[2]["in_use"] == [f"mounted at {at}"] and "% full" in parts[2]["usage"]
    assert (second["table"], [part["use"] for part in second["parts"]]) == (None, ["free"])


def test_interrupted_work_is_shown(disk: MakeDisk) -> None:
    vda = disk()
    interrupted(on(vda, *SMALL), 3)
    said = show(vda.node)
    assert "an apply was interrupted" in said.stdout


def test_a_missing_disk_does_not_prevent_showing_others(disk: MakeDisk) -> None:
    vda = disk("64MiB")
    run("mkfs.ext4", "-q", "-L", "whole", vda.node)
    said = show("/dev/loop987", vda.node)
    assert said.returncode == 1 and "there is no device /dev/loop987" in said.stdout and "ext4" in said.stdout
    told = json.loads(show("/dev/loop987", vda.node, "--json").stdout)
    assert told["status"] == 1 and len(told["disks"]) == 1 and told["errors"][0]["kind"] == "Refused"


def test_it_shows_the_group_that_a_disk_is_a_part_of(disk: MakeDisk) -> None:
    vda, vdb = disk(), disk()
    run("vgcreate", "-qq", "--autobackup", "n", "photos", vda.node, vdb.node)
    before = vda.digest(), vda.writes()
    said, told = show(vda.node), json.loads(show("--json", vda.node).stdout)
    assert f"{vda.node}: volume group 'photos'; its other devices: {vdb.node} (" in " ".join(said.stdout.split())
    assert any(each.startswith(f"{vda.node}: volume group 'photos'") for each in told["disks"][0]["notes"])
    assert (vda.digest(), vda.writes()) == before
