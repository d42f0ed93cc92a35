"""Consent on the command line: for one device of one host, and only where data is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli_workspace import Workspace, erase


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def test_data_is_lost_only_where_its_device_was_named(workspace: Workspace) -> None:
    workspace.play(erase("one"))
    workspace.note("one").write_text("precious")
    for options in ((), ("--yes",)):
        result = workspace.run("apply", *options)
        assert result.exit_code == 5
        assert "/dev/toy (1.0 GiB Toy serial 7): 'precious'" in result.stdout
        assert "--destroy /dev/toy" in result.stdout
        assert workspace.note("one").exists()
    assert workspace.run("apply", "--destroy", "/dev/toy").exit_code == 0
    assert not workspace.note("one").exists()


@pytest.mark.parametrize("command", ["check", "apply"])
@pytest.mark.parametrize(("device", "said"), [("/dev/tyo", "did you mean /dev/toy?"), ("/dev/nope-at-all", "lsblk")])
def test_consent_for_no_device_is_refused(workspace: Workspace, command: str, device: str, said: str) -> None:
    workspace.play(erase("one"))
    workspace.note("one").write_text("precious")
    result = workspace.run(command, "--destroy", device)
    assert result.exit_code == 3
    assert f"--destroy {device}: there is no such device" in result.stdout and said in result.stdout
    assert workspace.note("one").read_text() == "precious"


def test_consent_that_no_step_needs_is_reported(workspace: Workspace) -> None:
    device = next(str(Path("/dev") / each.name) for each in Path("/sys/class/block").iterdir())
    workspace.play(erase("one"))
    workspace.note("one").write_text("precious")
    result = workspace.run("check", "--destroy", "/dev/toy", "--destroy", device)
    assert f"consent not needed: --destroy {device}" in result.stdout
    assert "--destroy /dev/toy" not in result.stdout
    found = workspace.document("check", "--destroy", "/dev/toy", "--destroy", device)
    assert found["hosts"]["localhost"]["unused_consent"] == [device]


HOSTS = {"all": {"hosts": {name: {"subfloor_connection": "local"} for name in ("one", "two")}}}


def test_consent_is_for_one_host(workspace: Workspace) -> None:
    """The disks of two hosts are both /dev/nvme0n1, and only one of them may be lost."""
    (workspace.path / "hosts.yml").write_text(json.dumps(HOSTS))
    hosts = ("-i", str(workspace.path / "hosts.yml"))
    workspace.play(erase("one"))
    workspace.note("one").write_text("precious")
    for word, said in (
        ("/dev/toy", "write one:/dev/toy or two:/dev/toy"),
        ("three:/dev/toy", "this run has no host three"),
        ("tow:/dev/toy", "did you mean two:/dev/toy?"),
    ):
        refused = workspace.run("apply", *hosts, "--destroy", word)
        assert refused.exit_code == 64 and said in refused.stderr, refused.stderr
    found = workspace.document("apply", *hosts, "--destroy", "two:/dev/toy")["hosts"]
    assert [found[host]["outcome"] for host in ("one", "two")] == ["needs-consent", "drift"]
    assert "--destroy one:/dev/toy" in found["one"]["tasks"][0]["error"]["advice"]
    assert workspace.note("one").read_text() == "precious"
    assert workspace.run("apply", *hosts, "--destroy", "one:/dev/toy", "--destroy", "two:/dev/toy").exit_code == 0


def test_check_supposes_the_consent_that_it_is_given(workspace: Workspace) -> None:
    workspace.play(erase("one"))
    workspace.note("one").write_text("precious")
    assert workspace.run("check").exit_code == 5
    assert workspace.run("check", "--destroy", "/dev/toy").exit_code == 2
    assert workspace.note("one").exists()
