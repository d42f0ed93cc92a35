"""Ask for passwords: each is typed twice and hashed before anything else sees it.

The password goes only to the standard input of one program. It is in no argv, file or variable; the playbook gets
the hash, as a secret.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping

import click

from subfloor.core.secret import Secret

# crypt(5) recommends yescrypt; openssl has only sha512.
_WAYS = (("mkpasswd", "--method=yescrypt", "--stdin"), ("openssl", "passwd", "-6", "-stdin"))
_HASH = re.compile(r"\$[a-z0-9]+\$\S+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TRIES = 3

Read = Callable[[str], str]
"""Shows a prompt and reads a line without showing it."""


def asked_for(names: Iterable[str], read: Read | None = None) -> Mapping[str, Secret]:
    """The hash of a password for each of these variables. Raises ``UsageError``, also if there is no terminal."""
    found: dict[str, Secret] = {}
    for name in names:
        if not _NAME.fullmatch(name):
            raise click.UsageError(f"--ask-password sets a variable, and `{name}` is not a valid variable name")
        found[name] = _hash(_typed(name, read or _reader()))
    return found


def _reader() -> Read:
    if not (sys.stdin and sys.stdin.isatty()):
        raise click.UsageError("--ask-password needs a terminal; give a hash in a file instead: -e @FILE")
    from getpass import getpass

    return getpass


def _typed(name: str, read: Read) -> str:
    for _ in range(_TRIES):
        password = read(f"Password for {name}: ")
        if not password:
            click.echo("The password is empty.", err=True)
        elif password == read("Repeat the password: "):
            return password
        else:
            click.echo("The passwords differ.", err=True)
    raise click.UsageError(f"no password for {name} after {_TRIES} tries")


def _hash(password: str) -> Secret:
    line = f"{password}\n".encode("utf-8", "surrogateescape")
    for way in _WAYS:
        try:
            done = subprocess.run(way, input=line, capture_output=True, check=False)
        except OSError:
            continue
        text = done.stdout.decode("ascii", "replace").strip()
        if done.returncode == 0 and _HASH.fullmatch(text):
            return Secret(text)
    raise click.UsageError("a hash needs `mkpasswd` or `openssl`; install one of them (packages whois, openssl)")
