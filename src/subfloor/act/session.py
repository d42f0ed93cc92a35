"""The interface to a host: run pieces of sh there, and hold locks while they run.

There are two ways: a shell that stays open (``host``), and a script for each request (``by_script``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from threading import Event
from typing import Protocol

from subfloor.act.pieces import Piece, Result
from subfloor.core.errors import SubfloorError

Waiting = Callable[[str, Sequence[str]], None]
"""Called before waiting for a lock, with the name of the lock and its holders."""


class Moved(SubfloorError):
    """The machine has changed since a step was decided. None of the step's commands ran; the step is decided again."""

    def __init__(self) -> None:
        super().__init__("the machine changed before the step began", advice="run the same command again")


class Session(Protocol):
    """Runs pieces of sh on a host, one request after another."""

    def perform(self, asked: Sequence[Piece]) -> list[Result]:
        """Run pieces of sh one after another, in one request; returns the results of those that ran.

        A piece runs only if the piece before has succeeded. Raises ``CommandFailed``, ``Unreachable``,
        and ``Moved`` in a session that holds no lock between two requests.
        """

    def locked(
        self, devices: Sequence[str], waiting: Waiting = ..., then: Sequence[Piece] = ...
    ) -> AbstractContextManager[Sequence[Result]]:
        """Hold an exclusive flock(2) on device nodes, or on the machine if there are none.

        The pieces of ``then`` run under the locks; the value of the context is their results. Raises ``Refused`` if
        another program holds a lock for longer than 20 s, or if a device is gone.
        """

    def holds(self, devices: Sequence[str]) -> bool:
        """Whether the locks that ``locked`` would take are still held from the last step."""

    def release(self) -> None:
        """Release the locks of the last step now, because no step follows for a while."""


class Reach(Protocol):
    """A host: its name, and how to open a session on it."""

    @property
    def name(self) -> str:
        """The name of the host in the inventory."""

    def shell(self, interrupt: Event | None = None) -> AbstractContextManager[Session]:
        """A session on the host. ``interrupt`` ends the running command. Raises ``Unreachable``."""
