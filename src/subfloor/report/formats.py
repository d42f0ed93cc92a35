"""The formats of a report, chosen by the end of the file's name."""

from __future__ import annotations

from subfloor.report.run import Run

FORMATS = {".html": "html", ".htm": "html", ".json": "json", ".md": "markdown", ".xml": "junit", ".prom": "prometheus"}
"""The module that renders a report, by the end of the file's name."""


def render(run: Run, suffix: str) -> str:
    """The report as text in the format of a file name that ends in ``suffix``; JSON if it names no format."""
    # Each run needs one of them at most.
    match FORMATS.get(suffix.lower()):
        case "html":
            from subfloor.report.html import render as rendered
        case "markdown":
            from subfloor.report.markdown import render as rendered
        case "junit":
            from subfloor.report.junit import render as rendered
        case "prometheus":
            from subfloor.report.prometheus import render as rendered
        case _:
            from subfloor.report.json import dumps as rendered
    return rendered(run)
