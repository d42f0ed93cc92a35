"""What LVM prints as JSON, without the messages that it prints between the lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Report = Mapping[str, Any]

_JSON = tuple('{}[],"')
"""How the lines of a report begin. LVM prints other lines to the same output, such as ``Retrying metadata scan.``"""


def reports(text: str) -> list[Report]:
    """One report for each volume group, and one for the physical volumes in no group.

    Raises ``ValueError`` if ``text`` is not such a report.
    """
    lines = (line for line in text.splitlines() if line.lstrip().startswith(_JSON))
    try:
        found: list[Report] = json.loads("\n".join(lines), strict=False)["report"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"lvm: {error}") from error
    return found
