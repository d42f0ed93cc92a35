"""Somewhere to mount: a mount namespace of its own, which ends with the shell that holds it.

So nothing is left behind, whatever fails. Plays are applied in it, and judged by other tools than their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from disks import plays
from simple_tasks import AnEntry
from subfloor.act.apply import Executor, apply, preflight
from subfloor.act.host import Host, Shell
from subfloor.core.consent import Consent
from subfloor.core.task import Step

ALONE = ("unshare", "--mount", "--propagation", "private")
"""What starts a shell in such a namespace."""


@dataclass(frozen=True)
class Seen:
    """A mount, as findmnt(8) sees it."""

    source: str
    type: str
    root: str
    options: frozenset[str]


@dataclass(frozen=True)
class MountNamespace:
    """A shell in a mount namespace of its own, and a scratch directory."""

    shell: Shell
    path: Path

    def apply(self, *play: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Apply a play, and say what its steps did. What a check says of it before must be the same."""
        tasks = entries(play)
        plan = preflight(tasks, self.shell, Consent())
        for report in plan.reports:
            if report.error:
                raise report.error
        done = list(apply(tasks, plan.machine, Executor(self.shell, Consent())))
        for report in done:
            if report.error:
                raise report.error
        planned, taken = ([each.step for report in made for each in report.steps] for made in (plan.reports, done))
        assert list(map(_words, planned)) == list(map(_words, taken))
        return [step.says for step in taken]

    def settle(self, *play: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Apply a play, and apply it again, which must do nothing."""
        done = self.apply(*play)
        assert done, "there was nothing to do"
        assert self.apply(*play) == []
        return done

    def sh(self, script: str) -> str:
        """What a piece of sh prints, there. It must succeed."""
        found = self.shell.run(("sh", "-euc", f"cd {self.path}; {script}"))
        assert found.status == 0, found.stderr.decode()
        return found.stdout.decode().rstrip("\n")

    def mounts(self, path: str) -> list[dict[str, str]]:
        """What findmnt(8) says is mounted at a path, the last one on top."""
        found = self.shell.run(
            (
                "findmnt",
                "--json",
                "--notruncate",
                "--mountpoint",
                str(self.path / path),
                "-o",
                "SOURCE,FSTYPE,FSROOT,OPTIONS",
            )
        )
        return list(json.loads(found.stdout)["filesystems"]) if found.stdout.strip() else []

    def mount(self, path: str) -> Seen:
        """The one mount at a path."""
        (one,) = self.mounts(path)
        return Seen(one["source"], one["fstype"], one["fsroot"], frozenset(one["options"].split(",")))


def _words(step: Step) -> tuple[str, list[tuple[str, ...]]]:
    """What a report says of a step."""
    return step.says, [command.argv for command in step.commands]


def entries(play: Iterable[Mapping[str, Mapping[str, Any]]]) -> tuple[AnEntry, ...]:
    """The entries of a play whose tasks are written as in a playbook."""
    return plays.entries(task for item in play for task in item.items())


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[MountNamespace]:
    with Host("here", ALONE).shell() as shell:
        yield MountNamespace(shell, tmp_path)
