"""A host over ssh: a real sshd on loopback, a real disk, and what goes wrong on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli_workspace import Workspace
from loop_disks import MakeDisk, disk
from sshd_server import MakeSshd, Sshd, sshd
from subfloor.act.host import Host
from subfloor.act.ssh import over_ssh
from subfloor.act.sudo import Password
from subfloor.core.errors import CommandFailed, Unreachable
from subfloor.core.secret import Secret
from sudo_stand_in import sudo

pytestmark = pytest.mark.root
__all__ = ["disk", "sshd"]

PLAY = """
- hosts: all
  seed: far {{ disk }}
  tasks:
    - wipefs: {device: "{{ disk }}"}
    - gpt-label: {device: "{{ disk }}"}
    - aligned-partition: {device: "{{ disk }}", number: 1, type: linux, name: data, size: rest}
    - mkfs: {device: "{{ disk | partition(1) }}", type: ext4, label: data}
"""


def way(at: Sshd, user: str = "root", address: str = "127.0.0.1", port: int = 0) -> Host:
    return Host("far", over_ssh(address, at.arguments, user=user, port=port or at.port))


def refusal(host: Host) -> str:
    """What is said of a host that cannot be reached."""
    with pytest.raises(Unreachable) as caught, host.shell():
        pass
    return f"{caught.value.what}\n→ {caught.value.advice}"


def test_a_disk_is_laid_out_over_one_connection(tmp_path: Path, disk: MakeDisk, sshd: MakeSshd) -> None:
    at, loop = sshd(), disk()
    words = ("-i", str(at.inventory()), "-e", f"disk={loop.node}")
    workspace = Workspace(tmp_path)
    (tmp_path / "play.yml").write_text(PLAY)
    assert workspace.run("apply", "--yes", *words).exit_code == 0
    assert at.logins == 1
    result = workspace.run("check", *words)
    assert (result.exit_code, at.logins) == (0, 2), result.output
    assert "far: in sync (4 ok)" in result.output


def test_a_command_that_hangs_is_ended_over_the_same_connection(tmp_path: Path, sshd: MakeSshd) -> None:
    at = sshd()
    waits = "trap 'echo > \"$1\"; exit' TERM; while :; do sleep 0.1; done"
    with way(at).shell() as shell, pytest.raises(CommandFailed, match="did not end within 2 s"):
        shell.run(["sh", "-c", waits, "sh", str(tmp_path / "ended")], timeout=2.0)
    assert (tmp_path / "ended").exists()
    assert at.logins == 1


def test_an_own_connection_of_the_user_is_used(tmp_path: Path, sshd: MakeSshd) -> None:
    at = sshd()
    with (tmp_path / "ssh_config").open("a") as file:
        file.write(f"ControlMaster auto\nControlPath {tmp_path}/own\n")
    with way(at).shell() as shell:
        assert (tmp_path / "own").exists()
        assert shell.run(["true"]).status == 0


@pytest.mark.parametrize("key", ["", "another"])
def test_a_host_key_that_is_not_known_is_not_accepted(sshd: MakeSshd, key: str) -> None:
    at = sshd()
    other = f"[127.0.0.1]:{at.port} {(at.place / 'key.pub').read_text()}"
    at.known_hosts.write_text(other if key else "")
    said = refusal(way(at))
    if key:
        assert "far: its host key is not the one that ssh knows" in said
        assert "`ssh-keygen -R " in said
    else:
        assert "far: ssh does not know its host key" in said
        assert "compare the fingerprint" in said


def test_a_key_that_is_refused(sshd: MakeSshd) -> None:
    at = sshd()
    (at.place / "authorized_keys").write_text("")
    said = refusal(way(at))
    assert "far: the host refuses the login" in said
    assert "`subfloor_ssh_private_key_file`" in said


def test_a_user_without_a_shell(sshd: MakeSshd) -> None:
    said = refusal(way(sshd(), user="nobody"))
    assert "far: its login shell runs no commands" in said
    assert "usermod -s /bin/sh" in said


def test_a_login_that_waits_for_something(sshd: MakeSshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subfloor.act.host._ANSWER", 10.0)
    said = refusal(way(sshd("ForceCommand echo Press a key; exec sleep 600")))
    assert "far: its shell gave no answer within 10 s (Press a key)" in said
    assert "~/.profile" in said


def test_a_host_that_is_not_there(sshd: MakeSshd) -> None:
    at = sshd()
    assert "far: no ssh server answers on this port" in refusal(way(at, port=1))
    assert "far: the host's name does not resolve to an address" in refusal(way(at, address="nowhere.invalid"))


def test_sudo_asks_for_its_password_over_ssh(tmp_path: Path, sshd: MakeSshd) -> None:
    given = Password(Secret("s3cr3t"))
    far = Host("far", (*way(sshd()).prefix, *given.asking((sudo(tmp_path, "s3cr3t"),))), given)
    with far.shell() as shell:
        assert shell.run(["echo", "hello"]).stdout == b"hello\n"


@pytest.mark.parametrize("banner", ["Banner {place}/banner", "PrintMotd yes"])
def test_a_banner_is_no_answer(sshd: MakeSshd, tmp_path: Path, banner: str) -> None:
    (tmp_path / "banner").write_text("Welcome\n" * 50)
    with way(sshd(banner.format(place=tmp_path))).shell() as shell:
        assert shell.run(["echo", "hello"]).stdout == b"hello\n"
