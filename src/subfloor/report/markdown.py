"""A run as Markdown: the summary first, then hosts, disks, tasks and their differences."""

from __future__ import annotations

from collections.abc import Iterator

from subfloor.core.outcome import HostReport, TaskReport
from subfloor.report import summary
from subfloor.report.bar import both
from subfloor.report.found import shown
from subfloor.report.layout import drawn, undeclared
from subfloor.report.mounts import Branch, branches
from subfloor.report.run import Run
from subfloor.report.style import Style
from subfloor.report.text import about_unmounted, as_undeclared, differences, word

_PLAIN = Style()
_SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\`*_[]<>#|"})


def render(run: Run) -> str:
    """The document as text."""
    return "\n".join([*_lines(run), ""])


def _lines(run: Run) -> Iterator[str]:
    yield f"# {_said(summary.headline(run))}\n"
    yield from (f"- {name}: {_said(value)}" for name, value in summary.facts(run))
    if run.problem:
        yield f"\n{_said(run.problem.what)}\n\n→ {_said(run.problem.advice)}"
    if run.hosts:
        yield "\n| host | outcome | tasks |\n|---|---|---|"
        rows = ((host.host, word(host.outcome), summary.host_line(host)) for host in run.hosts)
        yield from (f"| {' | '.join(map(_said, row))} |" for row in rows)
    for host in run.hosts:
        yield from _host(host)


def _host(host: HostReport) -> Iterator[str]:
    yield f"\n## {_said(host.host)}: {_said(word(host.outcome))}"
    if stage := summary.applied_before_of(host):
        yield f"\n{_said(stage)}"
    if host.error:
        yield f"\n{_said(host.error.what)}\n\n→ {_said(host.error.advice)}"
    for disk in drawn(host.survey):
        yield from ("", *_block(both(disk, _PLAIN, "")))
    yield from _mounts(branches(host.survey))
    for each in undeclared(host.survey):
        yield f"\n{_said(as_undeclared(each))}: no task declares it, so it stays as it is"
    for line in about_unmounted(host):
        yield f"\n{_said(line)}"
    for task in host.tasks:
        if summary.is_open(task):
            yield from _task(task)


def _mounts(tree: tuple[Branch, ...]) -> Iterator[str]:
    """The mount points as a block of text: what is mounted at each, and what is declared, if that differs."""
    width = max((2 * each.depth + len(each.name) for each in tree), default=0)
    lines = (f"{'  ' * each.depth}{each.name}".ljust(width) + f"  {_mounted(each)}" for each in tree)
    yield from ("\nMounts:\n", *_block(lines)) if tree else ()


def _mounted(each: Branch) -> str:
    return f"{each.found}; declared: {each.declared}" if each.differs else each.found


def _task(task: TaskReport) -> Iterator[str]:
    about = filter(None, (word(task.outcome), task.task, summary.REPAIRS[task.repair]))
    yield f"\n### {_said(task.name)}\n\n{_said('; '.join(about))}\n"
    if task.cause:
        yield f"- blocked by “{_said(task.cause)}”"
    for taken in task.steps:
        yield f"- {_said(taken.step.says)}"
        yield from (f"- **destroys what is on {_said(loss.what)}**" for loss in taken.step.destroys)
    yield from (f"- warning: {_said(warning)}" for warning in task.warnings)
    if found := shown(task):
        yield from ("", *_block(differences(found, _PLAIN, "")))
    if task.error and not task.repeats:
        first, _, more = task.error.what.partition("\n")
        yield f"\n{_said(first)}"
        yield from ("", *_block(iter(more.splitlines()))) if more else ()
        yield f"\n→ {_said(task.error.advice)}"
    if task.stops:
        yield f"\nblocks: {_said('; '.join(task.stops))}"


def _said(text: str) -> str:
    """Text in one line, so that nothing in it is read as Markdown or HTML."""
    return " ".join(_PLAIN.clean(text).split()).translate(_SPECIAL)


def _block(lines: Iterator[str]) -> Iterator[str]:
    """The lines as an indented code block: no text can end it, unlike a fenced one."""
    yield from (f"    {line}" for text in lines for line in _PLAIN.clean(text).splitlines())
