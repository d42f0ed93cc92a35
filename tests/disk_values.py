"""What is common to tests that imagine disks."""

from __future__ import annotations

from collections.abc import Iterable

from subfloor.machine import AnySubject, Machine
from subfloor.subjects.disk import FreeSpace


def nothing_left(subjects: Iterable[AnySubject]) -> Machine:
    """A look at free space that holds nothing any more."""
    asked = tuple(subjects)
    assert all(isinstance(subject, FreeSpace) for subject in asked), asked
    return Machine(dict.fromkeys(asked, ()))
