"""A flake in a git repository: Nix reads only the files that git tracks, and does not report the others."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from subfloor.core.errors import Refused
from subfloor.core.task import Command
from subfloor.observe.git import Repository


def check(repository: Repository | None, folder: str, own: Iterable[str] = ()) -> None:
    """Raise ``Refused`` if Nix would ignore a file of the flake. ``own``: files that a task adds to git."""
    if repository is None:
        return
    if not repository.readable:
        raise Refused(
            f"{folder} is in a git repository, but the program git is missing, so its tracked files are unknown",
            advice="install git, then run subfloor again; on a NixOS installer, run it in the shell that "
            "`nix-shell -p git` opens",
        )
    if names := sorted(repository.untracked - set(own)):
        raise Refused(
            f"git does not track {', '.join(names)} in {folder}, and Nix reads only tracked files of a flake: it "
            "ignores the others without an error",
            advice=f"`git -C {shlex.quote(folder)} add --intent-to-add --force -- {shlex.join(names)}` and run "
            "subfloor again; or move what does not belong to the system elsewhere",
        )


def track(folder: str, names: Iterable[str]) -> Command:
    """The command that makes git track files below a directory, without a commit."""
    git = ("git", "-C", folder, "-c", "safe.directory=*", "-c", "core.fsmonitor=false")
    return Command((*git, "add", "--intent-to-add", "--force", "--", *sorted(names)))
