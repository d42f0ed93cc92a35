"""The differences that reports show: each once, and none that only follows from another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from subfloor.core.errors import ConsentNeeded
from subfloor.core.machine import Difference, Machine, Subject, differences
from subfloor.core.outcome import Outcome, StepRecord, TaskReport
from subfloor.core.task import Loss, Step
from subfloor.observe.disk import Disk, PartitionState
from subfloor.observe.filesystem_size import FilesystemSize, SizeOn
from subfloor.observe.mount import Mount, Mounted
from subfloor.observe.path import Absent
from subfloor.observe.subvolume import Subvolume, SubvolumeState
from subfloor.report import text
from subfloor.report.found import is_something, shown
from subfloor.report.style import Style
from subfloor.report.values import as_text
from subfloor.storage.gpt import MOVED, Gpt

TABLE = Gpt(UUID(int=1), 34, 8, 128, damage=frozenset({MOVED}))


def mounted(option: str, *, halted: bool = False) -> Mounted:
    return Mounted("/dev/vda1", "ext4", options=frozenset({option}), halted=halted)


STEP = StepRecord(Step("Do it", (), Machine(), (Loss("/dev/vda", "/dev/vda", "/dev/vda, letters"),)), ())


def properties(*differences: Difference, steps: int = 1) -> list[str]:
    report = TaskReport("a task", "mount", Outcome.WOULD_CHANGE, (STEP,) * steps, differences=differences)
    return [f"{each.subject}, {each.property}" for each in shown(report)]


def test_what_only_follows_from_another_difference_is_left_out() -> None:
    used = Difference("disk /dev/vda", "partition 1, in use", False, True, follows=True)
    remounted = Difference("mount point /mnt", "options", "ro", "rw")
    assert properties(used, remounted) == ["mount point /mnt, options"]
    assert properties(used) == ["disk /dev/vda, partition 1, in use"], "a task does not differ without a difference"


@pytest.mark.parametrize(
    ("subject", "before", "after", "follow"),
    [
        (Disk("/dev/vda"), PartitionState(1), PartitionState(1, known=False, in_use=True), ["in use"]),
        (Disk("/dev/vda"), TABLE, replace(TABLE, last_lba=9, damage=frozenset()), ["last usable sector"]),
        (Mount("/mnt"), mounted("ro", halted=True), mounted("rw"), ["halted"]),
        (Subvolume("/mnt/@"), SubvolumeState(), SubvolumeState(quotas=True, limit="64MiB"), ["quotas"]),
        (SizeOn("/dev/vda1", "ext4"), FilesystemSize(4096), FilesystemSize(), [""]),
    ],
    ids=["use", "end of the table", "read-only after an error", "quotas", "made again"],
)
def test_what_follows_is_known_where_the_value_is_defined(
    subject: Subject[Any], before: object, after: object, follow: list[str]
) -> None:
    found = differences(Machine({subject: before}), Machine({subject: after}))
    assert sorted(each.property for each in found if each.follows) == follow
    assert [each for each in found if not each.follows] or not follow[0]


def test_a_directory_that_a_bind_shows_again_is_one_difference() -> None:
    both = [Difference(path, "mode", 0o700, 0o755) for path in ("/mnt/nix/persist/var/log", "/mnt/var/log")]
    assert properties(*both) == ["/mnt/nix/persist/var/log, mode"]
    assert len(properties(*both, steps=2)) == 2, "two steps change two files"
    assert len(properties(*(Difference(path, "mode", 0o700, 0o755) for path in ("/mnt/a", "/mnt/b")))) == 2


def test_what_is_absent_was_not_found() -> None:
    assert not is_something(Absent()) and not is_something("absent") and is_something("none yet")


def test_attributes_of_a_partition_have_names() -> None:
    assert as_text(1 << 2 | 1 << 50, "partition table, entry 3, attributes") == "legacy-boot, bit 50"
    assert as_text(0, "partition table, entry 3, attributes") == "none"


def test_a_loss_is_reported_once() -> None:
    error = ConsentNeeded("this would destroy what is on /dev/vda, letters", advice="to destroy it, consent")
    report = TaskReport("a task", "mkfs", Outcome.REFUSED, (STEP,), error)
    assert "\n".join(text.task(report, Style())).count("letters") == 1
    applied = TaskReport("a task", "mkfs", Outcome.CHANGED, (STEP,))
    assert "\n".join(text.task(applied, Style())).count("letters") == 1
