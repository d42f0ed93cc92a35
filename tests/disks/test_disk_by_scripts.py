"""A disk laid out by one script for each request: between two of them no lock is held, and others may write."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from disks.plays import Play, entries
from loop_disks import LoopDisk, MakeDisk, disk, run
from subfloor.act.by_script import Said, ScriptHost
from subfloor.act.run import Applied, carry_out
from subfloor.act.work import Work
from subfloor.core.consent import given
from subfloor.core.errors import ConsentNeeded, Refused
from subfloor.core.outcome import HostOutcome
from subfloor.report.live import Silent

pytestmark = pytest.mark.root
__all__ = ["disk"]


def layout(loop: LoopDisk) -> Play:
    return [
        ("wipefs", {"device": loop.node}),
        ("gpt-label", {"device": loop.node}),
        ("aligned-partition", {"device": loop.node, "number": 1, "type": "linux", "name": "data", "size": "rest"}),
        ("mkfs", {"device": loop.partition(1), "type": "ext4", "label": "data"}),
    ]


class Sender:
    """Runs scripts here; before the first one that runs a command of a step, ``meanwhile`` happens."""

    def __init__(self, word: bytes = b"", meanwhile: Callable[[], object] = lambda: None) -> None:
        self._word, self._meanwhile = word, meanwhile
        self.sent = 0
        self.disturbed = False

    def __call__(self, script: bytes) -> Said:
        self.sent += 1
        if self._word and not self.disturbed and self._word in script:
            self.disturbed = True
            self._meanwhile()
        done = subprocess.run(["sh"], input=script, capture_output=True, check=False)
        return Said(done.stdout, done.stderr)


def applied(loop: LoopDisk, sender: Sender, seed: str, *destroy: str) -> Applied:
    work = Work(ScriptHost("host", sender), entries(layout(loop), seed))
    return carry_out([work], given(destroy, ["host"]), Silent(), lambda reports, consents: consents, None)


def foreign(loop: LoopDisk, label: str) -> None:
    run("mkfs.ext4", "-q", "-F", "-L", label, loop.node)


def test_a_disk_is_laid_out_and_then_in_sync_with_one_script(tmp_path: Path, disk: MakeDisk) -> None:
    loop, seed = disk(), str(tmp_path)
    (report,) = applied(loop, Sender(), seed).reports
    assert report.outcome is HostOutcome.APPLIED
    again = Sender()
    (report,) = applied(loop, again, seed).reports
    assert (report.outcome, again.sent) == (HostOutcome.IN_SYNC, 1)


def test_what_is_written_after_the_last_look_is_not_destroyed(tmp_path: Path, disk: MakeDisk) -> None:
    """Consent was for the filesystem that was there when the plan was shown."""
    loop = disk()
    foreign(loop, "old")
    sender = Sender(b"wipefs --all", lambda: foreign(loop, "new"))
    (report,) = applied(loop, sender, str(tmp_path), loop.node).reports
    assert sender.disturbed
    error = report.tasks[0].error
    assert isinstance(error, Refused) and not isinstance(error, ConsentNeeded)
    assert "has changed since consent was given" in error.what
    assert b'LABEL="new"' in run("blkid", "-p", loop.node).stdout


def test_a_blank_disk_that_is_filled_after_the_last_look_needs_consent(tmp_path: Path, disk: MakeDisk) -> None:
    loop = disk()
    sender = Sender(b"sfdisk --quiet", lambda: foreign(loop, "new"))
    (report,) = applied(loop, sender, str(tmp_path)).reports
    assert sender.disturbed
    assert report.outcome in (HostOutcome.NEEDS_CONSENT, HostOutcome.REFUSED)
    assert b'LABEL="new"' in run("blkid", "-p", loop.node).stdout
