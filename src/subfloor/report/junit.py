"""A run as JUnit XML: a suite for each host, a test case for each task; drift is a failure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from subfloor.core.outcome import HostReport, Outcome, TaskReport
from subfloor.report import summary
from subfloor.report.found import as_found, shown
from subfloor.report.markup import escaped
from subfloor.report.run import Run
from subfloor.report.text import word

_FAILURES = (Outcome.WOULD_CHANGE, Outcome.REFUSED)
_SKIPPED = (Outcome.SKIPPED, Outcome.NOT_VISIBLE)

Case = tuple[str, str]
"""A test case: its result (``failure``, ``error``, ``skipped``, or "" if it passed), and its lines of XML."""


def render(run: Run) -> str:
    """The document as text."""
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', *_suites(run), ""])


def _suites(run: Run) -> Iterator[str]:
    suites = [(host.host, list(_of_host(host))) for host in run.hosts]
    if run.problem:
        text = f"{run.problem.what}\n→ {run.problem.advice}"
        suites.append(("subfloor", [_case("subfloor", run.command, "error", run.problem.kind, run.problem.what, text)]))
    every = [case for _, cases in suites for case in cases]
    yield f'<testsuites name="{escaped(run.play or "subfloor")}" {_counts(every)}>'
    for host, cases in suites:
        yield f'<testsuite name="{escaped(host)}" timestamp="{run.time.rstrip("Z")}" {_counts(cases)}>'
        yield from (xml for _, xml in cases)
        yield "</testsuite>"
    yield "</testsuites>"


def _counts(cases: Sequence[Case]) -> str:
    kinds = [kind for kind, _ in cases]
    numbers = {"failures": kinds.count("failure"), "errors": kinds.count("error"), "skipped": kinds.count("skipped")}
    return " ".join([f'tests="{len(cases)}"', *(f'{name}="{number}"' for name, number in numbers.items())])


def _of_host(host: HostReport) -> Iterator[Case]:
    yield from (_of_task(host.host, task) for task in host.tasks)
    if host.error:
        told = f"{host.error.what}\n→ {host.error.advice}"
        yield _case(host.host, "host", "error", type(host.error).__name__, host.error.what, told)


def _of_task(host: str, task: TaskReport) -> Case:
    says = task.error.what.partition("\n")[0] if task.error else "; ".join(taken.step.says for taken in task.steps)
    return _case(host, task.name, _kind(task), str(task.repair), says or task.note, "\n".join(_told(task)))


def _kind(task: TaskReport) -> str:
    if task.outcome is Outcome.FAILED:
        return "error"
    if task.cause or task.outcome in _SKIPPED:
        return "skipped"
    return "failure" if task.outcome in _FAILURES else ""


def _told(task: TaskReport) -> Iterator[str]:
    yield from filter(None, (f"{word(task.outcome)}; {summary.REPAIRS[task.repair]}",))
    yield from (f"blocked by “{task.cause}”",) if task.cause else ()
    yield from (f"destroys what is on {loss.what}" for taken in task.steps for loss in taken.step.destroys)
    yield from (f"found {as_found(each)}" for each in shown(task))
    yield from (task.error.what, f"→ {task.error.advice}") if task.error and not task.repeats else ()


def _case(host: str, name: str, kind: str, type: str, message: str, text: str) -> Case:
    start = f'<testcase classname="{escaped(host)}" name="{escaped(name)}"'
    if not kind:
        return kind, f"{start}/>"
    about = "" if kind == "skipped" else f' type="{escaped(type)}"'
    return kind, f'{start}><{kind}{about} message="{escaped(message)}">{escaped(text)}</{kind}></testcase>'
