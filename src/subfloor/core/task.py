"""The contract between tasks and everything else.

A task is a definition of *done*: a frozen value with one pure method, ``next_step``. A step holds
its commands and the machine as it will be observed afterwards, so the engine can imagine it (check
mode) or take it and hold what it sees against the promise (apply). No task asks which of the two
it runs in.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import pluggy

from subfloor.core.contributions import Contribution
from subfloor.core.machine import AnySubject, Machine, Subject

hookspec = pluggy.HookspecMarker("subfloor")
hookimpl = pluggy.HookimplMarker("subfloor")


@dataclass(frozen=True)
class Command:
    """One program to run: never through a shell's eyes, always an argv.

    ``stdin`` may hold what must not be seen in a process list; it is never logged or reported.
    ``timeout`` is in seconds; a command that is still running then is killed with its process group.
    ``env`` is added to the environment, which is otherwise ours (LC_ALL=C, TZ=UTC0).
    ``accepts`` are the exit statuses besides 0 that mean success, such as fsck's 1, "errors corrected".
    ``advice``: what to do where it fails, if that can be said better than “fix what it reports”.
    ``patience``: for so many seconds it is run again where it fails, since what it needs may be in use for a
    moment; only for what can be run twice. ``needs``: the disk whose partitions nobody may have open.
    ``demands``: subjects whose value is why the command would fail, "" where it would not. They are looked at
    before anything is touched; what does not hold is refused then.

    A name in ``env`` that is none (POSIX.1, XBD 8.1) is a ``ValueError``.
    """

    argv: tuple[str, ...]
    stdin: bytes = field(default=b"", repr=False)
    timeout: float = 600.0
    env: Mapping[str, str] = field(default_factory=dict)
    accepts: frozenset[int] = frozenset()
    advice: str = ""
    patience: float = 0.0
    needs: str = ""
    demands: tuple[Subject[str], ...] = ()

    def __post_init__(self) -> None:
        for name in self.env:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII):
                raise ValueError(f"{name!r} is not a valid name for an environment variable")

    def went_well(self, status: int) -> bool:
        """Whether it ended as it should, by its exit status."""
        return status == 0 or status in self.accepts


@dataclass(frozen=True)
class Loss:
    """What a step destroys: data on ``device``, described as a person would know it again.

    ``device`` is the path that the play names, ``node`` the kernel's own; consent may name either.
    """

    device: str
    node: str
    what: str


@dataclass(frozen=True)
class Step:
    """One promise: run these commands, and the machine will look like ``after``.

    ``says``: what it does, one line in the imperative. ``destroys``: what is lost by it and needs
    consent. ``locks``: the device nodes of whole disks that it writes to; they are held with flock(2)
    by the commands themselves, from the last look before them to the end of the last of them.
    ``patience``: the seconds that what is promised may take to be seen, where the usual ten are too few.
    """

    says: str
    commands: tuple[Command, ...]
    after: Machine
    destroys: tuple[Loss, ...] = ()
    locks: tuple[str, ...] = ()
    patience: float = 0.0


@dataclass(frozen=True)
class Claim:
    """A UUID that a task gives, and no other device of the machine may carry.

    ``node``: the kernel's own of what gets it; ``disk``: that of the disk it lies on. ``kind``: ``label-id`` (of a
    partition table), ``PARTUUID`` (of its entry) or ``UUID`` (of a filesystem); ``uuid``: as blkid shows it.
    """

    node: str
    disk: str
    kind: str
    uuid: str


class Task(ABC):
    """A definition of *done*. Subclasses are frozen, keyword-only dataclasses whose fields are the
    task's parameters in YAML, each ``Annotated`` with a ``Param``; a field of type ``Identity`` is
    given by the play. The class's docstring is the task's documentation.

    A value that the fields cannot have is a ``ValueError`` from ``__post_init__``.
    """

    key: ClassVar[str]
    """The key that names the task in a playbook. (Not ``name``: partitions have one, as a parameter.)"""

    examples: ClassVar[tuple[str, ...]] = ()
    """Entries of a playbook, as YAML, that show the task in use; a test loads each."""

    @abstractmethod
    def subjects(self) -> frozenset[AnySubject]:
        """Everything that ``next_step`` looks at."""

    @abstractmethod
    def next_step(self, machine: Machine) -> Step | None:
        """What to do next on this machine, or None when the task is satisfied. Pure.

        Raises ``Refused`` when a policy forbids it, ``NotVisible`` when a subject cannot be seen yet.
        """

    def within(self, play: tuple[Task, ...]) -> Task:
        """This task as part of the play that these tasks make up, itself included."""
        return self

    def contributes(self) -> tuple[Contribution, ...]:
        """What the system that is being installed must know of this task's work."""
        return ()

    def claims(self, machine: Machine) -> tuple[Claim, ...]:
        """The UUIDs that are this task's own on this machine, on which it is satisfied. Pure.

        Where another device carries one too the task is refused, whether it has anything left to do or not.
        """
        return ()

    def warnings(self) -> tuple[str, ...]:
        """What a person should know of this task as a part of its play, whatever the machine: one line each.

        A warning keeps nothing from being done; what must not be done is ``Refused`` by ``next_step``.
        """
        return ()

    def warnings_on(self, machine: Machine) -> tuple[str, ...]:
        """The same of what is seen of the machine before the task's first step. Pure."""
        return ()


@hookspec
def subfloor_tasks() -> Iterable[type[Task]]:  # type: ignore[empty-body]
    """The task classes that a plugin brings. The one hook there is."""
