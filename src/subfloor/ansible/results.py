"""The result of a task of Ansible, from subfloor's report on one host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from subfloor.ansible import consenting
from subfloor.ansible.names import DESTROY
from subfloor.core.errors import ConsentNeeded, SubfloorError, Unreachable
from subfloor.core.machine import Difference
from subfloor.core.outcome import HostReport, Outcome, TaskReport
from subfloor.playbook.positions import PlaybookError
from subfloor.report.found import shown
from subfloor.report.values import as_text, content, spelt

_CHANGES = (Outcome.CHANGED, Outcome.WOULD_CHANGE)

_WORDS: Sequence[tuple[str, str]] = (
    ("--destroy ", f"{DESTROY}: "),
    ("run this as root", "set `become: true` for the task"),
    ("-e subfloor_machine=any", "`-e subfloor_machine=any`"),
)
"""Texts that messages contain for users of subfloor's command line, each with the text that replaces it in Ansible."""


_ABOUT_OTHERS = "no task of the play"
"""The beginning of warnings that another task of the play is missing. They are left out for a single task, which cannot
know the other tasks."""


def result_of(report: HostReport, *, single: bool, diff: bool) -> dict[str, Any]:
    """The result: `changed`, `failed`, `msg`, `diff`, `warnings`, and the outcome of each task.

    ``single``: the report is on one task; then the result has its outcome and steps, and no list of tasks.
    """
    errors = tuple(_errors(report))
    result: dict[str, Any] = {
        "changed": any(task.outcome in _CHANGES for task in report.tasks if task.steps),
        "failed": bool(errors),
        "outcome": str(report.outcome),
    }
    if any(isinstance(error, Unreachable) for error in errors):
        result |= {"unreachable": True, "failed": False}
    if errors:
        result["msg"] = "\n".join(dict.fromkeys(map(words, errors)))
    if warnings := [each for each in _warnings(report) if not (single and each.startswith(_ABOUT_OTHERS))]:
        result["warnings"] = warnings
    if diff:
        result["diff"] = [each for task in report.tasks for each in differences(task)]
    tasks = [_task(task) for task in report.tasks]
    if not single:
        return {**result, "tasks": tasks}
    return result | ({name: tasks[0][name] for name in ("outcome", "steps")} if tasks else {})


def _errors(report: HostReport) -> Iterator[SubfloorError]:
    if report.error:
        yield report.error
    yield from (task.error for task in report.tasks if task.error and task.outcome is not Outcome.NOT_VISIBLE)


def words(error: SubfloorError) -> str:
    """An error and the errors found together with it, each with its advice, in the words of Ansible's users."""
    told = error.all if isinstance(error, PlaybookError) else (error,)
    return "\n".join(map(_in_words, told))


def _in_words(error: SubfloorError) -> str:
    advised = consenting.advice(error) if isinstance(error, ConsentNeeded) else error.advice
    where = f"{error.where}: " if isinstance(error, PlaybookError) else ""
    what = error.what
    for own, other in _WORDS:
        what, advised = what.replace(own, other), advised.replace(own, other)
    return spelt(f"{where}{what} → {advised}")


def _warnings(report: HostReport) -> Iterator[str]:
    for task in report.tasks:
        yield from (spelt(warning) for warning in task.warnings)
        if task.error and task.outcome is Outcome.NOT_VISIBLE:
            yield f"{spelt(task.name)}: {words(task.error)}"
    yield from (f"{each.source} was not looked into: {each.unseen}" for each in report.unmounted if each.unseen)


def _task(task: TaskReport) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": spelt(task.name),
        "task": task.task,
        "outcome": str(task.outcome),
        "steps": [spelt(taken.step.says) for taken in task.steps],
    }
    if task.note:
        found["note"] = spelt(task.note)
    return found


def differences(task: TaskReport) -> Iterator[dict[str, str]]:
    """What a task changes, as Ansible shows differences: one text before and one after, for each subject."""
    for subject, changes in groupby(shown(task), key=lambda each: each.subject):
        every = tuple(changes)
        texts = next(((content(each.before), content(each.after)) for each in every if _is_text(each)), None)
        before, after = texts or ("\n".join(map(_before, every)), "\n".join(map(_after, every)))
        name = spelt(subject)
        yield {
            "before_header": name,
            "after_header": name,
            "before": _ended(before or ""),
            "after": _ended(after or ""),
        }


def _is_text(difference: Difference) -> bool:
    return content(difference.after) is not None


def _before(difference: Difference) -> str:
    return _line(difference.property, difference.before)


def _after(difference: Difference) -> str:
    return _line(difference.property, difference.after)


def _line(name: str, value: Any) -> str:
    return f"{name}: {spelt(as_text(value, name))}" if name else spelt(as_text(value, name))


def _ended(text: str) -> str:
    return text if text.endswith("\n") or not text else f"{text}\n"


def invocation(arguments: Mapping[str, Any], secret: frozenset[str]) -> dict[str, Any]:
    """The arguments of the task, as its result repeats them. ``secret``: the arguments whose values are hidden."""
    hidden = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    return {"module_args": {name: hidden if name in secret else each for name, each in arguments.items()}}
