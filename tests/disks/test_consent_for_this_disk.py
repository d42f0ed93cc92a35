"""Consent is for the disk that was shown: not for what its name, or the disk itself, becomes afterwards."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from loop_disks import LoopDisk, MakeDisk, disk, run
from subfloor.act.events import Event, StepEnded
from subfloor.act.run import Applied, carry_out
from subfloor.core.consent import Consents, given
from subfloor.core.outcome import HostOutcome, HostReport, Outcome
from subfloor.playbook.job import Request, read_job
from subfloor.report.live import Silent

pytestmark = pytest.mark.root
__all__ = ["disk"]

LINK = Path(f"/dev/subfloor-case-18-{os.getpid()}")
"""One in each process: tests may run side by side."""


@pytest.fixture
def two(disk: MakeDisk) -> Iterator[tuple[LoopDisk, LoopDisk]]:
    """Two disks of one size, each with a filesystem on it, and a link that leads to the first."""
    disks = disk("64MiB"), disk("64MiB")
    for each in disks:
        run("mkfs.ext4", "-q", "-F", each.node)
    lead_to(disks[0])
    yield disks
    LINK.unlink(missing_ok=True)


def lead_to(disk: LoopDisk) -> None:
    LINK.unlink(missing_ok=True)
    LINK.symlink_to(disk.node)


class After(Silent):
    """Does something once a step has ended."""

    def __init__(self, what: Callable[[], None]) -> None:
        self._what = what

    def event(self, event: Event) -> None:
        if isinstance(event, StepEnded):
            self._what()


def nothing() -> None:
    """Nothing happens."""


def carried_out(
    tmp_path: Path,
    *,
    planned: Callable[[], None] = nothing,
    stepped: Callable[[], None] = nothing,
    consent: str | None = None,
) -> Applied:
    """An apply that may lose what is on the link's disk; ``planned`` happens once that was agreed to."""
    playbook = tmp_path / "play.yml"
    tasks = [{"wipefs": {"device": str(LINK)}}, {"gpt-label": {"device": str(LINK)}}]
    playbook.write_text(json.dumps([{"hosts": "all", "seed": str(tmp_path), "tasks": tasks}]))

    def approve(reports: Sequence[HostReport], consents: Consents) -> Consents:
        planned()
        return consents

    consents = given([consent or str(LINK)], ["localhost"])
    return carry_out(read_job(Request(playbook)).works, consents, After(stepped), approve, lambda step: True)


def test_an_unchanged_link_is_followed(two: tuple[LoopDisk, LoopDisk], tmp_path: Path) -> None:
    other = two[1].digest()
    assert carried_out(tmp_path).reports[0].outcome is HostOutcome.APPLIED
    assert two[1].digest() == other


def test_any_name_of_the_disk_consents(two: tuple[LoopDisk, LoopDisk], tmp_path: Path) -> None:
    """The play names a link; consent names the kernel's node, or another link with colons in its name."""
    link = Path(f"/dev/disk/by-path/pci-0000:00:05.0-test-{os.getpid()}")
    link.parent.mkdir(parents=True, exist_ok=True)
    for name, target in ((two[0].node, None), (str(link), two[0].node)):
        run("mkfs.ext4", "-q", "-F", two[0].node)
        if target:
            link.symlink_to(target)
        try:
            assert carried_out(tmp_path, consent=name).reports[0].outcome is HostOutcome.APPLIED
        finally:
            link.unlink(missing_ok=True)


def test_a_link_that_changes_after_consent_is_refused_case_18(two: tuple[LoopDisk, LoopDisk], tmp_path: Path) -> None:
    digests = [each.digest() for each in two]
    (report,) = carried_out(tmp_path, planned=lambda: lead_to(two[1])).reports
    assert (report.outcome, len(report.tasks)) == (HostOutcome.REFUSED, 1)
    assert f"{LINK} is not the disk that the plan was made for: expected {two[0].node} (" in str(report.tasks[0].error)
    assert [each.digest() for each in two] == digests


def test_a_link_that_changes_during_the_run_is_refused_case_18(two: tuple[LoopDisk, LoopDisk], tmp_path: Path) -> None:
    other = two[1].digest()
    (report,) = carried_out(tmp_path, stepped=lambda: lead_to(two[1])).reports
    assert [each.outcome for each in report.tasks][-1] is Outcome.REFUSED
    assert "is not the disk that the plan was made for" in str(report.tasks[-1].error)
    assert two[1].digest() == other


def test_a_link_that_vanishes_during_the_run_is_refused_case_18(two: tuple[LoopDisk, LoopDisk], tmp_path: Path) -> None:
    def vanish() -> None:
        LINK.unlink(missing_ok=True)

    (report,) = carried_out(tmp_path, stepped=vanish).reports
    assert report.outcome is HostOutcome.REFUSED
    assert str(LINK) in str(report.tasks[-1].error)


def test_another_disk_under_the_same_name_is_refused_case_20(two: tuple[LoopDisk, LoopDisk], tmp_path: Path) -> None:
    """Pulled out, and another of the same size put in its place: the kernel counts them."""

    def swap() -> None:
        run("losetup", "--detach", two[0].node)
        run("losetup", two[0].node, two[0].image)

    before = two[0].digest()
    (report,) = carried_out(tmp_path, planned=swap).reports
    assert "is not the disk that the plan was made for" in str(report.tasks[-1].error)
    assert two[0].digest() == before


def test_data_that_was_not_shown_is_not_destroyed(two: tuple[LoopDisk, LoopDisk], tmp_path: Path) -> None:
    (report,) = carried_out(tmp_path, planned=lambda: photos(two[0])).reports
    assert report.outcome is HostOutcome.REFUSED
    assert "has changed since consent was given" in str(report.tasks[-1].error)
    assert "labelled 'photos'" in str(report.tasks[-1].error)


def photos(disk: LoopDisk) -> None:
    run("mkfs.ext4", "-q", "-F", "-L", "photos", disk.node)
