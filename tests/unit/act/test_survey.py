"""Whether a play was applied to a machine before, from the UUIDs on its disks."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from disk_values import nothing_left
from simple_tasks import Count
from subfloor.act.survey import applied_before
from subfloor.core.consent import Consent
from subfloor.core.engine import imagine
from subfloor.core.machine import Machine
from subfloor.core.outcome import AppliedBefore
from subfloor.observe.disk import Disk, DiskState
from subfloor.storage.gpt import Gpt
from subfloor.storage.marks import UNFINISHED
from whole_playbooks import blank, finished, on_the_way

PLAY, DONE = finished("tmpfs root")
TASKS = [entry.task for entry in PLAY if entry.task]
START = blank(PLAY)


def test_a_blank_machine_was_never_set_up() -> None:
    assert applied_before(TASKS, START, DONE) is AppliedBefore.NEVER


def test_a_finished_machine_with_drift_was_set_up() -> None:
    assert applied_before(TASKS, DONE, DONE) is AppliedBefore.FULLY
    assert (
        applied_before(TASKS, with_table(lambda table: replace(table, damage=frozenset({"x"}))), DONE)
        is AppliedBefore.FULLY
    )


def test_every_state_in_between_counts_as_partly_applied() -> None:
    moments = list(on_the_way(START, imagine(PLAY, START, Consent(), nothing_left)))
    states = [applied_before(TASKS, moment, DONE) for moment in moments]
    first, last = states.index(AppliedBefore.PARTLY), states.index(AppliedBefore.FULLY)
    assert set(states[:first]) == {AppliedBefore.NEVER} and set(states[last:]) == {AppliedBefore.FULLY}
    assert set(states[first:last]) == {AppliedBefore.PARTLY}


def test_a_missing_partition_counts_as_partly_applied() -> None:
    assert (
        applied_before(TASKS, with_table(lambda table: replace(table, entries=table.entries[1:])), DONE)
        is AppliedBefore.PARTLY
    )


def test_for_a_play_without_uuids_it_is_unknown() -> None:
    assert applied_before([Count()], Machine(), Machine()) is AppliedBefore.UNKNOWN


def with_table(change: object) -> Machine:
    (disk,) = (subject for subject in DONE if isinstance(subject, Disk))
    state = DONE[disk]
    assert isinstance(state, DiskState) and isinstance(state.table, Gpt) and callable(change)
    return DONE.with_(disk, replace(state, table=change(state.table)))


def test_a_disk_of_another_play_does_not_count() -> None:
    foreign = with_table(lambda table: replace(table, id=UUID(int=7), entries=()))
    assert applied_before(TASKS, foreign, DONE) is AppliedBefore.NEVER


def test_an_unfinished_partition_counts_as_partly_applied() -> None:
    def unfinished(table: Gpt) -> Gpt:
        first, *more = table.entries
        return replace(table, entries=(replace(first, name=first.name + UNFINISHED), *more))

    assert applied_before(TASKS, with_table(unfinished), DONE) is AppliedBefore.PARTLY
