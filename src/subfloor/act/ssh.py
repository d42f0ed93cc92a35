"""Reach a host through OpenSSH: the argv of ssh, and one connection for all that a run does on the host."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator, Sequence

_OPTIONS = (
    "LogLevel=ERROR",
    "BatchMode=yes",  # there is no terminal to type a password on
    "ConnectTimeout=15",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
)

_LONGEST = 80
"""Bytes of a socket's path: unix(7) allows 108, and ssh adds a suffix of 17 while it makes one."""


def over_ssh(
    address: str,
    arguments: Sequence[str] = (),
    *,
    user: str | None = None,
    port: int | None = None,
    key: str | None = None,
) -> tuple[str, ...]:
    """The argv that leads to a host; all other settings come from ssh_config(5). ``arguments``: options for ssh."""
    options = [word for option in _OPTIONS for word in ("-o", option)]
    to = [*(("-l", user) if user else ()), *(("-p", str(port)) if port else ()), *(("-i", key) if key else ())]
    return ("ssh", "-T", *arguments, *options, *to, "--", address)


def is_ssh(prefix: Sequence[str]) -> bool:
    """Whether a prefix leads through ssh."""
    return prefix[:1] == ("ssh",)


@contextlib.contextmanager
def one_connection(prefix: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The prefix, changed so that all its uses share one connection. The connection ends with the ssh that makes it.

    Its socket is in a directory that only this user can enter. If the user's own ssh_config(5) has a socket for this
    host, that socket is used.
    """
    if not is_ssh(prefix) or _has_socket(prefix):
        yield prefix
        return
    with tempfile.TemporaryDirectory(prefix="subfloor-", dir=_short()) as directory:
        socket = ("-o", "ControlMaster=auto", "-o", f"ControlPath={directory}/ssh", "-o", "ControlPersist=no")
        yield ("ssh", *socket, *prefix[1:])


def _short() -> str | None:
    """A directory for sockets; None for the usual one, if its path is short enough."""
    return "/tmp" if len(tempfile.gettempdir()) > _LONGEST - len("/subfloor-12345678/ssh") else None


def _has_socket(prefix: Sequence[str]) -> bool:
    """Whether the user's configuration has a socket for this host, according to ``ssh -G`` (ssh(1))."""
    ask = ["ssh", "-G", *prefix[1:]]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        asked = subprocess.run(ask, capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL)
        paths = [line.split(None, 1)[1] for line in asked.stdout.splitlines() if line.startswith("controlpath ")]
        return any(path != "none" for path in paths)
    return False
