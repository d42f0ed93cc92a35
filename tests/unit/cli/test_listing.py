"""Lists of a playbook's hosts, tasks and tags, and secrets from files, variables and commands; no disk is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.exceptions import UsageError
from click.testing import CliRunner

from subfloor.cli import cli
from subfloor.cli.resume import command_line
from subfloor.cli.secrets import secrets

PLAYBOOK = """\
- hosts: all
  seed: x
  tasks:
    - wipefs: {device: "{{ disk }}"}
      tags: [b, a]
    - name: Never
      wipefs: {device: /dev/vdb}
      when: disk == "/dev/vdc"
"""


def run(tmp_path: Path, *options: str, command: str = "apply") -> Any:
    (tmp_path / "p.yml").write_text(PLAYBOOK)
    return CliRunner().invoke(cli, [command, str(tmp_path / "p.yml"), *options])


@pytest.mark.parametrize("command", ["check", "apply"])
def test_lists(tmp_path: Path, command: str) -> None:
    result = run(tmp_path, "-e", "disk=/dev/vda", "--list-hosts", "--list-tasks", "--list-tags", command=command)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "1 host:",
        "  localhost",
        "localhost, 2 tasks:",
        "  wipefs /dev/vda  [a, b]",
        '  Never  (skipped: when: disk == "/dev/vdc")',
        "2 tags: a, b",
    ]


def test_a_syntax_check(tmp_path: Path) -> None:
    result = run(tmp_path, "-e", "disk=/dev/vda", "--syntax-check")
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path}/p.yml: no errors; 2 tasks on 1 host\n")
    result = run(tmp_path, "--syntax-check")
    assert result.exit_code == 64
    assert "`disk` is undefined" in result.stderr


def test_a_list_takes_any_secret_as_given(tmp_path: Path) -> None:
    """Also the hash of a password that is not asked for."""
    (tmp_path / "p.yml").write_text('- hosts: all\n  tasks: [{password-file: {user: root, hash: "{{ x }}"}}]\n')
    for options in (["--ask-password", "x"], ["--secret", "x=command:false"]):
        result = CliRunner().invoke(cli, ["check", str(tmp_path / "p.yml"), *options, "--syntax-check"])
        assert result.exit_code == 0, result.stderr


def test_a_list_asks_for_no_secret_and_reads_none(tmp_path: Path) -> None:
    result = run(
        tmp_path, "-e", "disk=/dev/vda", "--ask-passphrase", "disk2", "--secret", "x=command:false", "--list-tags"
    )
    assert result.exit_code == 64  # nothing reads them
    assert "the variable `disk2`" in result.stderr and "the variable `x`" in result.stderr


def test_sources_of_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("from a file\n")
    monkeypatch.setenv("DISK_KEY", "from a variable")
    found = secrets([f"a=file:{tmp_path}/key", "b=env:DISK_KEY", "c=command:echo from a: command"])
    assert {name: each.reveal() for name, each in found.items()} == {
        "a": "from a file",
        "b": "from a variable",
        "c": "from a: command",
    }


@pytest.mark.parametrize(
    ("argument", "what"),
    [
        ("a", "NAME=file:PATH"),
        ("a=vault:x", "NAME=file:PATH"),
        ("a=file:/nowhere", "/nowhere cannot be read: No such file or directory"),
        ("a=env:NO_SUCH_VARIABLE", "the environment variable NO_SUCH_VARIABLE is not set"),
        ("a=command:exit 3", "the command ended with status 3"),
        ("a=command:true", "command true is empty"),
        ("a=file:/dev/zero", "longer than 64 KiB"),
    ],
)
def test_secrets_that_cannot_be_read(argument: str, what: str) -> None:
    with pytest.raises(UsageError, match=what.replace(".", "[.]")):
        secrets([argument])


def test_a_secret_among_several_values_is_not_shown() -> None:
    for argument in ("a=1 disk_passphrase=hush", '{"a": 1, "passphrase": "hush"}', "{token: hush}"):
        assert "hush" not in command_line(["apply", "p.yml", "-e", argument])
    assert "a=1 b=2" in command_line(["apply", "p.yml", "-e", "a=1 b=2"])
    assert "disk_key=env:KEY" in command_line(["apply", "p.yml", "--secret", "disk_key=env:KEY"])
