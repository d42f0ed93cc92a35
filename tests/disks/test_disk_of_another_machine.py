"""A disk that this machine did not lay out: the same playbook on both, and each of them is `localhost`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from loop_disks import LoopDisk, MakeDisk, disk
from subfloor.cli import cli, running

pytestmark = pytest.mark.root

__all__ = ["disk"]  # a fixture


def ran(vda: LoopDisk, path: Path, command: str, *options: str) -> Result:
    tasks = [
        {"wipefs": {"device": vda.node}},
        {"gpt-label": {"device": vda.node}},
        {"aligned-partition": {"device": vda.node, "number": 1, "name": "home", "type": "linux", "size": "rest"}},
        {"mkfs": {"device": vda.partition(1), "type": "ext4", "label": "photos"}},
    ]
    (path / "play.yml").write_text(json.dumps([{"hosts": "all", "seed": str(path), "tasks": tasks}]))
    return CliRunner().invoke(cli, [command, str(path / "play.yml"), *options])


def test_a_disk_of_another_machine_is_not_in_sync_and_keeps_every_byte(
    disk: MakeDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vda = disk("128MiB")
    monkeypatch.setattr(running, "this_machine", lambda: "that one")
    assert ran(vda, tmp_path, "apply").exit_code == 0
    assert ran(vda, tmp_path, "check").exit_code == 0

    monkeypatch.setattr(running, "this_machine", lambda: "this one")
    before = vda.digest()
    for command in ("check", "apply"):
        refused = ran(vda, tmp_path, command)
        assert refused.exit_code == 5, refused.output
        assert "another machine" in refused.output and "photos" in refused.output
    assert vda.digest() == before
    accepted = ran(vda, tmp_path, "check", "-e", "subfloor_machine=any")
    assert accepted.exit_code == 0, accepted.output

    assert ran(vda, tmp_path, "apply", "--destroy", vda.node).exit_code == 0
    assert ran(vda, tmp_path, "check").exit_code == 0


def test_a_disk_of_an_earlier_version_stays_ours(
    disk: MakeDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vda = disk("128MiB")
    monkeypatch.setattr(running, "this_machine", str)
    assert ran(vda, tmp_path, "apply").exit_code == 0
    before = vda.digest()
    monkeypatch.setattr(running, "this_machine", lambda: "this one")
    for command in ("check", "apply"):
        found = ran(vda, tmp_path, command)
        assert found.exit_code == 0, found.output
    assert vda.digest() == before
