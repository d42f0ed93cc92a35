"""Power cuts: a run is carried on where any of the writes since the last flush are lost, or one is torn."""

from __future__ import annotations

import pytest

from counting import Count
from crash import recording
from crash.campaign import carried_on, layouts
from crash.layouts import Layout
from crash.power_cuts import power_cuts

pytestmark = [pytest.mark.root, pytest.mark.timeout(7200)]  # where all of it is asked for


@pytest.mark.parametrize("layout", layouts("power cuts"), ids=lambda layout: layout.name)
def test_the_next_run_succeeds_after_every_power_cut_case_52(layout: Layout, count: Count) -> None:
    carried_on(
        "power cuts", layout, recording.the_disk, lambda made: power_cuts(made.before, made.events, layout.name), count
    )
