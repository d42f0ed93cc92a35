"""Every prefix of a run's writes: what the disk holds when the run, and its tools, are killed at that write.

What was written before is there (the page cache outlives a process); what would have come is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crash.content import Content, Event, Write


@dataclass(frozen=True)
class State:
    """A disk that a crash leaves: the first so many events of a recording, and then these writes."""

    name: str
    events: int
    more: tuple[Write, ...] = ()

    def content(self, before: Content, events: Sequence[Event]) -> Content:
        """The disk itself."""
        return before.copy().replay(events[: self.events]).replay(self.more)


def prefixes(before: Content, events: Sequence[Event]) -> Iterator[State]:
    """The states, each once: most writes are of zeros over zeros, and leave the disk as it is."""
    disk = before.copy()
    seen = {disk.digest}
    yield State(f"after none of {len(events)}", 0)
    for count, event in enumerate(events, 1):
        disk.replay([event])
        if disk.digest not in seen:
            seen.add(disk.digest)
            yield State(f"after {count} of {len(events)}", count)
