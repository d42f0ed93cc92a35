"""Files that git does not track: of a flake in a git repository, Nix reads only tracked files."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output
from subfloor.observe.path import Located, NotYetVisible


@dataclass(frozen=True)
class Repository:
    """A git repository, and the names of the files that Nix needs but git does not track.

    ``readable``: git is installed, so the files can be listed.
    """

    untracked: frozenset[str] = frozenset()
    readable: bool = True

    def __str__(self) -> str:
        return f"a git repository that does not track {', '.join(sorted(self.untracked)) or 'nothing'}"


RepositoryState = Repository | None | NotYetVisible


@dataclass(frozen=True)
class Tracking(Located[RepositoryState]):
    """The repository around a directory, found as Nix finds it: `.git` in the directory or above.

    Of the ignored files only ``local.nix`` and ``flake.lock`` count.
    """

    path: str

    def __str__(self) -> str:
        return f"files that git tracks in {self.path}"

    def probes(self) -> tuple[str, ...]:
        """The probes to run, as pieces of sh."""
        return (f"d={shlex.quote(self.path)}\n{_LISTED}",)

    def parse(self, *outputs: Output) -> RepositoryState:
        """The repository; None if there is none. Raises ``LookFailed`` if git fails."""
        (found,) = outputs
        if found.status == 3:
            return None
        if found.status == 4:
            return Repository(readable=False)
        if found.status:
            raise LookFailed(
                f"git cannot list the files that it tracks in {self.path}",
                advice=f"run `git -C {shlex.quote(self.path)} status` to see why, and repair the repository",
            )
        return Repository(frozenset(found.text.split("\0")) - {""})

    def in_empty(self) -> RepositoryState:
        """The value if the path's directory is empty."""
        return None


# core.fsmonitor is off, so that the repository's own settings start no program here.
# A directory that does not exist yet has no files; what is written there is in the repository above.
_LISTED = """
t=$d
while [ ! -e "${t%/}/.git" ]; do [ "$t" != / ] || exit 3; t=${t%/*}; t=${t:-/}; done
command -v git >/dev/null || exit 4
[ -d "$d" ] || exit 0
listed() { git -C "$d" -c safe.directory='*' -c core.fsmonitor=false ls-files -z --others "$@"; }
listed --exclude-standard -- '*.nix' flake.lock 'subfloor/*.whl' && listed -- local.nix flake.lock
"""
