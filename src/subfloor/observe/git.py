"""What git does not track: of a flake in a git repository, Nix sees only what is tracked."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from subfloor.core.errors import LookFailed
from subfloor.core.machine import Output
from subfloor.observe.path import Located, NotYetVisible


@dataclass(frozen=True)
class Repository:
    """A git repository, and the names of the files that Nix would read and it does not track.

    ``readable``: there is a git to ask.
    """

    untracked: frozenset[str] = frozenset()
    readable: bool = True

    def __str__(self) -> str:
        return f"a git repository that does not track {', '.join(sorted(self.untracked)) or 'nothing'}"


RepositoryState = Repository | None | NotYetVisible


@dataclass(frozen=True)
class Tracking(Located[RepositoryState]):
    """The repository that a directory lies in, if it lies in one, as Nix looks for it: `.git` there or above.

    Of what is ignored on purpose only ``local.nix`` and ``flake.lock`` count.
    """

    path: str

    def __str__(self) -> str:
        return f"what git tracks in {self.path}"

    def probes(self) -> tuple[str, ...]:
        """The probes to run, as pieces of sh."""
        return (f"d={shlex.quote(self.path)}\n{_LISTED}",)

    def parse(self, *outputs: Output) -> RepositoryState:
        """The repository; None where there is none. Raises ``LookFailed`` where git fails."""
        (found,) = outputs
        if found.status == 3:
            return None
        if found.status == 4:
            return Repository(readable=False)
        if found.status:
            raise LookFailed(
                f"what git tracks in {self.path} cannot be seen",
                advice=f"see what `git -C {shlex.quote(self.path)} status` says, and repair the repository",
            )
        return Repository(frozenset(found.text.split("\0")) - {""})

    def in_empty(self) -> RepositoryState:
        """The value in an empty directory."""
        return None


# The repository's own settings start no program here.
_LISTED = """
[ -d "$d" ] || exit 3
t=$d
while [ ! -e "${t%/}/.git" ]; do [ "$t" != / ] || exit 3; t=${t%/*}; t=${t:-/}; done
command -v git >/dev/null || exit 4
listed() { git -C "$d" -c safe.directory='*' -c core.fsmonitor=false ls-files -z --others "$@"; }
listed --exclude-standard -- '*.nix' flake.lock && listed -- local.nix flake.lock
"""
