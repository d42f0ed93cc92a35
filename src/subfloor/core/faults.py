"""Call a plugin's code; an exception or an answer of the wrong type becomes a ``PluginError``."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from subfloor.core.errors import PluginError, SubfloorError
from subfloor.core.machine import LookNeeded

T = TypeVar("T")

RAISED = (Exception, SystemExit)
"""What a plugin may raise by mistake. ``sys.exit(0)`` in a plugin must not end a run with success."""


def asked(asker: object, what: str, question: Callable[[], T], fits: Callable[[T], bool]) -> T:
    """The answer of a plugin's object. Raises ``PluginError`` if the answer does not fit, or if the plugin raises.

    ``what``: what failed, such as “failed to decide on its next step”. A ``SubfloorError`` is passed on unchanged.
    """
    try:
        answer = question()
        fitting = fits(answer)
    except (SubfloorError, LookNeeded):
        raise
    except RAISED as error:
        raise _fault(asker, f"{what} ({place(error)}{type(error).__name__}: {error})") from error
    if not fitting:
        raise _fault(asker, f"{what} ({_source(type(asker))}: it returns {_shown(answer)})")
    return answer


def place(error: BaseException) -> str:
    """The file and line where an error was raised, as a prefix of its message."""
    if isinstance(error, SyntaxError):
        return ""  # its text names file and line
    frames = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in frames if not frame.filename.startswith("<")]
    return f"{outside[-1].filename}:{outside[-1].lineno}: " if outside else ""


def _fault(asker: object, what: str) -> PluginError:
    return PluginError(
        f"{_called(asker)} {what}",
        advice="this is a bug in the plugin: fix it there, or report it; --traceback shows where",
    )


def _called(asker: object) -> str:
    """The name of a plugin's object in a message: a task's key, or a subject's class with its file and line."""
    key = getattr(type(asker), "key", None)
    return (
        f"the task {key}" if isinstance(key, str) else f"the subject {type(asker).__name__} of {_source(type(asker))}"
    )


def _source(class_: type) -> str:
    """The file and line of a class."""
    try:
        return f"{inspect.getsourcefile(class_)}:{inspect.getsourcelines(class_)[1]}"
    except (OSError, TypeError):
        return class_.__module__


def _shown(answer: Any) -> str:
    try:
        return f"{answer!r:.60} ({type(answer).__name__})"
    except RAISED:
        return f"a {type(answer).__name__}"
