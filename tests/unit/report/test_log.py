"""The log of a run: every line as its schema says, on the disk before the next thing happens, and no secret."""

from __future__ import annotations

import json
import os
import resource
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cli_workspace import Workspace, erase, write
from subfloor.act import apply
from subfloor.core.outcome import HostOutcome, Outcome
from subfloor.report.json import SCHEMA as REPORT_SCHEMA
from subfloor.report.log import SCHEMA

_SCHEMA: dict[str, Any] = json.loads(SCHEMA.read_text())
_VALIDATOR = jsonschema.Draft202012Validator(_SCHEMA)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def lines(workspace: Workspace) -> list[dict[str, Any]]:
    """The lines of the log, each held against the schema."""
    found = [json.loads(line) for line in (workspace.path / "log").read_text().splitlines()]
    for line in found:
        _VALIDATOR.validate(line)
    return found


def logged(workspace: Workspace, command: str, *options: str) -> list[dict[str, Any]]:
    workspace.run(command, *options, "--log", str(workspace.path / "log"))
    return lines(workspace)


def events(found: list[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in found]


def test_the_schema_is_one_and_knows_every_outcome() -> None:
    jsonschema.Draft202012Validator.check_schema(_SCHEMA)
    by_event = {each["properties"]["event"]["const"]: each["properties"] for each in _SCHEMA["oneOf"]}
    assert by_event["task-ended"]["outcome"]["enum"] == [str(each) for each in Outcome]
    assert by_event["host-ended"]["outcome"]["enum"] == [str(each) for each in HostOutcome]


def test_an_apply_is_logged_from_start_to_end(workspace: Workspace) -> None:
    workspace.play(erase("one"), write("two"))
    workspace.note("one").write_text("precious")
    found = logged(workspace, "apply", "--destroy", "/dev/toy")
    step = ["step", "command", "command-ended", "looked", "step-ended", "task-ended"]
    assert events(found) == [
        "began", "looked", "looked", "agreed", "looked",
        "task", "looked", *step,
        "task", *step,
        "looked", "host-ended", "finished",
    ]  # fmt: skip
    by_event = {line["event"]: line for line in reversed(found)}
    assert by_event["agreed"]["devices"] == ["/dev/toy"]
    assert by_event["step"]["destroys"] == [
        {"device": "/dev/toy", "node": "/dev/toy0", "what": "/dev/toy (1.0 GiB Toy serial 7): 'precious'"}
    ]
    assert by_event["command"]["argv"] == ["rm", "--", str(workspace.note("one"))]
    assert by_event["finished"] == by_event["finished"] | {"status": 0}
    assert [line["elapsed"] for line in found] == sorted(line["elapsed"] for line in found)


@pytest.mark.parametrize("how", ["well", "refuse", "raise", "fail", "lie", "unseen", "no-tool"])
@pytest.mark.parametrize("command", ["check", "apply"])
def test_every_line_is_as_the_schema_says(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, command: str, how: str
) -> None:
    monkeypatch.setattr(apply, "_PATIENCE", 0.05)
    workspace.play({**write("zero"), "when": False}, write("one"), write("two", how=how), write("three"))
    result = workspace.run(command, "--log", str(workspace.path / "log"))
    found = lines(workspace)
    assert events(found)[0] == "began" and events(found)[-2:] == ["host-ended", "finished"]
    assert found[-1]["status"] == result.exit_code
    assert found[0]["command"] == command
    errors = [line["error"]["what"] for line in found if line["event"] == "task-ended" and line["error"]]
    assert len(errors) == (how != "well" and (command, how) not in {("check", "fail"), ("check", "lie")})


def test_a_failed_command_is_logged_with_its_output(workspace: Workspace) -> None:
    workspace.play(write("one", how="fail"), write("two"))
    found = logged(workspace, "apply")
    (ended,) = [line for line in found if line["event"] == "command-ended"]
    assert (ended["status"], ended["stderr"]) == (3, "the ink is dry\n")
    (host,) = [line for line in found if line["event"] == "host-ended"]
    assert host["unreached"] == ["Write two"] and host["broke_off"].startswith("Write 'hello'")


def test_standard_input_and_secret_variables_are_not_logged(workspace: Workspace) -> None:
    workspace.play({"name": "Secret", "note": {"path": "one", "says": "hello"}})
    play = workspace.path / "play.yml"
    play.write_text(play.read_text().replace('"hello"', '"{{ password }}"'))
    found = logged(workspace, "apply", "-e", "password=hunter2", "-v")
    assert workspace.note("one").read_text() == "hunter2"
    assert "hunter2" not in json.dumps([line for line in found if line["event"] in ("began", "command", "finished")])
    assert "password=••••" in found[0]["line"]


def test_a_log_is_appended_to(workspace: Workspace) -> None:
    workspace.play(write("one"))
    log = workspace.path / "log"
    log.write_text('{"of": "another"}\n')
    for _ in range(2):
        workspace.run("check", "--log", str(log))
    first, *rest = map(json.loads, log.read_text().splitlines())
    assert first == {"of": "another"}
    assert [line["event"] for line in rest].count("began") == 2


def test_a_mistake_in_the_playbook_is_in_the_log(workspace: Workspace) -> None:
    workspace.play({"nott": []})
    found = logged(workspace, "apply")
    assert events(found) == ["began", "finished"]
    assert found[1]["status"] == 64 and "nott" in found[1]["what"]


@pytest.mark.parametrize("option", ["--log", "--report"])
@pytest.mark.parametrize("command", ["check", "apply"])
def test_an_unwritable_log_is_reported_before_anything_is_changed(
    workspace: Workspace, command: str, option: str
) -> None:
    workspace.play(write("one"))
    result = workspace.run(command, option, str(workspace.path / "missing" / "file"))
    assert result.exit_code == 64
    assert f"{option}: {workspace.path}/missing/file cannot be written: No such file or directory" in result.stderr
    assert result.stdout == "" and not workspace.note("one").exists()


def test_a_run_that_fails_early_leaves_a_report_too(workspace: Workspace) -> None:
    """A report of yesterday would say that all is well."""
    workspace.play({"nott": []})
    report = workspace.path / "report.json"
    report.write_text("of yesterday")
    assert workspace.run("check", "--report", str(report)).exit_code == 64
    told = json.loads(report.read_text())
    jsonschema.validate(told, json.loads(REPORT_SCHEMA.read_text()))
    assert (told["status"], told["outcome"], told["hosts"]) == (64, "usage-error", {})
    assert told["error"]["kind"] == "PlaybookError" and "play.yml:1:" in told["error"]["what"]


def test_a_log_that_cannot_grow_breaks_nothing_off_and_is_reported_case_64(workspace: Workspace) -> None:
    workspace.play(write("one"))
    log = workspace.path / "log"
    log.write_bytes(b"x" * 8192)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    keywords = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    _, said = (process := workspace.start("apply", "--log", str(log), preexec_fn=limited, **keywords)).communicate()
    assert process.returncode == 1
    assert "the log could not be written: [Errno 27] File too large" in said
    assert workspace.note("one").read_text() == "hello"


@pytest.mark.parametrize("option", ["--log", "--report"])
@pytest.mark.parametrize("command", ["check", "apply"])
@pytest.mark.parametrize("kind", ["b", "c", "socket", "link to b"])
def test_nothing_is_written_to_a_device(workspace: Workspace, command: str, option: str, kind: str) -> None:
    """A mistyped `--report /dev/sdb` would overwrite the start of a disk."""
    workspace.play(write("one"))
    path = workspace.path / "node"
    if kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    elif os.geteuid():
        path.symlink_to("/dev/full")
    else:
        target = workspace.path / "device"
        number = os.makedev(7, 255) if kind.endswith("b") else os.makedev(1, 7)
        os.mknod(target, (stat.S_IFBLK if kind.endswith("b") else stat.S_IFCHR) | 0o600, number)
        path.symlink_to(target)
    result = workspace.run(command, option, str(path))
    assert result.exit_code == 64, result.output
    assert "name a regular file or a FIFO" in result.stderr
    assert result.stdout == "" and not workspace.note("one").exists()


def test_a_report_goes_to_a_reader_of_a_fifo(workspace: Workspace) -> None:
    workspace.play(write("one"))
    fifo = workspace.path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["cat", str(fifo)], stdout=subprocess.PIPE) as reader:
        assert workspace.run("check", "--report", str(fifo)).exit_code == 2
        said, _ = reader.communicate(timeout=60)
    assert json.loads(said)["hosts"] == workspace.document("check")["hosts"]


def test_events_before_a_run_was_killed_are_logged_case_68(workspace: Workspace) -> None:
    workspace.play(write("one"), write("two", sleep=1800))
    process = workspace.start(
        "apply", "--log", str(workspace.path / "log"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    end = time.monotonic() + 60
    while subprocess.run(["pgrep", "-x", "-f", "sleep 1800"], check=False, capture_output=True).returncode:
        assert time.monotonic() < end
        time.sleep(0.02)
    process.kill()
    process.wait()
    subprocess.run(["pkill", "-x", "-f", "sleep 1800"], check=True)
    found = lines(workspace)
    assert found[-1]["event"] == "command" and found[-1]["argv"] == ["sleep", "1800"]
    assert [line["says"] for line in found if line["event"] == "step-ended"] == [
        f"Write 'hello' to {workspace.note('one')}"
    ]


@pytest.mark.root
def test_steps_are_flushed_to_the_disk_before_they_begin(workspace: Workspace) -> None:
    """By the system calls, as strace sees them: the step's line, its flush, and only then its command's line."""
    workspace.play(write("one"))
    trace = workspace.path / "trace"
    argv = [sys.executable, "-m", "subfloor", *workspace.arguments("apply", "--log", str(workspace.path / "log"))]
    calls = "trace=write,fdatasync"
    subprocess.run(
        ["strace", "-y", "-s", "200", "-o", str(trace), "-e", calls, *argv],
        check=True, capture_output=True, env={**os.environ, "COLUMNS": "80"},
    )  # fmt: skip
    seen = [line for line in trace.read_text().splitlines() if f"{workspace.path}/log>" in line]
    at = next(number for number, line in enumerate(seen) if r"\"event\": \"step\"" in line)
    assert seen[at + 1].startswith("fdatasync(")
    assert r"\"event\": \"command\"" in seen[at + 2]
    assert seen[-1].startswith("fdatasync(")
