"""The differences that reports show: each once, and none that only follows from another."""

from __future__ import annotations

from subfloor.core.errors import ConsentNeeded
from subfloor.core.machine import Difference, Machine
from subfloor.core.outcome import Outcome, StepRecord, TaskReport
from subfloor.core.task import Loss, Step
from subfloor.observe.path import Absent
from subfloor.report import text
from subfloor.report.found import is_something, shown
from subfloor.report.style import Style
from subfloor.report.values import as_text

STEP = StepRecord(Step("Do it", (), Machine(), (Loss("/dev/vda", "/dev/vda", "/dev/vda, letters"),)), ())


def properties(*differences: Difference, steps: int = 1) -> list[str]:
    report = TaskReport("a task", "mount", Outcome.WOULD_CHANGE, (STEP,) * steps, differences=differences)
    return [f"{each.subject}, {each.property}" for each in shown(report)]


def test_what_only_follows_from_another_difference_is_left_out() -> None:
    used = Difference("disk /dev/vda", "partition 1, in use", False, True)
    mounted = Difference("mount point /mnt", "options", "ro", "rw")
    assert properties(used, mounted) == ["mount point /mnt, options"]
    assert properties(used) == ["disk /dev/vda, partition 1, in use"], "a task does not differ without a difference"
    moved = Difference("disk /dev/vda", "partition table, last usable sector", 10, 20)
    damage = Difference("disk /dev/vda", "partition table, damage", ("backup table",), ())
    assert properties(moved, damage) == ["disk /dev/vda, partition table, damage"]
    unknown = Difference("size of the filesystem on /dev/vda1", "", 4096, 0)
    assert properties(unknown, mounted) == ["mount point /mnt, options"]


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
