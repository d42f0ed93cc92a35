"""What a shell completes; nothing goes wrong in a command line that is being typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from subfloor.cli import cli, completing

PLAYBOOK = """\
- hosts: all
  seed: x
  tasks:
    - {name: Erase the disk, wipefs: {device: "{{ disk }}"}, tags: [erase, first]}
    - {name: Another, wipefs: {device: /dev/vdb}, tags: [second], when: false}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    (tmp_path / "hosts.ini").write_text("[web]\nweb1\nweb2\n")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/part.yml").write_text("[]")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/site.yml").write_text("[]")
    return tmp_path


def completed(*words: str) -> list[str]:
    *before, incomplete = words
    shell = ShellComplete(cli, {}, "subfloor", "_SUBFLOOR_COMPLETE")
    return [str(item.value) for item in shell.get_completions(list(before), incomplete)]


def test_words_of_a_command_line(here: Path) -> None:
    assert completed("ch") == ["check"]
    assert completed("check", "") == ["play.yml", "other/site.yml"]
    assert completed("check", "pl") == ["play.yml"]
    assert completed("check", "play.yml", "-t", "") == ["erase", "first", "second"]
    assert completed("check", "play.yml", "-t", "erase,f") == ["erase,first"]
    assert completed("check", "play.yml", "-i", "hosts.ini", "-l", "web") == ["web1", "web2", "web"]
    assert completed("apply", "play.yml", "-e", "disk=/dev/vda", "--start-at-task", "E") == ["Erase the disk"]
    assert completed("tasks", "mk") == ["mkfs"]
    assert completed("new", "t") == ["task"]


def test_unreadable_files_complete_to_nothing(here: Path) -> None:
    assert completed("check", "gone.yml", "-t", "") == []
    assert completed("apply", "play.yml", "--start-at-task", "E") == []
    assert completed("check", "play.yml", "-i", "gone", "-l", "") == []


def test_disks_with_size_and_model(tmp_path: Path) -> None:
    block, by_id = tmp_path / "block", tmp_path / "by-id"
    by_id.mkdir()
    for name in ("sda", "sda1", "vdb", "loop0"):
        (block / name / "device").mkdir(parents=True)
        (block / name / "size").write_text("62914560\n")
        (tmp_path / name).touch()
    (block / "sda1/partition").write_text("1\n")
    (block / "sda/device/vendor").write_text("ACME    \n")
    (block / "sda/device/model").write_text("Disk  3000 \n")
    (by_id / "ata-ACME_1").symlink_to(tmp_path / "sda")
    (by_id / "ata-ACME_1-part1").symlink_to(tmp_path / "sda1")
    assert [(item.value, item.help) for item in completing.disks_below(by_id, block)] == [
        (f"{by_id}/ata-ACME_1", "30.0 GiB ACME Disk 3000 sda"),
        ("/dev/vdb", "30.0 GiB vdb"),
    ]


def test_a_disk_as_the_value_of_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    item = click.shell_completion.CompletionItem("/dev/vda", help="30 GiB")
    monkeypatch.setattr(completing, "disks_below", lambda *_: iter([item]))
    assert completed("check", "play.yml", "-e", "disk=/d") == ["disk=/dev/vda"]
    assert completed("apply", "play.yml", "--destroy", "/d") == ["/dev/vda"]


@pytest.mark.parametrize("shell", completing.SHELLS)
def test_scripts(shell: str) -> None:
    result: Any = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0 and "_SUBFLOOR_COMPLETE" in result.stdout
