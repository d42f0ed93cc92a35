"""Text for HTML and XML: escaped, and without the characters that XML does not allow."""

from __future__ import annotations

import html

from subfloor.report.style import Style

_PLAIN = Style()


def escaped(text: str) -> str:
    """The text as it can stand in an element or an attribute. Control characters are shown as ``\\x1b``."""
    return html.escape(_PLAIN.clean(text))
