"""What the campaigns come to is counted, and said at the end of a run, whichever process did the work.

A pytest plugin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

_COUNTED = "counted in a campaign"

Count = Callable[[str, str], None]


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Count:
    """Counts one more case: `count("killed", "carried on")`."""
    properties = request.node.user_properties  # these reach the process that reports
    return lambda campaign, what: properties.append((_COUNTED, f"{campaign}: {what}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each sum."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    found = Counter(
        what
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for key, what in report.user_properties
        if key == _COUNTED
    )
    if found:
        terminalreporter.section("campaigns")
    for what, times in sorted(found.items()):
        terminalreporter.write_line(f"{what}: {times}")
