"""Ask for passwords and passphrases: on a terminal, where nothing shows them.

A password is hashed before anything else sees it; the playbook gets the hash, as a secret. A passphrase is itself the
secret that the playbook gets. Both go only to the standard input of programs: they are in no argv, file or environment.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping

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
    read = read or _terminal()
    if read is None:
        raise click.UsageError("--ask-password needs a terminal; give a hash in a file instead: -e @FILE")
    return {name: _hash(_typed("password", name, read, twice=True)) for name in _checked("--ask-password", names)}


def passphrases(names: Iterable[str], *, twice: bool, read: Read | None = None) -> Mapping[str, Secret]:
    """A passphrase for each of these variables, typed once or ``twice``; without a terminal, a line of standard input.

    Raises ``UsageError``.
    """
    read = read or _terminal()
    checked = _checked("--ask-passphrase", names)
    if read is None:
        return {name: Secret(_line(name)) for name in checked}
    return {name: Secret(_typed("passphrase", name, read, twice=twice)) for name in checked}


def become_password(read: Read | None = None) -> Secret:
    """The password for sudo on the hosts; without a terminal, a line of standard input. Raises ``UsageError``."""
    read = read or _terminal()
    typed = read("Password for sudo on the hosts: ") if read else _line("sudo", "--ask-become-pass")
    if not typed:
        raise click.UsageError("--ask-become-pass: the password is empty")
    return Secret(typed)


def _checked(option: str, names: Iterable[str]) -> Iterator[str]:
    for name in dict.fromkeys(names):
        if not _NAME.fullmatch(name):
            raise click.UsageError(f"{option} sets a variable, and `{name}` is not a valid variable name")
        yield name


def _terminal() -> Read | None:
    """A function that reads from the terminal; None if there is no terminal."""
    if not (sys.stdin and sys.stdin.isatty()):
        return None
    from getpass import getpass

    return getpass


def _line(name: str, option: str = "--ask-passphrase") -> str:
    line: bytes = sys.stdin.buffer.readline() if sys.stdin else b""
    if text := line.decode("utf-8", "surrogateescape").removesuffix("\n"):
        return text
    raise click.UsageError(
        f"{option} needs a terminal, or a line of standard input for each secret; there is none for {name}"
    )


def _typed(what: str, name: str, read: Read, *, twice: bool) -> str:
    for _ in range(_TRIES):
        text = read(f"{what.capitalize()} for {name}: ")
        if not text:
            click.echo(f"The {what} is empty.", err=True)
        elif not twice or text == read(f"Repeat the {what}: "):
            return text
        else:
            click.echo(f"The {what}s differ.", err=True)
    raise click.UsageError(f"no {what} for {name} after {_TRIES} tries")


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
    raise click.UsageError(
        "to hash a password, subfloor needs `mkpasswd` or `openssl`; install one of them (packages whois, openssl)"
    )
