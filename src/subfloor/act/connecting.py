"""Why a host could not be reached, and what to do: read from what ssh, sudo and login shells print."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from subfloor.act.ssh import is_ssh
from subfloor.core.errors import Unreachable


@dataclass(frozen=True)
class _Cause:
    """A known cause. ``pattern``: to search in the output. ``{way}`` in ``advice``: the command to reach the host."""

    pattern: str
    what: str
    advice: str


_OF_SSH = (
    _Cause(
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "its host key is not the one that ssh knows",
        "find out why it changed before you trust it: a new installation has a new key, and so has another machine at "
        "this address; then remove the old key with `ssh-keygen -R {address}`, and connect once with `{way}`",
    ),
    _Cause(
        "Host key verification failed|No [A-Za-z0-9-]+ host key is known for",
        "ssh does not know its host key",
        "connect once with `{way}`, compare the fingerprint with the one on its console "
        "(`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`), and accept it",
    ),
    _Cause(
        "UNPROTECTED PRIVATE KEY FILE|bad permissions",
        "ssh does not use the private key, because other users can read its file",
        "run `chmod 600` on it",
    ),
    _Cause(
        r"Permission denied \(|Too many authentication failures",
        "the host refuses the login",
        "check the user and the key (`subfloor_user`, `subfloor_ssh_private_key_file`, `ssh-add -l`): `{way}` must log "
        "in without a question",
    ),
    _Cause(
        "Could not resolve hostname",
        "the host's name does not resolve to an address",
        "check the name, or set `subfloor_host`",
    ),
    _Cause(
        "Connection refused",
        "no ssh server answers on this port",
        "start sshd there, and check the address and the port (`subfloor_host`, `subfloor_port`)",
    ),
    _Cause(
        "timed out|No route to host|Network is unreachable",
        "there is no answer from its address",
        "check that it is on and connected, and the address (`subfloor_host`); a firewall may block the port",
    ),
    _Cause(
        "account is currently not available|This account is not available",
        "its login shell runs no commands",
        "log in as a user with a shell (`subfloor_user`), or give this one a shell there: `usermod -s /bin/sh USER`",
    ),
)

_OF_BECOMING_ROOT = (
    _Cause(
        "password is required|a terminal is required|Authentication (required|failed)|a tty is required",
        "becoming root needs a password",
        "give the password with --ask-become-pass (sudo only), or allow it without one there (NOPASSWD in "
        "sudoers, nopass in doas.conf), or log in as root",
    ),
    _Cause(
        "not in the sudoers file|may not run sudo|not allowed to execute|Operation not permitted",
        "its user may not become root",
        "allow it in sudoers or doas.conf there, or log in as root (`subfloor_user: root`)",
    ),
    _Cause(
        r"(sudo|doas): (command )?not found|[Uu]nknown command:? '?(sudo|doas)",
        "the program that makes its user root is not installed",
        "install it there, or log in as root (`subfloor_user: root`)",
    ),
)


def not_reached(name: str, prefix: Sequence[str], said: bytes) -> Unreachable:
    """The error for a host on which no shell could be started. ``said``: the output of ssh, sudo and login shell."""
    text = said.decode("utf-8", "replace")
    for cause in (*(_OF_SSH if is_ssh(prefix) else ()), *_OF_BECOMING_ROOT):
        if re.search(cause.pattern, text):
            about = {"way": shlex.join([*prefix, "sh"]), "address": prefix[-1] if prefix else name}
            return Unreachable(f"{name}: {cause.what} ({_last(text)})", advice=cause.advice.format(**about))
    advice = f"check that `{shlex.join([*prefix, 'sh'])}` works; then run the same command again"
    return Unreachable(f"the shell on {name} ended ({_last(text)})", advice=advice)


def no_answer(name: str, prefix: Sequence[str], seconds: float, said: bytes) -> Unreachable:
    """The error for a host that was reached, but whose shell does not answer."""
    text = said.decode("utf-8", "replace")
    return Unreachable(
        f"{name}: its shell gave no answer within {seconds:.0f} s" + (f" ({_last(text)})" if text.strip() else ""),
        advice="what runs at a login there may wait for something (/etc/profile, ~/.profile, ~/.bashrc, ~/.zshenv, "
        f"config.fish, ForceCommand): `{shlex.join([*prefix, 'true'])}` must end by itself",
    )


def wrong_password(name: str) -> Unreachable:
    """The error for a password that sudo does not accept."""
    advice = (
        "type the password of the user that logs in there (`subfloor_user`), not root's; the same password is sent to "
        "all hosts"
    )
    return Unreachable(f"{name}: sudo does not accept the password", advice=advice)


def broke_off(name: str, prefix: Sequence[str], said: bytes) -> Unreachable:
    """The error for a host whose shell ended during the run."""
    return Unreachable(
        f"the shell on {name} ended ({_last(said.decode('utf-8', 'replace'))})",
        advice=f"check that `{shlex.join([*prefix, 'sh'])}` works; then run the same command again. A command "
        "that still runs there keeps its disk locked until it ends",
    )


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["it printed nothing"])[-1].strip()
