"""A run as lines of text. Pure: all functions make lines from values and a style."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from subfloor.core.errors import ConsentNeeded, SubfloorError
from subfloor.core.machine import Difference
from subfloor.core.outcome import AppliedBefore, HostOutcome, HostReport, Outcome, Repair, StepRecord, TaskReport
from subfloor.report.bar import both
from subfloor.report.found import as_found, is_something, shown
from subfloor.report.layout import Undeclared, drawn, undeclared
from subfloor.report.style import Style
from subfloor.report.values import as_text, content
from subfloor.storage.sizes import rounded

_COLUMN = 14
_INDENT = " " * (2 + _COLUMN)

_COLOURS = {
    Outcome.OK: ("green",),
    Outcome.CHANGED: ("yellow",),
    Outcome.WOULD_CHANGE: ("yellow",),
    Outcome.SKIPPED: ("dim",),
    Outcome.REFUSED: ("red",),
    Outcome.FAILED: ("red", "bold"),
    Outcome.NOT_VISIBLE: ("blue",),
}

_HOST_COLOURS = {
    HostOutcome.IN_SYNC: ("green",),
    HostOutcome.APPLIED: ("green",),
    HostOutcome.DRIFT: ("yellow",),
}

_HOST_WORDS = {
    HostOutcome.IN_SYNC: "in sync",
    HostOutcome.DRIFT: "drift: apply would change this",
    HostOutcome.NEEDS_CONSENT: "drift: apply would destroy data, and needs consent for it",
    HostOutcome.REFUSED: "refused: this needs a person",
}

APPLIED_BEFORE = {
    AppliedBefore.NEVER: "never applied here: no disk carries the UUIDs of this play",
    AppliedBefore.PARTLY: "applied in part: an apply was interrupted, or something was removed since",
    AppliedBefore.FULLY: "applied before: something has changed since",
}
"""Whether the play was applied before, in words."""

_OPEN = (HostOutcome.DRIFT, HostOutcome.NEEDS_CONSENT, HostOutcome.REFUSED)
"""The outcomes after which something is left to do."""


def word(outcome: Outcome | HostOutcome) -> str:
    """An outcome in plain words."""
    return _HOST_WORDS.get(outcome, outcome.value) if isinstance(outcome, HostOutcome) else outcome.replace("-", " ")


def task(report: TaskReport, style: Style) -> Iterator[str]:
    """The outcome of a task: a line for it, a line for each step, and the error."""
    outcome = "blocked" if report.cause else word(report.outcome)
    first = f"  {style.paint(f'{outcome:<{_COLUMN}}', *_COLOURS[report.outcome])}"
    about = [report.name]
    about += [f"({report.task})"] if report.task and not report.name.startswith(report.task) else []
    about += [f"[{report.note}]"] if report.note else []
    about += [f"[by “{report.cause}”]"] if report.cause else []
    yield first + style.clean(" ".join(about))
    for taken in report.steps:
        yield from step(taken, style, losses=not isinstance(report.error, ConsentNeeded))  # which names them
    if report.repair is Repair.IN_PLACE and not style.diff:  # a loss says what was found
        yield from _found(report, style)
    if report.error and not report.cause:
        yield from error(report.error, style, _INDENT)
    elif report.error and not report.repeats:
        yield from style.lines(report.error.what, _INDENT, "dim", hanging="  ")
    if report.stops:
        yield from style.lines(f"blocks: {'; '.join(report.stops)}", _INDENT, hanging="  ")
    for warning in report.warnings:
        yield from style.lines(f"warning: {warning}", _INDENT, "yellow", hanging="  ")


def _found(report: TaskReport, style: Style) -> Iterator[str]:
    """A line for each difference: what was found, and what is declared; none where nothing was found."""
    for difference in shown(report):
        if is_something(difference.before):
            yield from style.lines(f"found {as_found(difference)}", f"{_INDENT}  ", "dim", hanging="  ")


def step(taken: StepRecord, style: Style, losses: bool = True) -> Iterator[str]:
    """What a step does, and its ``losses``; if the style wants it, also its commands and its changes."""
    yield from style.lines(f"· {taken.step.says}", _INDENT, hanging="  ")
    for loss in taken.step.destroys if losses else ():
        yield from style.lines(f"destroys what is on {loss.what}", f"{_INDENT}  ", "red", hanging="  ")
    if style.commands:
        for command in taken.step.commands:
            yield f"{_INDENT}  {style.paint(f'$ {shlex.join(command.argv)}', 'dim')}"
    if style.diff:
        yield from differences(taken.differences, style, f"{_INDENT}  ")


def differences(found: Sequence[Difference], style: Style, indent: str) -> Iterator[str]:
    """The differences, before → after, by subject; for files, a diff of their lines."""
    for subject, group in groupby(found, key=lambda difference: difference.subject):
        yield indent + style.paint(subject, "bold")
        for difference in group:
            yield from _difference(difference, style, f"{indent}  ")


def _difference(difference: Difference, style: Style, indent: str) -> Iterator[str]:
    before, after = content(difference.before), content(difference.after)
    if after is not None:
        yield from _lines_of_file(before or "", after, style, indent)
        return
    name = f"{difference.property}: " if difference.property else ""
    values = (as_text(value, difference.property) for value in (difference.before, difference.after))
    change = f"{name}{' → '.join(values)}"
    yield from style.lines(change, indent, hanging="  ")


def _lines_of_file(before: str, after: str, style: Style, indent: str) -> Iterator[str]:
    import difflib  # most runs show no file

    colours = {"+": ("green",), "-": ("red",), "@": ("cyan",)}
    diff = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    for number, line in enumerate(diff):
        if number >= 2:  # the first two lines name the files, as the subject already does
            yield indent + style.paint(line, *colours.get(line[:1], ()))


def error(found: SubfloorError, style: Style, indent: str) -> Iterator[str]:
    """An error: what is wrong, and what to do next."""
    yield from style.lines(found.what, indent, "red")
    yield from style.lines(f"→ {found.advice}", indent, hanging="  ")


def recap(report: HostReport, style: Style) -> Iterator[str]:
    """The outcome of a host in one line, and the errors and notes that concern the whole host."""
    told = counts(Counter(each.outcome for each in report.tasks))
    outcome = style.paint(word(report.outcome), *_HOST_COLOURS.get(report.outcome, ("red", "bold")))
    line = f"{style.paint(report.host, 'bold')}: {outcome}"
    yield f"{line} ({told})" if told else line
    yield from _survey(report, style)
    for line in about_unmounted(report):
        yield from style.lines(line, "  ", "yellow", hanging="  ")
    for name in report.unused:
        yield from style.lines(
            f"consent not needed: --destroy {name} (no step destroys anything there)", "  ", "yellow"
        )
    if report.error:
        yield from error(report.error, style, "  ")


def about_unmounted(report: HostReport) -> Iterator[str]:
    """A line for each filesystem that is not mounted, if the check did not see its content, or has a note about it."""
    for each in report.unmounted:
        if each.unseen:
            yield f"not visible: the content of {each.source}, to be mounted at {each.path}: {each.unseen}"
        elif each.note:
            yield f"{each.source}, to be mounted at {each.path}: {each.note}"


def counts(found: Counter[Outcome]) -> str:
    """How many tasks have each outcome, in words."""
    return ", ".join(f"{found[outcome]} {word(outcome)}" for outcome in Outcome if found[outcome])


def _survey(report: HostReport, style: Style) -> Iterator[str]:
    """Whether the play was applied before, the disks that would change, and the partitions that no task declares."""
    if report.survey and report.outcome in _OPEN and report.survey.applied_before in APPLIED_BEFORE:
        yield from style.lines(APPLIED_BEFORE[report.survey.applied_before], "  ", hanging="  ")
    for disk in drawn(report.survey):
        if report.outcome in _OPEN and disk.differs:
            yield from both(disk, style)
    for each in undeclared(report.survey):
        yield from style.lines(f"{as_undeclared(each)}: no task declares it, so it stays as it is", "  ", "yellow")


def as_undeclared(each: Undeclared) -> str:
    """A partition that no task declares, in words."""
    span = each.span
    about = ", ".join(filter(None, (rounded(span.size), span.content or "nothing recognisable", *span.in_use)))
    return f"{each.node}{f' {span.name!r}' if span.name else ''} ({about})"


def ending(report: HostReport, again: str, style: Style) -> Iterator[str]:
    """The end of an interrupted run: what was done, what was not, what may be incomplete, and how to resume.

    ``again`` is the command line to resume with.
    """
    done = [each for each in report.tasks if each.outcome in (Outcome.OK, Outcome.CHANGED)]
    steps = [taken.step for each in report.tasks if each.outcome is not Outcome.WOULD_CHANGE for taken in each.steps]
    yield from _about("done", f"{_count(len(steps), 'step')} in this run; {_count(len(done), 'task')} satisfied", style)
    if stopped := [each.name for each in report.tasks if each.error]:
        yield from _about("not done", "; ".join(stopped), style)
    if report.unreached:
        yield from _about(
            "not started", f"{_count(len(report.unreached), 'task')}: {'; '.join(report.unreached)}", style
        )
    yield from _about("interrupted", _by_half(report), style)
    # On one line, so that it can be copied.
    yield f"  {'resume with:':<{_COLUMN}}{style.paint(again, 'bold')}"


def _by_half(report: HostReport) -> str:
    if not report.broke_off:
        return "nothing: every step that started has finished"
    return f"“{report.broke_off.says}” was interrupted. The next run checks it and repeats it if needed"


def _about(what: str, text: str, style: Style, *colours: str) -> Iterator[str]:
    label = f"  {what + ':':<{_COLUMN}}"
    lines = style.lines(text, " " * len(label), *colours)
    for number, line in enumerate(lines):
        yield label + line[len(label) :] if number == 0 else line


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def plan(reports: Iterable[HostReport], style: Style) -> Iterator[str]:
    """The plan, shown before the user is asked: all tasks except those that are satisfied or skipped."""
    for report in reports:
        yield style.paint(report.host, "bold")
        for each in report.tasks:
            if each.outcome not in (Outcome.OK, Outcome.SKIPPED):
                yield from task(each, style)
        if report.error:
            yield from error(report.error, style, "  ")


def waiting(what: str, holders: Sequence[str], style: Style) -> Iterator[str]:
    """The message that a run waits for a lock that another program holds."""
    by = "; ".join(holders) or "another program"
    yield from style.lines(f"{'waiting':<{_COLUMN}}for {what}, which is locked by {by}", "  ", hanging=" " * _COLUMN)


def progress(says: str, seconds: float, style: Style, printed: str = "") -> str:
    """The progress line of the current step, cut so that it stays one line.

    ``printed``: the last line that the running command printed; shown if there is room for it.
    """
    first = style.clean(f"  {'…':<{_COLUMN}}{says}").replace("\n", " ")
    time = f" ({seconds:.0f} s)" if seconds >= 1 else ""
    last = style.clean(f": {printed}").replace("\t", " ") if printed else ""
    width = len(first + time + last) if style.width is None else style.width - 1
    return (first[: width - len(time)] + time + last)[:width]
