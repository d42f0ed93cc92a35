"""Plays in a few words of Python, applied as the command line does it; and what comes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

from simple_tasks import AnEntry
from subfloor.act.apply import Executor, apply, preflight
from subfloor.act.host import Host
from subfloor.core.consent import Consent
from subfloor.core.identity import Identity
from subfloor.core.outcome import Outcome, TaskReport
from subfloor.core.parameters import build
from subfloor.core.task import Task
from subfloor.playbook.registry import Registry

Play = list[tuple[str, dict[str, Any]]]

_REGISTRY = Registry()

_RUN = uuid4()
"""In every seed: a UUID belongs to one device of the machine, and other tests may run there at the same time."""


def entries(play: Iterable[tuple[str, Mapping[str, Any]]], seed: str = "seed") -> tuple[AnEntry, ...]:
    """The entries of a play, whose tasks know of each other."""
    identity = Identity(f"{seed} {_RUN}", "host")
    tasks = tuple(_task(key, values, identity) for key, values in play)
    return tuple(AnEntry(task.within(tasks), key=task.key, name=task.key) for task in tasks)


def _task(key: str, values: Mapping[str, Any], identity: Identity) -> Task:
    plugin = _REGISTRY.get(key)
    assert plugin
    return build(plugin.task, values, identity)


def applied(play: Play, *destroy: str, seed: str = "seed") -> tuple[TaskReport, ...]:
    """The outcome of applying a play, as the command line does it: not at all where anything is refused."""
    consent = Consent(frozenset(destroy))
    with Host().shell() as shell:
        plan = preflight(entries(play, seed), shell, consent)
        if not plan.stands:
            return plan.reports
        return tuple(apply(entries(play, seed), plan.machine, Executor(shell, consent)))


def interrupted(play: Play, done: int, *destroy: str, seed: str = "seed") -> None:
    """Apply a play, but only its first tasks."""
    consent = Consent(frozenset(destroy))
    with Host().shell() as shell:
        plan = preflight(entries(play, seed), shell, consent)
        assert plan.stands, outcomes(plan.reports)
        reports = tuple(apply(entries(play, seed)[:done], plan.machine, Executor(shell, consent)))
        assert not [report.error for report in reports if report.error]


def outcomes(reports: Iterable[TaskReport]) -> list[str]:
    """The outcomes in a row; why, where one did not come through."""
    return [str(report.error) if report.error else report.outcome.value for report in reports]


def converged(play: Play, *destroy: str, seed: str = "seed") -> None:
    """Apply a play, which comes through; and once more, which finds nothing to do."""
    reports = applied(play, *destroy, seed=seed)
    assert not [str(report.error) for report in reports if report.error]
    assert set(outcomes(applied(play, seed=seed))) == {"ok"}


def refusal(play: Play, *destroy: str, seed: str = "seed") -> str:
    """Why a play is refused."""
    reports = applied(play, *destroy, seed=seed)
    found = [str(report.error) for report in reports if report.outcome is Outcome.REFUSED]
    assert found, outcomes(reports)
    return found[0]
