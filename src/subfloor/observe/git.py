"""Files that git does not track. If a flake is in a git repository, Nix reads only the tracked files."""

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
    """The git repository that a directory is in, found as Nix finds it: by ``.git`` in the directory or above.

    Of the files that git ignores, only ``local.nix`` and ``flake.lock`` are listed.
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
        """None: an empty filesystem has no repository."""
        return None


# core.fsmonitor is off, so that the repository's own settings start no program here.
# A directory that does not exist yet has no files, but its future files belong to the repository above it.
_LISTED = """
t=$d
while [ ! -e "${t%/}/.git" ]; do [ "$t" != / ] || exit 3; t=${t%/*}; t=${t:-/}; done
command -v git >/dev/null || exit 4
[ -d "$d" ] || exit 0
listed() { git -C "$d" -c safe.directory='*' -c core.fsmonitor=false ls-files -z --others "$@"; }
listed --exclude-standard -- '*.nix' flake.lock 'subfloor/*.whl' && listed -- local.nix flake.lock
"""
