"""Every write: a run is carried on from every prefix of what it writes, unasked, to the same end.

Twice: by the writes as the disk sees them, and by the calls that the programs make, between any two of which
they can be killed.
"""

from __future__ import annotations

import pytest

from counting import Count
from crash import recording
from crash.campaign import carried_on, layouts
from crash.layouts import Layout
from crash.prefixes import prefixes

pytestmark = [pytest.mark.root, pytest.mark.timeout(7200)]  # where all of it is asked for


@pytest.mark.parametrize("layout", layouts("every call"), ids=lambda layout: layout.name)
def test_the_next_run_succeeds_after_every_call_of_a_program(layout: Layout, count: Count) -> None:
    carried_on("every call", layout, recording.programs, lambda made: prefixes(made.before, made.events), count)


@pytest.mark.parametrize("layout", layouts("every write"), ids=lambda layout: layout.name)
def test_the_next_run_succeeds_after_every_write_to_the_disk(layout: Layout, count: Count) -> None:
    carried_on("every write", layout, recording.the_disk, lambda made: prefixes(made.before, made.events), count)
