"""Odd surroundings of a run: its environment, its clock, what programs print, and what is given as a playbook."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli_workspace import Workspace, write
from simple_tasks import AnEntry, Count
from subfloor.act import apply
from subfloor.act.host import Host
from subfloor.act.look import look
from subfloor.core.consent import Consent
from subfloor.core.engine import subjects
from subfloor.core.errors import LookFailed
from subfloor.report import log, text
from subfloor.report.json import dumps
from subfloor.report.run import Run
from subfloor.report.style import Style
from unit.core.test_engine import carried_out

DEADLINE = 120.0


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def said(workspace: Workspace, command: str, *options: str, **keywords: Any) -> tuple[int, str, str]:
    """The exit status of a run as a process of its own, and what it says."""
    process = workspace.start(
        command, *options, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keywords
    )
    stdout, stderr = process.communicate(timeout=DEADLINE)
    return process.returncode, stdout, stderr


# The environment.

ODD: Mapping[str, str | None] = {
    "LC_ALL": "tr_TR.ISO-8859-9", "LANG": "xx_YY", "LANGUAGE": "xx:yy", "PYTHONUTF8": "1", "TZ": "Mars/Olympus_Mons",
    "COLUMNS": "minus three", "LINES": "0",
    "HOME": None, "USER": None, "LOGNAME": None, "XDG_CONFIG_HOME": "/nonexistent", "TMPDIR": "/nonexistent",
    "PATH": "/usr/bin:/bin", "ENV": "/nonexistent", "CDPATH": "/", "IFS": "o",
    # What other programs heed.
    "LOCK_BLOCK_DEVICE": "1", "POSIXLY_CORRECT": "1", "BLOCK_SIZE": "human-readable", "LIBBLKID_DEBUG": "0xffff",
    "GREP_OPTIONS": "-v", "LSBLK_COLORS": "x",
}  # fmt: skip


def test_the_environment_changes_nothing_case_69(workspace: Workspace) -> None:
    workspace.play(write("one"), write("two"))
    workspace.note("one").write_text("hello")
    plain = said(workspace, "check", "--diff", "-v")
    assert plain[0] == 2
    environment = {name: value for name, value in {**os.environ, **ODD}.items() if value is not None}
    assert said(workspace, "check", "--diff", "-v", env=environment) == plain
    assert said(workspace, "apply", env=environment)[0] == 0
    assert workspace.note("two").read_text() == "hello"


def test_the_current_directory_may_be_gone_case_69(workspace: Workspace) -> None:
    workspace.play(write("one"))
    gone = workspace.path / "gone"
    gone.mkdir()
    argv = [sys.executable, "-m", "subfloor", *workspace.arguments("apply")]
    script = 'cd "$0" && rmdir "$0" && exec "$@"'
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(["sh", "-c", script, str(gone), *argv], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert workspace.note("one").exists()
    done = subprocess.run(
        ["sh", "-c", script, str(gone), sys.executable, "-m", "subfloor", "check", "play.yml"],
        capture_output=True, text=True, env=environment, cwd=workspace.path,
    )  # fmt: skip
    assert "Traceback" not in done.stderr


@pytest.mark.root
def test_the_current_directory_may_be_read_only_case_69(workspace: Workspace) -> None:
    workspace.play(write("one"))
    mount = (
        f'mount -t tmpfs -o ro,size=64k none {workspace.path}/read-only && cd {workspace.path}/read-only && exec "$@"'
    )
    (workspace.path / "read-only").mkdir()
    argv = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        mount,
        "sh",
        sys.executable,
        "-m",
        "subfloor",
        *workspace.arguments("apply"),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE)
    assert (done.returncode, done.stderr) == (0, "")
    assert workspace.note("one").exists()


# The clock.


def test_the_log_stays_in_order_if_the_clock_is_set_during_the_run_case_70(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1970, then now: the seconds since the start of the run give the order of the lines."""
    times = iter([datetime(1970, 1, 1, tzinfo=UTC)] * 3 + [datetime(2026, 1, 1, tzinfo=UTC)] * 100)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return next(times)

    monkeypatch.setattr(log, "datetime", Clock)
    monkeypatch.setattr("time.time", lambda: 0.0)
    workspace.play(write("one"))
    assert workspace.run("apply", "--log", str(workspace.path / "log")).exit_code == 0
    lines = [json.loads(line) for line in (workspace.path / "log").read_text().splitlines()]
    assert lines[0]["at"] == "1970-01-01T00:00:00.000+00:00"
    assert [line["elapsed"] for line in lines] == sorted(line["elapsed"] for line in lines)


# What programs print.


def test_any_output_of_a_failing_program_is_reported_case_71(tmp_path: Path) -> None:
    nasty = r"printf 'caf\351 \033[2J\000\n' >&2; exit 1"
    report = carried_out(Count(path=str(tmp_path / "n"), script=nasty))
    told = "\n".join(text.task(report.tasks[0], Style()))
    assert "caf\ufffd \\x1b[2J" in told
    json.loads(dumps(Run("check", 0, "drift", "play", (report,))))


def test_any_output_of_a_probe_is_handled_case_71(tmp_path: Path) -> None:
    path = tmp_path / "n"
    path.write_bytes(b"\xff\xfe\x00 seven")
    entries = [AnEntry(Count(path=str(path)))]
    with Host().shell() as shell, pytest.raises(LookFailed, match="the output of its probes was not understood"):
        apply.preflight(entries, shell, Consent())
        look(shell, subjects(entries))


# What is given as a playbook.


def test_a_file_that_is_not_a_playbook_is_reported_with_a_position_case_72(workspace: Workspace) -> None:
    play = workspace.play(write("one"))
    good = play.read_bytes()
    laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{now}: &{now} [{', '.join([f'*{before}'] * 9)}]\n" for before, now in zip("abcdefgh", "bcdefghi", strict=True)
    )
    cases: dict[bytes, str] = {
        b"": f"{play}",
        b"#" * (10 << 20): f"{play}: is larger than 1 MiB",
        laughs.encode(): f"{play}:",
        b"- hosts: all\n  tasks:\n\t- note: {}\n": f"{play}:3:1: ",
        b"- hosts: all\n  tasks: caf\xe9\n": f"{play}:2:13: byte 0xe9 is not UTF-8",
        b"\x00" * 4096: f"{play}:1:1: ",
    }
    for content, expected in cases.items():
        play.write_bytes(content)
        result = workspace.run("check")
        assert result.exit_code == 64, content[:40]
        assert result.stderr.startswith(expected), result.stderr
        assert "→ " in result.stderr and len(result.stderr) < 4000
    for content in (b"\xef\xbb\xbf" + good, good.replace(b", ", b",\r\n")):
        play.write_bytes(content)
        assert workspace.run("check").exit_code == 2
    play.unlink()
    play.mkdir()
    assert workspace.run("check").exit_code == 64
