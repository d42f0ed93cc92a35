"""Tasks to test the command line with: they work on files, through a subject kind of their own."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from subfloor.core.errors import NotVisible, Refused
from subfloor.core.machine import AnySubject, Machine, Output, Subject
from subfloor.core.parameters import Param
from subfloor.core.task import Command, Loss, Step, Task, hookimpl


@dataclass(frozen=True)
class Written:
    """What a note says; nothing where there is none."""

    says: str = ""


@dataclass(frozen=True)
class Note(Subject[Written]):
    """A note, which is a file."""

    path: str

    def __str__(self) -> str:
        return f"note {self.path}"

    def probes(self) -> tuple[str, ...]:
        return (f"cat -- {shlex.quote(self.path)}",)

    def parse(self, *outputs: Output) -> Written:
        return Written(outputs[0].text)


@dataclass(frozen=True, kw_only=True)
class WriteNote(Task):
    """A note that says this."""

    key: ClassVar[str] = "note"
    examples: ClassVar[tuple[str, ...]] = ("note: {path: /tmp/note, says: hello}",)

    path: Annotated[str, Param("The file")]
    says: Annotated[str, Param("What it says")]
    sleep: Annotated[int, Param("How many seconds it takes", minimum=0)] = 0
    deaf: Annotated[bool, Param("It does not heed SIGTERM meanwhile")] = False
    how: Annotated[Literal["well", "raise", "refuse", "fail", "lie", "unseen", "no-tool"], Param("How it is done")] = (
        "well"
    )

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset({Note(self.path)})

    def next_step(self, machine: Machine) -> Step | None:
        note = Note(self.path)
        if machine[note].says == self.says:
            return None
        if self.how == "raise":
            raise RuntimeError("the pen is empty")
        if self.how == "refuse":
            raise Refused("nothing is written on a Sunday", advice="wait for Monday")
        if self.how == "unseen":
            raise NotVisible("the paper is in a drawer", advice="open it")
        return Step(f"Write {self.says!r} to {self.path}", self._commands(), machine.with_(note, Written(self.says)))

    def _commands(self) -> tuple[Command, ...]:
        if self.how == "fail":
            return (Command(("sh", "-c", "echo the ink is dry >&2; exit 3")),)
        if self.how == "lie":
            return (Command(("true",)),)
        if self.how == "no-tool":
            return (Command(("no-such-quill", self.path)),)
        sleep = ("sleep", str(self.sleep))
        deaf = ("sh", "-c", "trap '' TERM; \"$@\"; true", "sh") if self.deaf else ()
        wait = (Command((*deaf, *sleep)),) if self.sleep else ()
        return (*wait, Command(("tee", "--", self.path), stdin=self.says.encode()))


@dataclass(frozen=True, kw_only=True)
class EraseNote(Task):
    """No note."""

    key: ClassVar[str] = "erase-note"

    path: Annotated[str, Param("The file")]
    device: Annotated[str, Param("The device that it counts as")] = "/dev/toy"

    def subjects(self) -> frozenset[AnySubject]:
        return frozenset({Note(self.path)})

    def next_step(self, machine: Machine) -> Step | None:
        note = Note(self.path)
        if not machine[note].says:
            return None
        return Step(
            says=f"Erase {self.path}",
            commands=(Command(("rm", "--", self.path)),),
            after=machine.with_(note, Written()),
            destroys=(Loss(self.device, "/dev/toy0", f"{self.device} (1.0 GiB Toy serial 7): {machine[note].says!r}"),),
        )


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (WriteNote, EraseNote)
