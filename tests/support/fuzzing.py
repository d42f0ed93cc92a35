"""How long to fuzz: in `make test` a bounded sample that is the same in every run, in `make fuzz` many times more.

`SUBFLOOR_FUZZ` is how many times as many examples are tried; they are random then, and what fails is
kept in .hypothesis for the next run.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("SUBFLOOR_FUZZ", "1"))

_SECONDS = 20


def fuzzed(examples: int) -> settings:
    """Settings for a test that tries so many examples. One that takes longer than 20 s counts as a hang."""
    found = settings(
        max_examples=examples * TIMES,
        deadline=_SECONDS * 1000,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    return settings(found, derandomize=True, database=None) if TIMES == 1 else found
