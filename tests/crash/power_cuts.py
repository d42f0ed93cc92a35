"""Power cuts: between two flushes any of the writes may be lost, and one may be torn.

A disk may keep what it is given in its cache until it is flushed, and write it out in any order. What it
writes out at once is a sector of 512 bytes, so of a longer write any sectors may have made it. Lost subsets
are tried exhaustively where there are few, and sampled with a fixed seed beyond.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

from crash.content import SECTOR, Content, Event, Flush, Write
from crash.prefixes import State

EXHAUSTIVE = 6
"""Up to how many writes between two flushes every subset is tried."""

SUBSETS, TORN = 128, 128
"""How many subsets are tried beyond that; how many states with a torn write, at most, for each flush."""


def power_cuts(before: Content, events: Sequence[Event], seed: str) -> Iterator[State]:
    """The states, each once."""
    seen: set[str] = set()
    disk, start = before.copy(), 0
    for epoch, end in enumerate([*_flushes(events), len(events)]):
        writes = [event for event in events[start:end] if isinstance(event, Write)]
        chance = random.Random(f"{seed} {epoch}")
        for name, kept in itertools.chain(_subsets(writes, chance), _torn(writes, chance)):
            digest = disk.copy().replay(kept).digest
            if digest not in seen:
                seen.add(digest)
                yield State(f"flush {epoch}: {name}", start, kept)
        disk.replay(writes)
        start = end


def _flushes(events: Sequence[Event]) -> list[int]:
    return [number for number, event in enumerate(events) if isinstance(event, Flush)]


Kept = tuple[str, tuple[Write, ...]]


def _subsets(writes: Sequence[Write], chance: random.Random) -> Iterator[Kept]:
    if len(writes) <= EXHAUSTIVE:
        masks = [list(mask) for mask in itertools.product((False, True), repeat=len(writes))]
    else:
        masks = [[False] * len(writes), [True] * len(writes)]
        # One lost, one kept, and half of them: the corners, and the middle.
        for _ in range(SUBSETS // 3):
            lost = chance.randrange(len(writes))
            masks.append([number != lost for number in range(len(writes))])
            masks.append([number == lost for number in range(len(writes))])
            masks.append([chance.random() < 0.5 for _ in writes])
    for mask in masks:
        yield _kept(mask), tuple(itertools.compress(writes, mask))


def _torn(writes: Sequence[Write], chance: random.Random) -> Iterator[Kept]:
    """One write of which some sectors made it, among others that did, or did not."""
    long = [number for number, write in enumerate(writes) if write.length > SECTOR]
    for _ in range(min(TORN, 24 * len(long))):
        torn = chance.choice(long)
        others = chance.choice((0.0, 0.5, 1.0))
        mask = [chance.random() < others for _ in writes]
        how, parts = _some_sectors(writes[torn], chance)
        kept: list[Write] = []
        for number, write in enumerate(writes):
            kept += parts if number == torn else (write,) * mask[number]
        mask[torn] = False
        yield f"{_kept(mask)}, and of write {torn} {how}", tuple(kept)


def _some_sectors(write: Write, chance: random.Random) -> tuple[str, tuple[Write, ...]]:
    """Its first sectors; or some, here and there, of a stretch of it."""
    sectors = write.length // SECTOR
    if chance.random() < 0.5:
        cut = chance.randrange(1, sectors)
        return f"the first {cut} of {sectors} sectors", (write.part(0, cut * SECTOR),)
    first = chance.randrange(sectors)
    some = [at for at in range(first, min(first + 64, sectors)) if chance.random() < 0.5]
    parts = tuple(write.part(at * SECTOR, (at + 1) * SECTOR) for at in some)
    return f"numbers {','.join(map(str, some)) or 'none'} of {sectors} sectors", parts


def _kept(mask: Sequence[bool]) -> str:
    return f"kept {''.join('x' if kept else '.' for kept in mask)}" if mask else "nothing to keep"
