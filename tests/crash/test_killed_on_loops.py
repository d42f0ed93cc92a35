"""A run is killed at any moment, alone, with its tool, or its tool alone: the next one carries on, unasked.

Of the tasks on disks, in every ready playbook, on this machine's own kernel. What a run mounts is killed in a
virtual machine: `tests/vm/test_killed.py`.
"""

from __future__ import annotations

from functools import cache

import pytest

from counting import Count
from crash.bench import READY, Bench, bench
from crash.killing import WHOM, Counted, Moment, counted, ends, killed, moments, orphaned
from crash.sample import sample

pytestmark = pytest.mark.root

INSIDE = 4
"""At how many calls of each command each of the three is killed, in the whole campaign."""

SAMPLE = 1


@cache
def reference(layout: str) -> tuple[list[Counted], str]:
    """The commands of an undisturbed run, and its result."""
    with bench(READY[layout]) as undisturbed:
        run, commands = counted(undisturbed.command("apply"))
        assert run.status == 0, run
        undisturbed.judge()
        return commands, undisturbed.portrait()


@pytest.mark.parametrize("whom", ["between", *WHOM])
@pytest.mark.parametrize("layout", READY)
def test_the_next_run_resumes_after_a_kill_at_any_moment_case_51(layout: str, whom: str, count: Count) -> None:
    commands, wanted = reference(layout)
    meant = [moment for moment in moments(commands, INSIDE) if whom == (moment.whom if moment.call else "between")]
    with bench(READY[layout]) as place:
        for moment in sample(meant, SAMPLE, seed=f"{layout} {whom}"):
            place.blank()
            carries_on(place, moment, wanted, commands)
            count("killed", f"{layout}, {whom}: carried on to the same end")


def carries_on(place: Bench, moment: Moment, wanted: str, commands: list[Counted]) -> None:
    """A process is killed at this moment; the next run succeeds without consent, with the same result."""
    told = f"{moment}: {' '.join(commands[moment.command - 1].argv)}"
    apply = place.command("apply")
    if moment.whom == "runner":
        first, again = orphaned(apply, apply, moment)
    else:
        first, again = killed(apply, moment), place.ran("apply")
    assert first.status == ends(moment, commands), f"{told}\n{first.said}"
    assert again.status == 0, f"{told}\n{again.said}"
    assert place.ran("check").status == 0, told
    assert place.portrait() == wanted, told
    place.judge()
