"""How much of a campaign is tried: all of it where that is asked for, else a sample that is always the same."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def sample(everything: Sequence[T], count: int, *, seed: str) -> list[T]:
    """All of it, in its order, where `SUBFLOOR_CRASH=all` says so; else ``count`` of them."""
    if os.environ.get("SUBFLOOR_CRASH") == "all" or len(everything) <= count:
        return list(everything)
    picked = random.Random(seed).sample(range(len(everything)), count)
    return [everything[index] for index in sorted(picked)]
