"""The questions that a run asks on a terminal: whether to go on, what may be lost, and step by step.

Asked once, before the first write. To lose data takes more than a yes: the device's name, typed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from subfloor.core.consent import Consent, Consents, names_of
from subfloor.core.outcome import HostReport, Outcome, TaskReport
from subfloor.core.task import Loss, Step
from subfloor.report import text
from subfloor.report.screen import Screen
from subfloor.report.style import Style

Read = Callable[[], str]
"""A line that was typed; empty at the end of input."""


class Terminal:
    """Somebody who can be asked."""

    def __init__(self, screen: Screen, style: Style, read: Read, *, every_step: bool = False) -> None:
        self._screen, self._style, self._read = screen, style, read
        self._every_step = every_step

    def approve(self, reports: Sequence[HostReport], consents: Consents) -> Consents | None:
        """Show what would be done and ask about it: the consent to go on with, None for a no."""
        self._screen.print(["Planned changes:", *text.plan(reports, self._style), ""])
        if any(_is_beyond_consent(each, consents[report.host]) for report in reports for each in report.tasks):
            return consents  # nothing would be done, so there is nothing to ask
        losses = {
            (report.host, loss.device): loss for report in reports for loss in _lacking(report, consents[report.host])
        }
        if losses:
            return self._consented(losses, consents)
        if self._every_step:
            return consents  # there is a question for each
        return consents if self._ask("Apply? [y/N] ").lower() in ("y", "yes") else None

    def _consented(self, losses: dict[tuple[str, str], Loss], consents: Consents) -> Consents | None:
        for (host, device), loss in losses.items():
            lines = self._style.lines(f"On {host} this would be destroyed: {loss.what}", "", "red", hanging="  ")
            self._screen.print(lines)
            word = consents[host].word(device)
            answer = self._ask(f"Type {word} to destroy the data on it, or press Enter to keep it: ")
            if answer not in _answers(consents[host], loss):
                return None
            consents = {**consents, host: consents[host].and_for(loss)}
        return consents

    def confirm(self, step: Step) -> bool:
        """Ask about one step."""
        if not self._every_step:
            return True
        self._screen.print(self._style.lines(f"{step.says}?", "", hanging="  "))
        answer = self._ask("Apply this step? (y)es, (n)o, (c)ontinue with all: ").lower()
        if answer in ("c", "continue"):
            self._every_step = False
            return True
        return answer in ("y", "yes")

    def _ask(self, question: str) -> str:
        self._screen.clear()
        self._screen.write(self._style.clean(question))
        answer = self._read()
        if not answer.endswith("\n"):
            self._screen.write("\n")
        return answer.strip()


def _answers(consent: Consent, loss: Loss) -> frozenset[str]:
    """What may be typed to lose it: the device as the play names it, the kernel's node, or either one's disk."""
    return frozenset(map(consent.word, names_of(loss)))


def _lacking(report: HostReport, consent: Consent) -> list[Loss]:
    return [loss for each in report.tasks for taken in each.steps for loss in consent.lacking(taken.step)]


def _is_beyond_consent(report: TaskReport, consent: Consent) -> bool:
    """Whether a task is refused, or fails, for another reason than that nobody consented yet."""
    lacking = any(consent.lacking(taken.step) for taken in report.steps)
    return report.outcome is Outcome.FAILED or (report.outcome is Outcome.REFUSED and not lacking)
