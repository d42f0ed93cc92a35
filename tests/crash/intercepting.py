"""Do something else in the place of a command of a run. The commands of a step are then sent one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from subfloor.act.commands import Commands
from subfloor.act.look import Look
from subfloor.act.pieces import Result
from subfloor.core.task import Command

Run = Callable[[Command], Result]
"""Runs a command on the host."""


def intercept(instead: Callable[[Run, Command], Result]) -> None:
    """Have every command of this process's runs done by something that is given what would run it."""

    def performed(self: Commands, commands: Sequence[Command], then: Look) -> list[Result]:
        results = []
        for command in commands:
            results.append(instead(lambda each: self._shell.perform([self._piece(each)])[0], command))
            if not command.went_well(results[-1].status):
                return results
        return [*results, *self._shell.perform([then.piece])]

    Commands._performed = performed  # type: ignore[method-assign]
