"""What LVM prints as JSON, without the words that it prints between."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Report = Mapping[str, Any]

_JSON = tuple('{}[],"')
"""How the lines of a report begin. LVM prints others to the same file: ``Retrying metadata scan.``"""


def reports(text: str) -> list[Report]:
    """The reports, one for each group and one for the physical volumes in none. Raises ``ValueError``."""
    lines = (line for line in text.splitlines() if line.lstrip().startswith(_JSON))
    try:
        found: list[Report] = json.loads("\n".join(lines), strict=False)["report"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"lvm: {error}") from error
    return found
