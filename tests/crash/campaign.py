"""A campaign over one layout: record a run, make its crash states, try them, and say what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from counting import Count
from crash.layouts import LAYOUTS, Layout
from crash.prefixes import State
from crash.recording import Record, Recording
from crash.sample import sample
from crash.trial import KEPT_IN, stand, wrong
from loop_disks import in_memory

SAMPLE_LAYOUTS, SAMPLE_STATES = 5, 4
"""How many layouts are laid out, and how many states of each are tried, unless all are asked for."""


def layouts(campaign: str) -> list[Layout]:
    """Those that a campaign is about."""
    return sample(LAYOUTS, SAMPLE_LAYOUTS, seed=campaign)


def carried_on(
    campaign: str, layout: Layout, record: Record, states: Callable[[Recording], Iterable[State]], count: Count
) -> None:
    """From every chosen state of the layout a rerun has the same result."""
    seed = f"{campaign} {layout.name}".replace(" ", "-")
    bad = []
    with in_memory("crash") as work:
        made = record(layout, seed, work)
        everything = list(states(made))
        for _ in everything:
            count(campaign, "distinct disks that a crash can leave")
        tried = sample(everything, SAMPLE_STATES, seed=seed)
        with stand(made, work) as disk:
            for number, state in enumerate(tried):
                found = wrong(disk, made, state, booted=number % 2 == 0)
                count(campaign, "wrong" if found else "tried, and carried on to the same end")
                if found:
                    bad.append("\n  ".join([state.name, *found]))
    assert not bad, f"{len(bad)} of {len(tried)} wrong; kept in {KEPT_IN / layout.name}\n" + "\n".join(bad)
