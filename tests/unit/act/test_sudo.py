"""A password for sudo: sent when it is asked for, and to nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli_workspace import Workspace, write
from subfloor.act.host import Host
from subfloor.act.sudo import Password
from subfloor.cli import cli
from subfloor.core.errors import CommandFailed, Unreachable
from subfloor.core.secret import Secret
from sudo_stand_in import sudo


def host(tmp_path: Path, typed: str, password: str) -> Host:
    """A host whose sudo wants ``password``; "": none."""
    given = Password(Secret(typed))
    return Host("there", given.asking((sudo(tmp_path, password), "-n")), given)


def test_sudo_gets_the_password_that_it_asks_for(tmp_path: Path) -> None:
    with host(tmp_path, "s3cr3t word", "s3cr3t word").shell() as shell:
        said = shell.run(["sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ"]).stdout
    assert said and b"s3cr3t" not in said


def test_a_wrong_password_is_sent_once(tmp_path: Path) -> None:
    with (
        pytest.raises(Unreachable, match="there: sudo does not accept the password"),
        host(tmp_path, "wrong", "s3cr3t").shell(),
    ):
        pass


def test_if_sudo_asks_nothing_the_password_does_not_become_a_command(tmp_path: Path) -> None:
    with host(tmp_path, f"touch {tmp_path}/file", "").shell() as shell:
        assert shell.run(["true"]).status == 0
    assert not (tmp_path / "file").exists()


def test_what_hangs_as_root_is_ended_as_root(tmp_path: Path) -> None:
    waits = "trap 'echo > \"$1\"; exit' TERM; while :; do sleep 0.1; done"
    with host(tmp_path, "s3cr3t", "s3cr3t").shell() as shell, pytest.raises(CommandFailed):
        shell.run(["sh", "-c", waits, "sh", str(tmp_path / "ended")], timeout=1.0)
    assert (tmp_path / "ended").exists()


def test_a_host_without_sudo_says_so() -> None:
    password = Password(Secret("x"))
    no_sudo = Host("there", ("sh", "-c", "echo sh: sudo: not found >&2; exit 127"), password)
    with (
        pytest.raises(Unreachable, match="there: the program that makes its user root is not installed"),
        no_sudo.shell(),
    ):
        pass


def test_only_sudo_is_asked_for_a_prompt() -> None:
    password = Password(Secret("x"))
    assert password.asking(("doas", "-n")) == ("doas", "-n")
    assert password.asking(()) == ()
    assert password.asking(("/usr/bin/sudo", "-n", "-H"))[-1] == "-H"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def test_a_run_asks_for_it_once_for_all_hosts(workspace: Workspace) -> None:
    workspace.play(write("{{ inventory_hostname }}"))
    there = {"subfloor_connection": "local", "subfloor_become": sudo(workspace.path, "s3cr3t")}
    inventory = workspace.path / "hosts.yml"
    inventory.write_text(json.dumps({"all": {"hosts": {"one": there, "two": there}}}))
    words = ["apply", str(workspace.path / "play.yml"), "-i", str(inventory), "--ask-become-pass", "--log"]
    result = CliRunner().invoke(cli, [*words, str(workspace.path / "log")], input="s3cr3t\n")
    assert result.exit_code == 0, result.output
    assert {workspace.note(name).read_text() for name in ("one", "two")} == {"hello"}
    assert "s3cr3t" not in result.output + (workspace.path / "log").read_text()
