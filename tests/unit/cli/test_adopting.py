"""`adopt` stamps a disk only if the user names it: on the command line, or when asked."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from adopting_values import FOREIGN, adoption, seen
from disk_values import nothing_left
from subfloor.cli.adopting import Asking, Disk
from subfloor.cli.asking import Terminal
from subfloor.cli.running import RunOptions
from subfloor.core.consent import Consent
from subfloor.core.engine import imagine
from subfloor.core.errors import ConsentNeeded, Refused
from subfloor.core.outcome import HostReport
from subfloor.core.task import Step
from subfloor.report.screen import Screen
from subfloor.report.style import Style

NOBODY = {"localhost": Consent()}


def report(size: str = "8GiB") -> HostReport:
    entry = Disk(adoption((1, {"size": size})))
    return HostReport("localhost", imagine((entry,), seen(FOREIGN), Consent(), nothing_left))


def asking(answer: str | None = None, *, stamp: str = "") -> Asking:
    screen = Screen(io.StringIO())
    terminal = None if answer is None else Terminal(screen, Style(), lambda: answer)
    consent = Consent(frozenset({stamp} if stamp else ()))
    return Asking({"localhost": consent}, terminal, RunOptions(("adopt",), json=True))


@pytest.mark.parametrize("answer", ["/dev/vda\n"])
def test_a_disk_is_stamped_if_its_name_is_typed(answer: str) -> None:
    asked, told = asking(answer), report()
    assert asked.approve((told,), NOBODY) == NOBODY
    assert asked.confirm(told.tasks[0].steps[0].step)


@pytest.mark.parametrize("answer", ["\n", "", "y\n", "/dev/vdb\n"])
def test_any_other_answer_declines(answer: str) -> None:
    assert asking(answer).approve((report(),), NOBODY) is None


def test_without_a_terminal_the_command_line_names_it() -> None:
    with pytest.raises(ConsentNeeded) as needed:
        asking().approve((report(),), NOBODY)
    assert "--stamp /dev/vda" in needed.value.advice
    with pytest.raises(ConsentNeeded):
        asking(stamp="/dev/vdb").approve((report(),), NOBODY)
    assert asking(stamp="/dev/vda").approve((report(),), NOBODY) == NOBODY


def test_a_layout_that_differs_is_not_asked_about() -> None:
    assert asking().approve((report("4GiB"),), NOBODY) == NOBODY


def test_a_step_that_was_not_shown_is_not_taken() -> None:
    asked, told = asking(stamp="/dev/vda"), report()
    asked.approve((told,), NOBODY)
    with pytest.raises(Refused, match="is not among the changes that were shown"):
        asked.confirm(Step("Stamp another one", (), seen(FOREIGN)))


def test_a_play_that_labels_no_disk_has_nothing_to_take_over(tmp_path: Path) -> None:
    from subfloor.cli.adopting import adopt
    from subfloor.playbook.job import Request

    play = tmp_path / "play.yml"
    play.write_text("- hosts: all\n  tasks:\n    - directory: {path: /mnt/x}\n")
    with pytest.raises(Refused, match="lays out no disk"):
        adopt(Request(play), RunOptions(("adopt",)), ())
