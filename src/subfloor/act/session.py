"""What the work on a host needs of the way to it: pieces of sh that run there, and locks around them.

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
    """What a step was decided on is no longer so. None of its commands ran: it is decided again."""

    def __init__(self) -> None:
        super().__init__("the machine changed before the step began", advice="run the same command again")


class Session(Protocol):
    """Runs pieces of sh on a host, one request after another."""

    def perform(self, asked: Sequence[Piece]) -> list[Result]:
        """Run pieces of sh one after another, in one request; the results of those that ran.

        A piece runs if the one before ended with a status that it accepts. Raises ``CommandFailed``, ``Unreachable``,
        and ``Moved`` in a session that holds no lock between two requests.
        """

    def locked(
        self, devices: Sequence[str], waiting: Waiting = ..., then: Sequence[Piece] = ...
    ) -> AbstractContextManager[Sequence[Result]]:
        """Hold an exclusive flock(2) on device nodes, or on the machine if there are none; the results of ``then``.

        Raises ``Refused`` if another program holds a lock for longer than 20 s.
        """

    def holds(self, devices: Sequence[str]) -> bool:
        """Whether the locks of the last step are those that ``locked`` would take, and nothing has released them."""

    def release(self) -> None:
        """Release the locks of the last step now: nothing follows it for a while."""


class Reach(Protocol):
    """A host by its name, and the way to it."""

    @property
    def name(self) -> str:
        """Its name in the inventory."""

    def shell(self, interrupt: Event | None = None) -> AbstractContextManager[Session]:
        """A session on the host. ``interrupt`` ends what it runs. Raises ``Unreachable``."""
