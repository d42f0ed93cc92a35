"""The contract between tasks and the rest of subfloor.

A task defines a desired state: a frozen value with one pure method, ``next_step``. A step holds its commands and
the machine as it will be seen afterwards. So the engine can simulate the step (check), or run it and compare the
machine with the promise (apply). No task asks in which of the two it runs.
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
    """One program to run: always an argv that no shell interprets.

    ``stdin`` may hold data that must not appear in a process list; it is never logged or reported.
    ``timeout`` is in seconds; a command that is still running then is killed with its process group.
    ``env`` is added to the environment, which is otherwise fixed (LC_ALL=C, TZ=UTC0).
    ``accepts``: the exit statuses besides 0 that mean success, such as fsck's 1, "errors corrected".
    ``advice``: what to do if it fails, if there is better advice than the general one.
    ``patience``: for this many seconds the command is repeated if it fails, since what it needs may be in use for a
    moment; only for commands that can be run twice. ``needs``: the disk whose partitions no program may have open.
    ``demands``: subjects whose value is the reason why the command would fail, "" if it would not. They are looked
    at before anything is changed; a reason then refuses the task.

    An invalid name in ``env`` (POSIX.1, XBD 8.1) is a ``ValueError``.
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
        """Whether this exit status means success."""
        return status == 0 or status in self.accepts


@dataclass(frozen=True)
class Loss:
    """What a step destroys: data on ``device``; ``what`` describes it so that a person recognises it.

    ``device`` is the path in the play, ``node`` the kernel's name. Consent may name either of them, or one of
    ``disks``: the disks that the device lies on, if its name does not show these.
    """

    device: str
    node: str
    what: str
    disks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One promise: run these commands, and the machine will look like ``after``.

    ``says``: what it does, one line in the imperative. ``destroys``: the data that it destroys, which needs
    consent. ``locks``: the device nodes of whole disks that it writes to; they are locked with flock(2) from the
    last look before the commands to the end of the last command.
    ``patience``: the seconds until the promise must be seen, if the usual ten are too few.
    """

    says: str
    commands: tuple[Command, ...]
    after: Machine
    destroys: tuple[Loss, ...] = ()
    locks: tuple[str, ...] = ()
    patience: float = 0.0


@dataclass(frozen=True)
class Claim:
    """A UUID that a task assigns, and that no other device of the machine may have.

    ``node``: the kernel's node of the device that gets the UUID; ``disk``: the node of its disk. ``kind``: ``label-id``
    (of a partition table), ``PARTUUID`` (of its entry) or ``UUID`` (of a filesystem); ``uuid``: as blkid shows it.
    """

    node: str
    disk: str
    kind: str
    uuid: str


class Task(ABC):
    """A desired state, and the steps to it. Subclasses are frozen, keyword-only dataclasses. Their fields are the
    task's parameters in YAML, each ``Annotated`` with a ``Param``; the play fills a field of type ``Identity``.
    The class's docstring is the task's documentation.

    ``__post_init__`` raises ``ValueError`` for a value that a field cannot have.
    """

    key: ClassVar[str]
    """The key that names the task in a playbook. (Not ``name``: partitions have a parameter of that name.)"""

    examples: ClassVar[tuple[str, ...]] = ()
    """Playbook entries in YAML that show how to use the task; a test loads each."""

    alone: ClassVar[str] = ""
    """Why the task is wrong without the other tasks of its play, as the rest of a sentence; empty if it is right."""

    @abstractmethod
    def subjects(self) -> frozenset[AnySubject]:
        """Everything that ``next_step`` looks at."""

    @abstractmethod
    def next_step(self, machine: Machine) -> Step | None:
        """What to do next on this machine, or None if the task is satisfied. Pure.

        Raises ``Refused`` if a rule forbids that, ``NotVisible`` if a subject cannot be seen yet.
        """

    def within(self, play: tuple[Task, ...]) -> Task:
        """This task, completed with what it needs from the play. ``play``: all of its tasks, including this one."""
        return self

    def contributes(self) -> tuple[Contribution, ...]:
        """What the configuration of the installed system must contain because of this task."""
        return ()

    def claims(self, machine: Machine) -> tuple[Claim, ...]:
        """The UUIDs that this task assigns, on a machine on which it is satisfied. Pure.

        If another device has one of them too, the task is refused, whether it has anything left to do or not.
        """
        return ()

    def warnings(self) -> tuple[str, ...]:
        """Warnings about this task in its play, for any machine: one line each.

        A warning prevents nothing; what must not be done is ``Refused`` by ``next_step``.
        """
        return ()

    def warnings_on(self, machine: Machine) -> tuple[str, ...]:
        """Warnings about the machine as it is before the task's first step: one line each. Pure."""
        return ()


@hookspec
def subfloor_tasks() -> Iterable[type[Task]]:  # type: ignore[empty-body]
    """The task classes of a plugin. This is the only hook."""
