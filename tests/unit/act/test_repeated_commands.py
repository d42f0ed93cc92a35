"""A command that fails because its disk is in use for a moment is repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from subfloor.act.commands import Commands
from subfloor.act.host import Host
from subfloor.act.look import Look
from subfloor.core.errors import CommandFailed
from subfloor.core.task import Command
from subfloor.observe.open_partitions import DeviceUser, DeviceUsers

UNTIL = 'n=$(cat "$1" 2>/dev/null || echo 0); echo $((n + 1)) > "$1"; [ "$n" -ge "$2" ] || { echo busy >&2; exit 1; }'
"""Fails as often as its second argument says."""


def failing(path: Path, times: int, patience: float) -> Command:
    return Command(("sh", "-c", UNTIL, "sh", str(path), str(times)), patience=patience, needs="/dev/null")


@pytest.fixture
def slow_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for those who have the disk open takes longer than a passer-by, and finds nobody."""
    search = DeviceUsers.probes
    monkeypatch.setattr(DeviceUsers, "probes", lambda users: tuple(f"sleep 0.6\n{probe}" for probe in search(users)))


@pytest.mark.usefixtures("slow_search")
def test_a_command_is_repeated_though_one_passer_by_follows_another(tmp_path: Path) -> None:
    with Host().shell() as shell:
        Commands(shell, lambda event: None).carry_out((failing(tmp_path / "tries", 3, 600.0),), Look(()))
    assert (tmp_path / "tries").read_text() == "4\n"


@pytest.mark.usefixtures("slow_search")
def test_a_command_that_fails_each_time_and_finds_nobody_is_not_repeated_for_long(tmp_path: Path) -> None:
    with Host().shell() as shell, pytest.raises(CommandFailed, match="busy"):
        Commands(shell, lambda event: None).carry_out((failing(tmp_path / "tries", 99, 600.0),), Look(()))
    assert (tmp_path / "tries").read_text() == "4\n"


def test_tries_are_counted_from_when_nobody_is_seen_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter([*[(DeviceUser(1, "holder", "/dev/null"),)] * 5, *[()] * 99])
    monkeypatch.setattr(DeviceUsers, "probes", lambda users: ("sleep 0.2",))
    monkeypatch.setattr(DeviceUsers, "parse", lambda users, *outputs: next(seen))
    with Host().shell() as shell:
        Commands(shell, lambda event: None).carry_out((failing(tmp_path / "tries", 8, 600.0),), Look(()))
    assert (tmp_path / "tries").read_text() == "9\n"


def test_a_command_without_patience_runs_once(tmp_path: Path) -> None:
    with Host().shell() as shell, pytest.raises(CommandFailed, match="busy"):
        Commands(shell, lambda event: None).carry_out((failing(tmp_path / "tries", 99, 0.0),), Look(()))
    assert (tmp_path / "tries").read_text() == "1\n"
