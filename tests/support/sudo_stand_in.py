"""A stand-in for sudo that wants a password."""

from __future__ import annotations

from pathlib import Path

# As sudo(8) does with -S: the prompt goes to standard error, the password is a line of standard input.
STAND_IN = """#!/bin/sh
prompt=
while :; do
    case $1 in -S|-H) shift;; -p) prompt=$2; shift 2;; -u) shift 2;; *) break;; esac
done
[ "{password}" ] || exec "$@"
for try in 1 2 3; do
    printf %s "$prompt" >&2
    IFS= read -r line || exit 1
    [ "$line" != "{password}" ] || exec "$@"
    echo 'Sorry, try again.' >&2
done
exit 1
"""


def sudo(directory: Path, password: str) -> str:
    """The path of one that wants this password; "": none."""
    path = directory / "sudo"
    path.write_text(STAND_IN.format(password=password))
    path.chmod(0o755)
    return str(path)
