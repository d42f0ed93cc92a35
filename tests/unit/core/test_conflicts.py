"""Two tasks that want different things of one place: no run ends, so none begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import step_values
from disks import plays
from subfloor.core.consent import Consent
from subfloor.core.engine import imagine, subjects
from subfloor.core.outcome import Outcome

_STORE = {"mount /mnt": "tmpfs tmpfs", "mount /mnt/nix": "/dev/vda3 ext4 rw"}
_BTRFS = {"disk /dev/vda": {"table": "ours", "partitions": [{"name": "data", "holds": "btrfs data"}]}}
_TOP = {"mount /top": "/dev/vda1 btrfs", "tool btrfs": True, "tool chattr": True, "tool lsattr": True}
_FRESH = {"disk /dev/vda": {"table": "ours", "partitions": [{"name": "b", "holds": {"type": "ext4", "fresh": True}}]}}


def reported(given: Mapping[str, Any], *play: tuple[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    entries = plays.entries(play)
    machine = step_values.machine(given, subjects(entries))
    return [(report.outcome.value, str(report.error or "")) for report in imagine(entries, machine, Consent())]


@pytest.mark.parametrize(
    ("given", "first", "second"),
    [
        (_STORE, ("directory", {"path": "/mnt/x"}), ("directory", {"path": "/mnt/x", "mode": "0700"})),
        (
            _STORE,
            ("directory", {"path": "/mnt/nix/persist/x", "owner": "1000"}),
            ("bind-persist", {"path": "/x", "root": "/mnt", "mode": "0700"}),
        ),
        (
            _BTRFS,
            ("mount", {"path": "/a", "source": "/dev/vda1", "type": "btrfs", "options": ["compress=zstd"]}),
            ("mount", {"path": "/b", "source": "/dev/vda1", "type": "btrfs", "options": ["compress=lzo"]}),
        ),
        (
            {},
            ("tmpfs-mount", {"path": "/mnt", "size": "1GiB"}),
            ("tmpfs-mount", {"path": "/mnt", "size": "2GiB"}),
        ),
        (
            _TOP,
            ("btrfs-subvolume", {"path": "/top/@a", "default": True}),
            ("btrfs-subvolume", {"path": "/top/@b", "default": True}),
        ),
        (
            _FRESH,
            ("directory", {"path": "/data", "mode": "0700"}),
            ("mount", {"path": "/data", "source": "/dev/vda1", "type": "ext4"}),
        ),
    ],
)
def test_the_later_task_is_refused(
    given: Mapping[str, Any], first: tuple[str, Mapping[str, Any]], second: tuple[str, Mapping[str, Any]]
) -> None:
    other = ("directory", {"path": "/elsewhere"})
    outcomes = reported(given, first, other, second, other)
    assert [outcome for outcome, _ in outcomes] == ["would-change", "would-change", Outcome.REFUSED.value, "ok"]
    assert f"“{second[0]}” undoes “{first[0]}”" in outcomes[2][1]


def test_two_tasks_that_want_the_same() -> None:
    same = ("directory", {"path": "/mnt/x", "mode": "0700"})
    assert [outcome for outcome, _ in reported(_STORE, same, same)] == ["would-change", "ok"]


def test_a_mount_that_hides_earlier_work_is_not_a_visible_conflict() -> None:
    """What a filesystem that was there before holds cannot be said before it is mounted."""
    made = ("directory", {"path": "/a/x"})
    over = ("mount", {"path": "/a", "source": "/dev/vda1", "type": "btrfs"})
    assert [outcome for outcome, _ in reported(_BTRFS, made, over)] == ["would-change", "would-change"]
