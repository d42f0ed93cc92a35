"""How much of a campaign is tried: all of it where that is asked for, else a sample that is always the same."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def everything() -> bool:
    """Whether `SUBFLOOR_CRASH=all` asks for all of it."""
    return os.environ.get("SUBFLOOR_CRASH") == "all"


def sample(population: Sequence[T], count: int, *, seed: str) -> list[T]:
    """All of it, in its order, where all is asked for; else ``count`` of them."""
    if everything() or len(population) <= count:
        return list(population)
    picked = random.Random(seed).sample(range(len(population)), count)
    return [population[index] for index in sorted(picked)]


def pairs(first: Iterable[T], second: Sequence[U]) -> list[tuple[T, U]]:
    """Each of the first with each of the second, where all is asked for; else with one of them, taken in turn."""
    every = [[(one, other) for other in second] for one in first]
    chosen = every if everything() else [[row[number % len(row)]] for number, row in enumerate(every)]
    return [pair for row in chosen for pair in row]
