"""What happens in a run, as events for the screen and the log; and the errors that end a run without a fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from subfloor.act.pieces import Result
from subfloor.core.errors import SubfloorError
from subfloor.core.outcome import TaskReport
from subfloor.core.task import Command, Step


@dataclass(frozen=True)
class Looked:
    """A number of subjects was looked at in one script; ``seconds`` is how long that took."""

    subjects: int
    seconds: float


@dataclass(frozen=True)
class TaskStarted:
    """A task starts: it will be asked for its steps."""

    name: str


@dataclass(frozen=True)
class LockAwaited:
    """The next step waits for a lock that another program holds."""

    what: str
    holders: tuple[str, ...]


@dataclass(frozen=True)
class StepStarted:
    """A step's commands are about to run."""

    step: Step


@dataclass(frozen=True)
class StepEnded:
    """A step was taken and verified."""

    step: Step


@dataclass(frozen=True)
class StepPutOff:
    """A step was not taken after all: the machine changed before its commands ran. The task decides again."""

    step: Step


@dataclass(frozen=True)
class CommandRunning:
    """A command has run for ``seconds``, 0 when it starts; ``says``: the last line that it printed."""

    command: Command
    seconds: float
    says: str = ""


@dataclass(frozen=True)
class CommandEnded:
    """A command has ended."""

    command: Command
    result: Result


Event = (
    Looked
    | TaskStarted
    | LockAwaited
    | StepStarted
    | StepEnded
    | StepPutOff
    | CommandRunning
    | CommandEnded
    | TaskReport
)
Listen = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Ignores the event."""


class Interrupted(SubfloorError):
    """The run was interrupted by Ctrl-C, SIGTERM or SIGHUP."""

    def __init__(self, what: str = "interrupted") -> None:
        super().__init__(what, advice="no data is lost: run the same command again to resume")


class Declined(SubfloorError):
    """The user was asked about a step and declined it."""


class Stopped(SubfloorError):
    """The run stopped on this host because others failed."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"stopped, because {why}",
            advice="resolve what failed there, then run the same command again: it resumes on all hosts",
        )
