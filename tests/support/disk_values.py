"""What is common to tests that imagine disks."""

from __future__ import annotations

from collections.abc import Iterable

from subfloor.core.machine import AnySubject, Machine
from subfloor.observe.disk import FreeSpace, Holdings
from subfloor.observe.holders import Holders
from subfloor.observe.layers import Layer
from subfloor.observe.layers.member import Member


def nothing_left(subjects: Iterable[AnySubject]) -> Machine:
    """A look at a disk that finds nothing in its free space, and no more in its partitions than was seen before."""
    asked = tuple(subjects)
    assert all(isinstance(subject, FreeSpace | Holdings | Member | Holders) for subject in asked), asked
    return Machine({subject: Layer() if isinstance(subject, Member) else () for subject in asked})
