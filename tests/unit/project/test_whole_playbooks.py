"""The playbooks that come with it: from every place on the way to their end they go on as from the start."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

import step_values
from disk_values import nothing_left
from subfloor.core.consent import Consent
from subfloor.core.engine import imagine
from subfloor.core.machine import AnySubject
from subfloor.core.outcome import Outcome
from subfloor.observe.disk import Content, Disk, Missing
from whole_playbooks import VARIANTS, blank, entries, finished, on_the_way, said


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_rerun_resumes_after_every_step(variant: str) -> None:
    play = entries(variant)
    start = blank(play)
    reports = imagine(play, start, Consent(), nothing_left)
    assert {report.error for report in reports} == {None}
    steps = said(reports)
    for done, machine in enumerate(on_the_way(start, reports)):
        again = imagine(play, machine, Consent(), nothing_left)
        assert {report.error for report in again} == {None}
        assert said(again) == steps[done:]


@pytest.mark.parametrize("variant", VARIANTS)
def test_after_a_reboot_only_mounts_are_missing(variant: str) -> None:
    """What is on the disk is there still, and cannot be seen before it is mounted."""
    play, finish = finished(variant)
    disks: dict[AnySubject, Any] = {
        subject: _rebooted(state) for subject, state in finish.items() if isinstance(subject, Disk)
    }
    machine = step_values.machine({}, finish.keys()).updated(disks)
    reports = imagine(play, machine, Consent(), nothing_left)
    assert {report.outcome for report in reports} <= {
        *(Outcome.OK, Outcome.WOULD_CHANGE, Outcome.NOT_VISIBLE, Outcome.SKIPPED)
    }
    # Directories of the empty root are made again, above what is bound into a home.
    above = r"Make /mnt/home/\S+ for .*"
    verbs = {words.split()[0] for words in said(reports) if not re.fullmatch(above, words)}
    assert verbs <= {"Mount", "Bind", "Activate", "Set", "Open", "Assemble"}
    written = [report for report in reports if report.task == "nixos-config"]
    assert all(report.outcome is Outcome.NOT_VISIBLE for report in written)


def _rebooted(state: Any) -> Any:
    """The disk as it is seen when nothing uses it yet, and nobody remembers that it was made just now."""
    if state.mapped or state.node.startswith("/dev/md/"):
        return Missing()
    volumes = tuple(replace(volume, in_use=False, users=(), content=_seen(volume.content)) for volume in state.volumes)
    return replace(state, in_use=False, users=(), volumes=volumes)


def _seen(content: Any) -> Any:
    return replace(content, fresh=False) if isinstance(content, Content) else content
