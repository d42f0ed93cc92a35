"""The survey of a host: what a plan saw, and whether the play was applied there before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from subfloor.act import targets
from subfloor.act.apply import Plan
from subfloor.core.engine import Entry, claims
from subfloor.core.machine import Machine
from subfloor.core.outcome import AppliedBefore, Survey
from subfloor.core.task import Task
from subfloor.observe.disk import DiskState
from subfloor.steps.adoption import Adoption
from subfloor.storage.gpt import Entry as Partition
from subfloor.storage.gpt import Gpt
from subfloor.storage.marks import is_final


def survey(entries: Sequence[Entry], plan: Plan) -> Survey:
    """What the plan saw of its host."""
    tasks = [entry.task for entry in entries if entry.task]
    declaring = [each for task in tasks for each in (task.layout if isinstance(task, Adoption) else (task,))]
    declared = frozenset(each for task in declaring for each in targets.partitions(task))
    managed = frozenset(path for task in tasks for path in targets.whole_disks(task))
    return Survey(plan.machine, plan.planned, applied_before(tasks, plan.machine, plan.planned), declared, managed)


def applied_before(tasks: Iterable[Task], found: Machine, planned: Machine) -> AppliedBefore:
    """Whether these tasks were applied before: whether the disks carry the UUIDs that the tasks assign."""
    wanted = _assigned(tasks, planned) & _uuids(planned)
    held = wanted & _uuids(found)
    if not held:
        return AppliedBefore.NEVER if wanted else AppliedBefore.UNKNOWN
    unfinished = any(str(entry.uuid) in held and not is_final(entry.name) for entry in _partitions(found))
    return AppliedBefore.PARTLY if unfinished or held != wanted else AppliedBefore.FULLY


def _assigned(tasks: Iterable[Task], machine: Machine) -> frozenset[str]:
    """The UUIDs of tables and partitions that the tasks assign."""
    every = (claim for task in tasks for claim in claims(task, machine))
    return frozenset(str(UUID(claim.uuid)) for claim in every if claim.kind in ("label-id", "PARTUUID"))


def _uuids(machine: Machine) -> frozenset[str]:
    """The UUIDs of all tables and partitions."""
    return frozenset(str(table.id) for table in _tables(machine)) | {str(each.uuid) for each in _partitions(machine)}


def _tables(machine: Machine) -> Iterator[Gpt]:
    disks = (value for value in machine.values() if isinstance(value, DiskState))
    return (disk.table for disk in disks if isinstance(disk.table, Gpt))


def _partitions(machine: Machine) -> Iterator[Partition]:
    return (entry for table in _tables(machine) for entry in table.entries)
