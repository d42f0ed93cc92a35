"""Several decisions of one task: all of their refusals are reported, not only the first. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from subfloor.core.errors import Refused

T = TypeVar("T")


def together(decisions: Iterable[Callable[[], T]]) -> list[T]:
    """The results of several decisions of one task. Raises ``Refused``, with all refusals, if there are any."""
    results, refusals = [], []
    for decide in decisions:
        try:
            results.append(decide())
        except Refused as error:
            refusals.append(error)
    if len(refusals) == 1:
        raise refusals[0]
    if refusals:
        advice = "; ".join(dict.fromkeys(error.advice for error in refusals))
        raise Refused("\n".join(error.what for error in refusals), advice=advice)
    return results
