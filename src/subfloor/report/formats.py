"""The formats of a report, chosen by the end of the file's name."""

from __future__ import annotations

from subfloor.report.json import dumps
from subfloor.report.run import Run


def render(run: Run, suffix: str) -> str:
    """The report as text in the format of a file name that ends in ``suffix``; JSON if the format is not known."""
    return dumps(run)
