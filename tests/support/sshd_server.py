"""An sshd of the test's own on loopback, with its own keys, port and configuration. Needs root.

`sshd` is a fixture: import it to use it.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

START_WITHIN = 60.0
"""Seconds."""


@dataclass(frozen=True)
class Sshd:
    """A running sshd, and the ssh_config(5) of a client that knows it and may log in. ``pid``: what listens."""

    place: Path
    port: int
    pid: int = 0

    @property
    def arguments(self) -> tuple[str, ...]:
        """What ssh is given to read the configuration of the client."""
        return ("-F", str(self.place / "ssh_config"))

    @property
    def known_hosts(self) -> Path:
        """The host keys that the client knows."""
        return self.place / "known_hosts"

    @property
    def logins(self) -> int:
        """How many times somebody has logged in."""
        return (self.place / "log").read_text().count("Accepted publickey")

    def inventory(self, **variables: str) -> Path:
        """An inventory with the host `far`, in Ansible's words."""
        path = self.place / "hosts.yml"
        lines = {
            "ansible_host": "127.0.0.1",
            "ansible_port": str(self.port),
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.place / "key"),
            "ansible_ssh_common_args": f"-F {self.place}/ssh_config",
            **variables,
        }
        listed = "".join(f"      {name}: {value}\n" for name, value in lines.items())
        path.write_text(f"all:\n  hosts:\n    far:\n{listed}")
        return path


MakeSshd = Callable[..., Sshd]


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[MakeSshd]:
    """Starts an sshd with these lines in its configuration."""
    with ExitStack() as running:
        yield lambda *lines: _started(tmp_path, lines, running)


def _started(place: Path, lines: tuple[str, ...], running: ExitStack) -> Sshd:
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)], check=True)
    at = Sshd(place, _free_port())
    (place / "authorized_keys").write_text((place / "key.pub").read_text())
    at.known_hosts.write_text(f"[127.0.0.1]:{at.port} {(place / 'host_key.pub').read_text()}")
    (place / "ssh_config").write_text(
        f"UserKnownHostsFile {at.known_hosts}\nGlobalKnownHostsFile /dev/null\nStrictHostKeyChecking yes\n"
        f"IdentityFile {place}/key\nIdentitiesOnly yes\nIdentityAgent none\n"
    )
    (place / "sshd_config").write_text(
        f"Port {at.port}\nListenAddress 127.0.0.1\nHostKey {place}/host_key\nPidFile none\nUsePAM no\n"
        # A user such as nobody could not read a file in this directory.
        f"AuthorizedKeysFile none\nAuthorizedKeysCommand /bin/cat {place}/authorized_keys\n"
        "AuthorizedKeysCommandUser root\nPermitRootLogin yes\nPasswordAuthentication no\n"
        + "".join(f"{line}\n" for line in lines)
    )
    process = subprocess.Popen(
        ["/usr/sbin/sshd", "-D", "-f", str(place / "sshd_config"), "-E", str(place / "log")],
        stdin=subprocess.DEVNULL,
    )
    running.callback(process.wait)
    running.callback(process.terminate)
    _wait_for(at.port, process)
    return replace(at, pid=process.pid)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline:
        assert process.poll() is None, "sshd has ended"
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("sshd does not listen")
