"""Run the commands of a step and look at the result, in one request if every command succeeds."""

from __future__ import annotations

import contextlib
import shlex
import signal
import time
from collections.abc import Iterator, Sequence
from functools import partial

from subfloor.act import pieces
from subfloor.act.events import CommandEnded, CommandRunning, Interrupted, Listen
from subfloor.act.look import Look, look
from subfloor.act.pieces import Piece, Result
from subfloor.act.session import Session
from subfloor.core.errors import CommandFailed
from subfloor.core.task import Command
from subfloor.observe.open_partitions import DeviceUser, DeviceUsers

_ANOTHER_TRY = 0.5
"""Seconds in which a failed command is repeated if no program is seen to have its devices open."""

_TRIES = 4
"""How many tries are made if no such program is seen, even if they take longer than ``_ANOTHER_TRY``. On a busy machine
several programs may open the device one after another, and each may have closed it before subfloor looks."""


class Commands:
    """Runs commands on a host, and reports what they do."""

    def __init__(self, shell: Session, listen: Listen) -> None:
        self._shell, self._listen = shell, listen
        self._runs: Command | None = None

    def carry_out(self, commands: Sequence[Command], then: Look) -> Result:
        """Run the commands, then make the look ``then``; returns the result of the look.

        A command that fails is repeated for up to ``patience`` seconds. Raises ``CommandFailed``, ``Interrupted``,
        and what ``Session.perform`` raises.
        """
        left, failing = tuple(commands), None
        while True:
            *ended, last = self._sent(left, then)
            if len(ended) == len(left):
                return last
            left, began = left[len(ended) :], time.monotonic() - last.seconds
            if ended or failing is None:
                failing = _Failing(left[0], began)
            openers = self._openers(left[0])
            if not failing.is_tried_again(began, openers):
                raise _failure(left[0], last, openers)
            time.sleep(next(failing.pauses))

    def _sent(self, commands: Sequence[Command], then: Look) -> list[Result]:
        try:
            return self._performed(commands, then)
        except KeyboardInterrupt as error:
            if self._runs is None:
                raise
            raise Interrupted(f"interrupted; `{shlex.join(self._runs.argv)}` was stopped") from error
        finally:
            self._runs = None

    def _performed(self, commands: Sequence[Command], then: Look) -> list[Result]:
        return self._shell.perform([*map(self._piece, commands), then.piece])

    def _piece(self, command: Command) -> Piece:
        return pieces.command(
            command.argv,
            stdin=command.stdin,
            timeout=command.timeout,
            env=command.env,
            accepts=command.accepts,
            tick=lambda seconds, says: self._listen(CommandRunning(command, seconds, says)),
            begun=partial(self._begun, command),
            ended=partial(self._ended, command),
        )

    def _begun(self, command: Command) -> None:
        self._runs = command
        self._listen(CommandRunning(command, 0.0))

    def _ended(self, command: Command, result: Result) -> None:
        self._runs = None
        self._listen(CommandEnded(command, result))

    def _openers(self, command: Command) -> tuple[DeviceUser, ...]:
        """The programs that are seen to have a partition of ``command.needs`` open; empty if it needs no disk."""
        subject = DeviceUsers(command.needs)
        return look(self._shell, {subject})[subject] if command.needs else ()


class _Failing:
    """A command that fails, and whether to try it again. ``began``: when the first try started."""

    def __init__(self, command: Command, began: float) -> None:
        self.pauses = pauses()
        self._patience, self._since, self._unseen = command.patience, began, 0

    def is_tried_again(self, began: float, openers: Sequence[DeviceUser]) -> bool:
        """Whether to try again, after the try that started at ``began`` has failed.

        The time is counted up to the start of this try, since a program that had the device open may have closed it
        after the failure.
        """
        self._unseen = 0 if openers else self._unseen + 1
        is_disturbed = openers or self._unseen < _TRIES
        return began - self._since < (self._patience if is_disturbed else min(self._patience, _ANOTHER_TRY))


def pauses() -> Iterator[float]:
    """Seconds between two tries: each pause is twice as long as the one before, up to 1 s."""
    pause = 0.02
    while True:
        yield pause
        pause = min(2 * pause, 1.0)


def _failure(command: Command, result: Result, openers: Sequence[DeviceUser]) -> CommandFailed:
    said = _excerpt((result.stderr or result.stdout).decode("utf-8", "replace").strip().splitlines())
    return CommandFailed(
        f"`{shlex.join(command.argv)}` {_how_it_ended(result.status)}"
        + (":\n    " + "\n    ".join(said) if said else ", and printed nothing")
        + "".join(f"\n    {opener}" for opener in openers),
        advice=f"{command.advice or 'fix what it reports'}, then run the same command again to resume",
    )


def _excerpt(lines: list[str]) -> list[str]:
    """The beginning and the end of a program's output, since some print the reason first and explain it later."""
    return lines if len(lines) <= 2 * _SHOWN else [*lines[:_SHOWN], "…", *lines[-_SHOWN:]]


_SHOWN = 6


def _how_it_ended(status: int) -> str:
    """How a program ended, in words. After a signal the status is 128 plus the signal's number (POSIX.1, XCU 2.8.2)."""
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(status - 128).name} (status {status})"
    return f"ended with status {status}"
