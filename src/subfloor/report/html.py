"""A run as one self-contained HTML page: the summary first, then hosts, disks, tasks and their differences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from subfloor.core.errors import SubfloorError
from subfloor.core.machine import Difference
from subfloor.core.outcome import HostReport, TaskReport
from subfloor.observe.disk import DiskState
from subfloor.report import summary, svg
from subfloor.report.declared import in_words
from subfloor.report.found import shown, where
from subfloor.report.layout import Drawn, Span, drawn, spans, undeclared
from subfloor.report.markup import escaped
from subfloor.report.mounts import Branch, branches
from subfloor.report.run import Problem, Run
from subfloor.report.style import Style
from subfloor.report.text import about_unmounted, as_undeclared, differences, word
from subfloor.report.values import as_text, content
from subfloor.storage.sizes import rounded

_INDENT = "\N{EM SPACE}"
_STYLE = Path(__file__).with_name("report.css")


def render(run: Run) -> str:
    """The page as text."""
    return "\n".join([*_head(run), *_body(run), "</html>", ""])


def _head(run: Run) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="color-scheme" content="light dark">'
    yield f"<title>subfloor {escaped(summary.headline(run))}</title>"
    yield f"<style>\n{_STYLE.read_text('utf-8')}</style>\n</head>"


def _body(run: Run) -> Iterator[str]:
    yield f'<body>\n<header class="{escaped(run.outcome)}">\n<h1>{escaped(summary.headline(run))}</h1>\n<dl>'
    yield from (f"<div><dt>{name}</dt><dd>{escaped(value)}</dd></div>" for name, value in summary.facts(run))
    yield "</dl>\n</header>\n<main>"
    if run.problem:
        yield from _problem(run.problem)
    if run.hosts:
        yield from _hosts(run)
    for number, host in enumerate(run.hosts):
        yield from _host(host, number)
    yield "</main>\n</body>"


def _problem(problem: Problem) -> Iterator[str]:
    yield f'<p class="error">{escaped(problem.what)}</p>\n<p class="advice">→ {escaped(problem.advice)}</p>'


def _hosts(run: Run) -> Iterator[str]:
    rows = (
        (host.host, word(host.outcome), summary.host_line(host), summary.applied_before_of(host)) for host in run.hosts
    )
    yield "<h2>Hosts</h2>"
    yield from _table(("host", "outcome", "tasks", "before"), rows)


def _table(columns: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    """A table. On a narrow page only the table scrolls. The first cell of each row is the row's heading."""
    yield '<div class="table" tabindex="0" role="group" aria-label="table"><table>\n<thead><tr>'
    yield from (f'<th scope="col">{column}</th>' for column in columns)
    yield "</tr></thead>\n<tbody>"
    for first, *rest in rows:
        cells = "".join(f"<td>{escaped(cell)}</td>" for cell in rest)
        yield f'<tr><th scope="row">{escaped(first)}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _host(host: HostReport, number: int) -> Iterator[str]:
    yield f"<section>\n<h2>{escaped(host.host)}: {escaped(word(host.outcome))}</h2>"
    if stage := summary.applied_before_of(host):
        yield f"<p>{escaped(stage)}</p>"
    if host.error:
        yield from _error(host.error)
    for index, disk in enumerate(drawn(host.survey)):
        yield from _disk(disk, f"disk-{number}-{index}")
    yield from _mounts(branches(host.survey))
    for each in undeclared(host.survey):
        yield f'<p class="note">{escaped(as_undeclared(each))}: no task declares it, so it stays as it is</p>'
    for line in about_unmounted(host):
        yield f'<p class="note">{escaped(line)}</p>'
    for task in host.tasks:
        if summary.is_open(task):
            yield from _task(task)
    yield from _every_task(host)
    yield "</section>"


def _every_task(host: HostReport) -> Iterator[str]:
    if host.tasks:
        yield f"<details>\n<summary>All {len(host.tasks)} tasks</summary>"
        rows = ((task.name, task.task, word(task.outcome), in_words(task.declared)) for task in host.tasks)
        yield from _table(("task", "kind", "outcome", "declared"), rows)
        yield "</details>"


def _disk(disk: Drawn, name: str) -> Iterator[str]:
    yield f"<h3>{escaped(disk.path)} ({escaped(disk.found.about)})</h3>"
    yield from svg.pictures(disk, name)
    found, planned = _numbered(disk.found), _numbered(disk.planned)
    numbers = sorted(found.keys() | planned.keys())
    rows = ((str(number), _words(found.get(number)), _words(planned.get(number))) for number in numbers)
    if numbers:
        yield from _table(("partition", "found", "declared"), rows)


def _mounts(tree: tuple[Branch, ...]) -> Iterator[str]:
    if tree:
        yield "<h3>Mounts</h3>"
        rows = ((f"{_INDENT * each.depth}{each.name}", each.found, each.declared) for each in tree)
        yield from _table(("mount point", "found", "declared"), rows)


def _numbered(disk: DiskState) -> dict[int, Span]:
    return {span.number: span for span in spans(disk) if span.number}


def _words(span: Span | None) -> str:
    if span is None:
        return "none"
    return ", ".join(filter(None, (span.name, rounded(span.size), span.content or str(span.use), *span.in_use)))


def _task(task: TaskReport) -> Iterator[str]:
    yield f'<article class="{task.outcome}">\n<h3>{escaped(task.name)}</h3>'
    about = filter(None, (word(task.outcome), task.task, summary.REPAIRS[task.repair]))
    yield f'<p class="about">{escaped("; ".join(about))}</p>'
    if task.cause:
        yield f"<p>blocked by “{escaped(task.cause)}”</p>"
    if task.steps:
        yield "<ul>"
        yield from (f"<li>{escaped(taken.step.says)}</li>" for taken in task.steps)
        yield "</ul>"
    for loss in (loss for taken in task.steps for loss in taken.step.destroys):
        yield f'<p class="error">destroys what is on {escaped(loss.what)}</p>'
    yield from _differences(task)
    if task.error and not task.repeats:
        yield from _error(task.error)
    if task.stops:
        yield f"<p>blocks: {escaped('; '.join(task.stops))}</p>"
    yield from (f'<p class="note">{escaped(warning)}</p>' for warning in task.warnings)
    yield "</article>"


def _differences(task: TaskReport) -> Iterator[str]:
    plain = [each for each in shown(task) if content(each.after) is None]
    if plain:
        yield from _table(("what", "found", "declared"), map(_row, plain))
    for each in shown(task):
        if content(each.after) is not None:
            yield f"<pre>{escaped(chr(10).join(differences((each,), Style(), '')))}</pre>"


def _row(each: Difference) -> tuple[str, ...]:
    return (where(each), *(as_text(value, each.property) for value in (each.before, each.after)))


def _error(error: SubfloorError) -> Iterator[str]:
    first, _, more = error.what.partition("\n")
    yield f'<p class="error">{escaped(first)}</p>'
    if more:
        yield f"<pre>{escaped(more)}</pre>"
    yield f'<p class="advice">→ {escaped(error.advice)}</p>'
