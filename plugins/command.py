"""`command`: a command with a condition that makes it idempotent."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from subfloor.plugin import (
    AnySubject,
    Located,
    Machine,
    NotYetVisible,
    Output,
    Param,
    Step,
    Subject,
    Task,
    checked,
    hookimpl,
    seen,
)
from subfloor.plugin import Command as Argv


@dataclass(frozen=True)
class Exists(Located[bool | NotYetVisible]):
    """Whether a path exists, even as a symbolic link that leads nowhere."""

    path: str

    def __str__(self) -> str:
        return f"whether {self.path} exists"

    def probes(self) -> tuple[str, ...]:
        path = shlex.quote(self.path)
        return (f"[ -e {path} ] || [ -L {path} ]",)

    def parse(self, *outputs: Output) -> bool:
        return outputs[0].status == 0

    def in_empty(self) -> bool:
        return False


@dataclass(frozen=True)
class Condition(Subject[bool]):
    """Whether a piece of sh exits with status 0. It must not change anything."""

    script: str
    patience = 120.0

    def __str__(self) -> str:
        return f"condition `{self.script}`"

    def probes(self) -> tuple[str, ...]:
        # The output is not used. A process that the script leaves behind must not keep it open.
        return (f"exec >/dev/null\n{self.script}",)

    def parse(self, *outputs: Output) -> bool:
        return outputs[0].status == 0


@dataclass(frozen=True, kw_only=True)
class Command(Task):
    """Run a command unless its result already exists.

    For jobs that have no task of their own. `creates` names a path that the command makes; `unless` is a piece
    of sh that must change nothing, since a check runs it too. One of the two is required: without it subfloor
    cannot tell whether the command is needed. subfloor asks for no consent before the command runs, so the command
    must not touch a disk that holds data.
    """

    key: ClassVar[str] = "command"
    examples: ClassVar[tuple[str, ...]] = (
        "command: {argv: [ssh-keygen, -q, -N, '', -f, /mnt/nix/persist/key], creates: /mnt/nix/persist/key}",
        "command: {script: 'modprobe nvme_tcp', unless: 'test -d /sys/module/nvme_tcp'}",
    )

    argv: Annotated[tuple[str, ...], Param("The program and its arguments; they do not pass through a shell")] = ()
    script: Annotated[str, Param("A piece of sh, instead of `argv`; it stops at the first command that fails")] = ""
    creates: Annotated[
        str, Param("An absolute path that the command creates; if it exists, the command is not run")
    ] = ""
    unless: Annotated[str, Param("A piece of sh; if it exits with status 0, the command is not run")] = ""
    timeout: Annotated[int, Param("Timeout in seconds", minimum=1)] = 600

    def __post_init__(self) -> None:
        if bool(self.argv) == bool(self.script):
            raise ValueError("argv: give either `argv` or `script`")
        if not self.creates and not self.unless:
            raise ValueError("creates: give `creates` or `unless`, so that subfloor can tell when it is done")
        if self.creates:
            checked("creates", _check_absolute, self.creates)

    def subjects(self) -> frozenset[AnySubject]:
        exists = {Exists(self.creates)} if self.creates else set()
        return frozenset(exists | ({Condition(self.unless)} if self.unless else set()))

    def next_step(self, machine: Machine) -> Step | None:
        if self.unless and machine[Condition(self.unless)]:
            return None
        if self.creates and seen(machine, Exists(self.creates)):
            return None
        return Step(
            says=f"Run `{self._shown}`",
            commands=(Argv(self.argv or ("sh", "-euc", self.script), timeout=float(self.timeout)),),
            after=machine.updated(dict.fromkeys(self.subjects(), True)),
        )

    @property
    def _shown(self) -> str:
        return shlex.join(self.argv) if self.argv else " ".join(self.script.split())


def _check_absolute(path: str) -> None:
    if not path.startswith("/"):
        raise ValueError(f"{path!r} is not an absolute path")


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return (Command,)
