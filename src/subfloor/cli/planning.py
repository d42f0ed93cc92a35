"""Plans in files: `check --save-plan` writes one, and `apply --plan` takes its steps and no others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from subfloor.act.host_run import Confirm
from subfloor.core.consent import Consents
from subfloor.core.errors import Refused
from subfloor.core.outcome import HostReport
from subfloor.core.task import Step
from subfloor.report.plan import SavedPlan

_REVIEW = "review the plan again: run `check` with --save-plan, then `apply` with --plan"


def read_plan(path: Path) -> SavedPlan:
    """The plan in a file. Raises ``click.UsageError`` if there is none."""
    try:
        return SavedPlan.read(path.read_text("utf-8"))
    except OSError as error:
        raise click.UsageError(f"--plan: {path} cannot be read: {error.strerror}. Nothing was touched") from error
    except ValueError as error:
        raise click.UsageError(f"--plan: {path} cannot be used: {error}. Nothing was touched") from error


def approving(plan: SavedPlan) -> Callable[[Sequence[HostReport], Consents], Consents]:
    """An ``approve`` that asks nothing, since the plan was reviewed. It raises ``Refused`` if the new plan differs."""

    def approve(reports: Sequence[HostReport], consents: Consents) -> Consents:
        if changes := plan.changes(reports):
            raise Refused("this differs from the plan:\n" + "\n".join(changes), advice=_REVIEW)
        return consents

    return approve


def confirming(plan: SavedPlan, confirm: Confirm) -> Callable[[Step], bool]:
    """A ``confirm`` that raises ``Refused`` for a step that is not in the plan: the machine has changed since."""

    def confirmed(step: Step) -> bool:
        if not plan.has(step):
            what = f"“{step.says}” is not in the plan: the machine has changed since the run began"
            raise Refused(what, advice=_REVIEW)
        return confirm(step) if confirm else True

    return confirmed
