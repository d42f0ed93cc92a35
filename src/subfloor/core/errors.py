"""What can go wrong, and the rule that every error ends with what to do next.

Whoever reads these messages is root in front of a disk that may hold the only
copy of something. So no error can be made without its way out.
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
    """A policy says no, before anything is touched."""


class NotVisible(SubfloorError):
    """A task's subject lies on a filesystem that exists but is not mounted yet.

    Not an error in itself: a check reports it as an outcome of its own, rather than guess.
    """


class LookFailed(SubfloorError):
    """A subject could not be looked at (no permission, an unreadable device, a missing probe tool)."""


class CommandFailed(SubfloorError):
    """A command ended with another exit status than 0, or not before its deadline."""


class Unreachable(SubfloorError):
    """No shell could be had on a host."""


class Unverified(SubfloorError):
    """A step's commands succeeded, and the machine is not as the step promised."""


class PluginError(SubfloorError):
    """A plugin broke the contract between tasks and the engine."""


class Fault(SubfloorError):
    """Something failed in subfloor itself, or in Python, while a host was being worked on."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(
            f"{type(cause).__name__}: {cause}",
            advice="this is a bug in subfloor: report it with the output of --traceback; "
            "the same command resumes the run",
        )
        self.__cause__ = cause
