"""Lists of the hosts, tasks and tags of a playbook, and its errors. No disk is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from subfloor.act.work import Work
from subfloor.playbook.entries import Entry
from subfloor.playbook.job import Job, Request, read_job
from subfloor.report.screen import Screen, outcome_of, standard, style_for


@dataclass(frozen=True)
class Wanted:
    """Which lists to print. If all are False, only errors of the playbook are reported."""

    hosts: bool = False
    tasks: bool = False
    tags: bool = False


def show(request: Request, wanted: Wanted) -> int:
    """Print these lists; returns the exit status. Raises ``PlaybookError`` with all errors of the playbook."""
    job = read_job(request)
    screen = Screen(standard())
    style = style_for(standard())
    lines = [line for name, list_ in _LISTS.items() if getattr(wanted, name) for line in list_(job)]
    screen.print(style.clean(line) for line in lines or _no_errors(job, request))
    return outcome_of(screen, 0)


def _no_errors(job: Job, request: Request) -> Iterator[str]:
    tasks = sum(len(work.entries) for work in job.works)
    yield f"{request.playbook}: no errors; {_count(tasks, 'task')} on {_count(len(job.works), 'host')}"


def _hosts(job: Job) -> Iterator[str]:
    yield f"{_count(len(job.works), 'host')}:"
    yield from (f"  {work.host.name}" for work in job.works)


def _tags(job: Job) -> Iterator[str]:
    tags = sorted({tag for work in job.works for entry in work.entries for tag in _tags_of(entry)})
    yield f"{_count(len(tags), 'tag')}: {', '.join(tags)}" if tags else "0 tags"


def _tags_of(entry: object) -> frozenset[str]:
    return entry.tags if isinstance(entry, Entry) else frozenset()


def _tasks(job: Job) -> Iterator[str]:
    for work in job.works:
        yield f"{work.host.name}, {_count(len(work.entries), 'task')}:"
        yield from _of_host(work)


def _of_host(work: Work) -> Iterator[str]:
    for entry in work.entries:
        named = ", ".join(sorted(_tags_of(entry)))
        tags = f"  [{named}]" if named else ""
        why = f"  (skipped: {entry.why_skipped})" if entry.task is None else ""
        yield f"  {entry.name}{tags}{why}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


_LISTS: Mapping[str, Callable[[Job], Iterator[str]]] = {"hosts": _hosts, "tasks": _tasks, "tags": _tags}
