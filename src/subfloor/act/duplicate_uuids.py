"""Refuse a UUID that two devices of a machine have: it would not identify one device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from subfloor.core.engine import Entry, claims
from subfloor.core.errors import Refused
from subfloor.core.machine import Machine
from subfloor.core.outcome import Outcome, TaskReport
from subfloor.core.task import Claim
from subfloor.observe.block_uuids import UuidHolder


def claimed(entries: Sequence[Entry], machine: Machine, reports: Sequence[TaskReport]) -> tuple[tuple[Claim, ...], ...]:
    """The claims of each task, on the machine that the last step of the play promises. Raises ``PluginError``."""
    for report in reports:
        if report.steps:
            machine = report.steps[-1].step.after
    return tuple(claims(entry.task, machine) if entry.task else () for entry in entries)


def refuse_duplicate_uuids(
    claimed: Iterable[Iterable[Claim]], carriers: Iterable[UuidHolder], reports: Iterable[TaskReport]
) -> tuple[TaskReport, ...]:
    """The reports; for each pair of disks with the same UUID, the first task concerned is refused."""
    carriers, told, checked = tuple(carriers), set[tuple[str, str]](), []
    for own, report in zip(claimed, reports, strict=True):
        found = [(claim, carrier) for claim in own for carrier in _twins(claim, carriers)]
        fresh = [(claim, carrier) for claim, carrier in found if (claim.disk, carrier.disk) not in told]
        told |= {(claim.disk, carrier.disk) for claim, carrier in fresh}
        checked.append(_refused(report, *fresh[0]) if fresh and not report.error else report)
    return tuple(checked)


def _twins(claim: Claim, carriers: Sequence[UuidHolder]) -> list[UuidHolder]:
    """The other devices with this UUID, except the devices below the disk, the devices on top of it, and the
    other members of the same filesystem."""
    member = next((each.member for each in carriers if each.node == claim.node and each.member), "")
    below = frozenset[str]().union(*(each.below for each in carriers if each.disk == claim.disk))
    return [
        each
        for each in carriers
        if (each.kind, each.uuid) == (claim.kind, claim.uuid.lower())
        and each.disk not in {claim.disk, *below}
        and claim.disk not in each.below
        and not (member and each.member and each.member != member)
    ]


def _refused(report: TaskReport, claim: Claim, twin: UuidHolder) -> TaskReport:
    error = Refused(
        f"{twin.node} has the {claim.kind} that this play gives to {claim.node}, {claim.uuid}: "
        "a UUID must identify one device only",
        advice=f"to lay out {claim.disk} beside {twin.disk}, give it another name with `disk:` in `wipefs` and "
        "`gpt-label` (`-e called=disk2` with the playbooks that come with subfloor); if one of the two is a copy of "
        "the other, detach it, or give it other UUIDs",
    )
    return replace(report, outcome=Outcome.REFUSED, steps=(), error=error)
