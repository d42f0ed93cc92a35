"""The questions that a run asks on a terminal: whether to apply, what to destroy, and for each step.

The plan is asked about once, before the first write. To destroy data the user must type the device's name.
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
"""Reads one line that the user types; returns an empty text at the end of input."""


class Terminal:
    """A terminal with a user who can answer."""

    def __init__(self, screen: Screen, style: Style, read: Read, *, every_step: bool = False) -> None:
        self._screen, self._style, self._read = screen, style, read
        self._every_step = every_step

    def approve(self, reports: Sequence[HostReport], consents: Consents) -> Consents | None:
        """Show the plan and ask about it; returns the consent to apply with, None if the user declines."""
        self._screen.print(["Planned changes:", *text.plan(reports, self._style), ""])
        if any(_is_beyond_consent(each, consents[report.host]) for report in reports for each in report.tasks):
            return consents  # nothing will be applied, so there is nothing to ask
        losses = {
            (report.host, loss.device): loss for report in reports for loss in _lacking(report, consents[report.host])
        }
        if losses:
            return self._consented(losses, consents)
        if self._every_step:
            return consents  # each step has its own question
        return consents if self._ask("Apply? [y/N] ").lower() in ("y", "yes") else None

    def _consented(self, losses: dict[tuple[str, str], Loss], consents: Consents) -> Consents | None:
        for (host, device), loss in losses.items():
            lines = self._style.lines(f"On {host} this would be destroyed: {loss.what}", "", "red", hanging="  ")
            self._screen.print(lines)
            word = consents[host].word(device)
            question = f"Type {word} to destroy the data on it, or press Enter to keep it: "
            if not self.has_typed(question, answers(consents[host], loss)):
                return None
            consents = {**consents, host: consents[host].and_for(loss)}
        return consents

    def has_typed(self, question: str, words: frozenset[str]) -> bool:
        """Ask a question; returns whether the answer is one of these words."""
        return self._ask(question) in words

    def confirm(self, step: Step) -> bool:
        """Whether to take this step. Ask the user, unless the terminal does not ask about every step: then True."""
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


def answers(consent: Consent, loss: Loss) -> frozenset[str]:
    """The accepted answers: the device as the play names it, its node in the kernel, or the disk of either name."""
    return frozenset(map(consent.word, names_of(loss)))


def _lacking(report: HostReport, consent: Consent) -> list[Loss]:
    return [loss for each in report.tasks for taken in each.steps for loss in consent.lacking(taken.step)]


def _is_beyond_consent(report: TaskReport, consent: Consent) -> bool:
    """Whether a task fails, or is refused and consent would not help."""
    lacking = any(consent.lacking(taken.step) for taken in report.steps)
    return report.outcome is Outcome.FAILED or (report.outcome is Outcome.REFUSED and not lacking)
