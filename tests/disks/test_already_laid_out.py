"""A disk that is laid out as declared, or all but: a rerun touches nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from disks.laying_out import EVERY, SMALL, judge, on
from disks.plays import applied, converged, outcomes
from loop_disks import MakeDisk, Mounter, disk, mounted, run, said

pytestmark = pytest.mark.root

__all__ = ["disk", "mounted"]  # fixtures


def test_a_rerun_writes_nothing_case_47(disk: MakeDisk) -> None:
    vda = disk("2GiB")
    converged(on(vda, *EVERY))
    before = vda.digest(), vda.writes()
    assert set(outcomes(applied(on(vda, *EVERY), vda.node))) == {"ok"}
    assert (vda.digest(), vda.writes()) == before


def test_consent_in_a_rerun_destroys_nothing_of_ours_case_58(disk: MakeDisk, mounted: Mounter) -> None:
    vda = disk()
    converged(on(vda, *SMALL))
    (mounted(vda.partition(3)) / "letter").write_text("dear")
    assert set(outcomes(applied(on(vda, *SMALL), vda.node))) == {"ok"}


def test_one_difference_is_repaired_and_nothing_else_is_changed_case_48(disk: MakeDisk) -> None:
    vda = disk()
    converged(on(vda, *SMALL), seed="one differs")
    run("e2label", vda.partition(3), "another")
    others = [number for number in range(1, len(SMALL) + 1) if number != 3]
    before = {number: hashlib.sha256(Path(vda.partition(number)).read_bytes()).digest() for number in others}
    table = said("sfdisk", "--dump", vda.node)
    done = [report.name for report in applied(on(vda, *SMALL), seed="one differs") if report.steps]
    assert len(done) == 1
    after = {number: hashlib.sha256(Path(vda.partition(number)).read_bytes()).digest() for number in others}
    assert (after, said("sfdisk", "--dump", vda.node)) == (before, table)
    judge(vda, SMALL)
