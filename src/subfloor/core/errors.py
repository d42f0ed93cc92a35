"""The errors. Each one says what is wrong and what to do next.

The reader of an error is root and works on a disk that may hold the only copy of some data.
So no error can be created without advice.
"""


class SubfloorError(Exception):
    """Something that stops a task or a run.

    ``what`` says what is wrong, ``advice`` what to do next; neither ends in a full stop.
    """

    def __init__(self, what: str, *, advice: str) -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.what}\n  → {self.advice}"


class Refused(SubfloorError):
    """A rule forbids the step; nothing was changed."""


class ConsentNeeded(Refused):
    """The step would destroy data, and this run has no consent for it; nothing was changed.

    ``words``: the devices, as consent names them.
    """

    def __init__(self, what: str, *, advice: str, words: tuple[str, ...] = ()) -> None:
        super().__init__(what, advice=advice)
        self.words = words


class NotVisible(SubfloorError):
    """A task's subject lies on a filesystem that exists but is not mounted yet.

    This is not a failure: a check reports it as a separate outcome instead of guessing.
    """


class LookFailed(SubfloorError):
    """A subject could not be looked at (no permission, an unreadable device, a missing probe tool)."""


class CommandFailed(SubfloorError):
    """A command ended with an exit status that means failure, or did not end before its deadline."""


class Unreachable(SubfloorError):
    """A shell on a host could not be started, or it ended during the run."""


class Unverified(SubfloorError):
    """Verification failed: a step's commands succeeded, but the machine is not as the step promised."""


class PluginError(SubfloorError):
    """A plugin broke the contract between tasks and the engine."""


class Fault(SubfloorError):
    """An error in subfloor itself, or in Python, during the work on a host."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(
            f"{type(cause).__name__}: {cause}",
            advice="this is a bug in subfloor: report it with the output of --traceback; "
            "the same command resumes the run",
        )
        self.__cause__ = cause
