"""Small subjects, tasks and entries that tests of the engine are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from subfloor.core.errors import Refused
from subfloor.core.machine import AnySubject, Machine, Output, Subject
from subfloor.core.task import Command, Loss, Step, Task


@dataclass(frozen=True)
class Number(Subject[int]):
    """A number in a file."""

    path: str = "/nowhere"

    def __str__(self) -> str:
        return f"number {self.path}"

    def probes(self) -> tuple[str, ...]:
        return (f"cat {self.path} || echo 0",)

    def parse(self, *outputs: Output) -> int:
        return int(outputs[0].text)


@dataclass(frozen=True, kw_only=True)
class Count(Task):
    """Counts a number up to a goal, one a step."""

    key: ClassVar[str] = "count"
    path: str = "/nowhere"
    to: int = 3
    promise: int = 1
    destroys: tuple[Loss, ...] = ()
    script: str = 'echo $(($(cat "$1" || echo 0) + 1)) > "$1.new" && mv "$1.new" "$1"'
    refuses_at: int = -1

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset({Number(self.path)})

    def next_step(self, machine: Machine) -> Step | None:
        now = machine[Number(self.path)]
        if now == self.refuses_at:
            raise Refused(f"{now} is not to be gone beyond", advice="ask for less")
        if now >= self.to:
            return None
        return Step(
            says=f"Count to {now + self.promise}",
            commands=(Command(("sh", "-c", self.script, "sh", self.path), timeout=30.0),),
            after=machine.with_(Number(self.path), now + self.promise),
            destroys=self.destroys,
        )


@dataclass(frozen=True)
class AnEntry:
    """An entry of a play."""

    task: Task | None
    name: str = "counting"
    key: str = "count"
    why_skipped: str = ""


def failing(what: Callable[[], None]) -> type[Count]:
    """A task whose plugin fails while deciding."""

    class Failing(Count):
        def next_step(self, machine: Machine) -> Step | None:
            what()
            return None

    return Failing
