"""A machine that is made from another one behaves like a dict of all its values, and holds little of its own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simple_tasks import AnEntry, Count, Number
from subfloor.core.consent import Consent
from subfloor.core.engine import imagine
from subfloor.core.machine import AnySubject, Machine, differences

SUBJECTS: list[AnySubject] = [Number(f"/{number}") for number in range(8)]
_changes = st.dictionaries(st.sampled_from(SUBJECTS), st.none() | st.integers(0, 2), max_size=3)


def made(changes: list[dict[AnySubject, int]]) -> tuple[Machine, dict[AnySubject, int]]:
    machine, values = Machine(), dict[AnySubject, int]()
    for each in changes:
        machine, values = machine.updated(each), {**values, **each}
    return machine, values


@given(st.lists(_changes, max_size=4), st.lists(_changes, max_size=120), st.lists(_changes, max_size=120))
def test_it_is_like_a_dict(
    first: list[dict[AnySubject, int]], one: list[dict[AnySubject, int]], other: list[dict[AnySubject, int]]
) -> None:
    common, _ = made(first)
    common = Machine(common)
    both = []
    for changes in (one, other):
        machine, values = common, dict(common)
        for each in changes:
            machine, values = machine.updated(each), {**values, **each}
        assert (dict(machine), len(machine)) == (values, len(values))
        assert {subject: subject in machine for subject in SUBJECTS} == {each: each in values for each in SUBJECTS}
        both.append((machine, values))
    (a, of_a), (b, of_b) = both
    assert (a == b) is (of_a == of_b)
    assert a.changed_since(b) == {each for each in of_a if each not in of_b or of_a[each] != of_b[each]}
    assert dict(a.only(b)) == {each: of_a[each] for each in of_a if each in of_b}
    changed = {each.subject for each in differences(b, a)}
    assert changed == {str(each) for each in of_a if of_b.get(each) != of_a[each]}


def test_many_changes_become_a_new_base() -> None:
    machine, values = made([{Number(f"/{number}"): number} for number in range(1000)])
    assert dict(machine) == values
    assert len(machine._own) < 100


def test_a_plan_grows_with_its_steps_and_not_with_their_square() -> None:
    """What all promises of a plan hold together: with a dict for each it would be a million values."""
    entries = [AnEntry(Count(path=f"/{number}", to=1)) for number in range(1000)]
    machine = Machine({Number(f"/{number}"): 0 for number in range(1000)})
    reports = imagine(entries, machine, Consent())
    promised = [taken.step.after for report in reports for taken in report.steps]
    assert len(promised) == 1000
    bases = {id(each._base): len(each._base) for each in promised}
    assert sum(bases.values()) + sum(len(each._own) for each in promised) < 100_000
