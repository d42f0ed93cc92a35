"""Secrets that come from a file, an environment variable or the output of a command: ``--secret NAME=KIND:WHERE``."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import click

from subfloor.core.secret import Secret

_FORM = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<kind>[a-z]+):(?P<place>.+)", re.DOTALL)
_LONGEST = 1 << 16
_PATIENCE = 120.0
"""Seconds that a command may take: it may ask for a PIN."""


def name_of(argument: str) -> str:
    """The name of the variable that an argument of ``--secret`` sets. Raises ``UsageError``."""
    found = _FORM.fullmatch(argument)
    if not found or found["kind"] not in _KINDS:
        raise click.UsageError(
            "--secret needs NAME=file:PATH, NAME=env:VARIABLE or NAME=command:COMMAND, "
            "such as disk_passphrase=command:'pass show disk'"
        )
    return found["name"]


def secrets(arguments: Iterable[str]) -> Mapping[str, Secret]:
    """The secrets by the names of their variables. One line end is removed from each. Raises ``UsageError``."""
    found = {}
    for argument in arguments:
        name = name_of(argument)
        kind, _, place = argument.partition("=")[2].partition(":")
        text = _KINDS[kind](name, place).removesuffix("\n").removesuffix("\r")
        if not text:
            raise _error(name, f"{kind} {place} is empty", "put the secret there")
        found[name] = Secret(text)
    return found


def _error(name: str, what: str, advice: str) -> click.UsageError:
    return click.UsageError(f"--secret {name}: {what}. Nothing was touched; {advice}")


def _from_file(name: str, place: str) -> str:
    try:
        with Path(place).open("rb") as file:
            content = file.read(_LONGEST + 1)
    except OSError as error:
        raise _error(name, f"{place} cannot be read: {error.strerror}", "name another file") from None
    if len(content) > _LONGEST:
        raise _error(name, f"{place} is longer than 64 KiB", "name another file")
    return content.decode("utf-8", "surrogateescape")


def _from_environment(name: str, place: str) -> str:
    if place not in os.environ:
        raise _error(name, f"the environment variable {place} is not set", f"export {place}; sudo keeps it with -E")
    return os.environ[place]


def _from_command(name: str, place: str) -> str:
    """The standard output of a shell command, which may ask on the terminal. Raises ``UsageError``."""
    try:
        done = subprocess.run(["sh", "-c", place], stdout=subprocess.PIPE, check=False, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _error(name, f"the command failed: {error}", "run it yourself to see why") from None
    if done.returncode:
        raise _error(name, f"the command ended with status {done.returncode}", "run it yourself to see why")
    return done.stdout.decode("utf-8", "surrogateescape")


_KINDS: Mapping[str, Callable[[str, str], str]] = {
    "file": _from_file,
    "env": _from_environment,
    "command": _from_command,
}
