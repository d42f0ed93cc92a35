"""The command ``adopt``: take over disks that were laid out by hand or by another tool. It stamps UUIDs only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from subfloor.act.this_machine import this_machine
from subfloor.act.work import Work
from subfloor.cli.running import RunOptions, carried_out, disks_here, terminal_of, to_its_end
from subfloor.core.consent import Consent, Consents, given
from subfloor.core.errors import ConsentNeeded, Refused
from subfloor.core.outcome import HostReport
from subfloor.core.task import Command, Loss, Step
from subfloor.playbook.job import Job, Request, read_job
from subfloor.report import text
from subfloor.report.screen import Screen, standard, style_for
from subfloor.report.style import Style
from subfloor.steps.adoption import Adoption, adoptions
from subfloor.steps.partitioning import disk_at

if TYPE_CHECKING:
    from subfloor.cli.asking import Terminal
    from subfloor.cli.files import Ended
    from subfloor.report.log import Log


@dataclass(frozen=True)
class Disk:
    """An entry of the run: a disk to take over."""

    task: Adoption
    key: str = Adoption.key
    why_skipped: str = ""

    @property
    def name(self) -> str:
        """The name of this entry in reports."""
        return f"Take over {self.task.device}"


def adopt(request: Request, manner: RunOptions, stamp: Sequence[str]) -> int:
    """Take over the disks that a playbook lays out; returns the exit status.

    ``stamp``: the disks that the user consents to, as ``[HOST:]DEVICE``.
    """
    return to_its_end("adopt", manner, lambda log: _adopt(request, manner, stamp, log))


def _adopt(request: Request, manner: RunOptions, stamp: Sequence[str], log: Log | None) -> Ended:
    read = read_job(request, disks_here, this_machine)
    job = replace(read, works=tuple(_work(work) for work in read.works))
    if not any(work.entries for work in job.works):
        raise Refused(
            "the playbook lays out no disk, so there is nothing to take over",
            advice="declare the disk with `gpt-label` and `aligned-partition`; `subfloor draft DEVICE` writes that",
        )
    asking = Asking(_consents(stamp, job), terminal_of(manner), manner)
    return carried_out("adopt", job, manner, log, asking.approve, asking.confirm)


def _work(work: Work) -> Work:
    tasks = [entry.task for entry in work.entries if entry.task]
    return Work(work.host, tuple(map(Disk, adoptions(tasks))))


def _consents(stamp: Sequence[str], job: Job) -> Consents:
    """The consent that ``--stamp`` gives, by host. Raises ``click.UsageError``."""
    try:
        found = given(stamp, [work.host.name for work in job.works])
    except ValueError as error:
        raise click.UsageError(f"--stamp {error}. Nothing was touched") from error
    return found


class Asking:
    """Asks for each disk before its UUIDs are stamped, unless the command line names it."""

    def __init__(self, consents: Consents, terminal: Terminal | None, manner: RunOptions) -> None:
        self._consents, self._terminal, self._manner = consents, terminal, manner
        self._agreed: list[tuple[Command, ...]] = []

    def approve(self, reports: Sequence[HostReport], consents: Consents) -> Consents | None:
        """Show what will be stamped, and ask about each disk; None if the user declines. Raises ``Refused``."""
        if any(report.error or any(each.error for each in report.tasks) for report in reports):
            return consents  # nothing will be stamped, so there is nothing to ask
        self._show(reports)
        found = [(self._consents[report.host], device) for report in reports for device in _devices(report)]
        if not all(self._is_agreed(consent, device) for consent, device in found):
            return None
        self._agreed = [taken.step.commands for report in reports for each in report.tasks for taken in each.steps]
        return consents

    def confirm(self, step: Step) -> bool:
        """True for a step that was shown. Raises ``Refused`` for any other step: the disk has changed since."""
        if step.commands not in self._agreed:
            raise Refused(
                f"“{step.says}” is not among the changes that were shown: the disk has changed since then",
                advice="run subfloor again",
            )
        return True

    def _show(self, reports: Sequence[HostReport]) -> None:
        if not self._manner.json:
            stream = standard()
            style: Style = style_for(stream, diff=self._manner.diff, commands=self._manner.verbose)
            Screen(stream).print(["These UUIDs will be written:", *text.plan(reports, style), ""])
            for device in (device for report in reports for device in _devices(report)):
                Screen(stream).print(style.lines(f"This stays as it is: {device.what}", "", hanging="  "))

    def _is_agreed(self, consent: Consent, device: Loss) -> bool:
        word = consent.word(device.device)
        if consent.covers(device):
            return True
        if self._terminal is None:
            raise ConsentNeeded(
                f"no consent was given to new UUIDs in the partition table of {word}",
                advice=f"run this with --stamp {word}, or on a terminal, where it asks",
            )
        from subfloor.cli.asking import answers

        question = f"Type {word} to give it these UUIDs, or press Enter to leave it as it is: "
        return self._terminal.has_typed(question, answers(consent, device))


def _devices(report: HostReport) -> Iterator[Loss]:
    """The disks that will be stamped, with the names that consent may use, and a description of their content.

    They are of the class ``Loss``, but no content is lost.
    """
    for each in report.tasks:
        if each.steps and isinstance(each.declared, Adoption):
            disk = disk_at(each.steps[0].step.after, each.declared.device)
            yield Loss(each.declared.device, disk.node, disk.describe())
