"""The command line as a process among others: signals, pipes, terminals."""

from __future__ import annotations

import json
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli_workspace import Workspace, erase, write

PIPES: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
DEADLINE = 120.0


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def wait_for(what: Callable[[], Any]) -> Any:
    """The first true answer."""
    end = time.monotonic() + DEADLINE
    while not (found := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


def running(*words: str) -> list[int]:
    """The processes whose command line is just this."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().split(b"\0")[:-1] == [
                w.encode() for w in words
            ]:
                found.append(int(entry.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


# Signals.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_ends_the_command_and_the_run_reports_its_progress_case_68(
    workspace: Workspace, number: signal.Signals
) -> None:
    seconds = 1000 + number  # to be told from other tests' processes
    workspace.play(write("one"), write("two", sleep=seconds), write("three"))
    process = workspace.start("apply", **PIPES)
    wait_for(lambda: running("sleep", str(seconds)))
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert not running("sleep", str(seconds))
    assert stderr == ""
    assert f"interrupted; `sleep {seconds}` was stopped" in stdout
    assert "done:         1 step in this run; 1 task satisfied" in stdout
    assert "not done:     Write two" in stdout
    assert f"interrupted:  “Write 'hello' to {workspace.note('two')}” was interrupted" in stdout
    assert "not started:  1 task: Write three" in stdout
    assert f"resume with:  subfloor apply {workspace.path / 'play.yml'}" in stdout


def test_the_document_of_an_interrupted_run_is_whole(workspace: Workspace) -> None:
    workspace.play(write("one"), write("two", sleep=1100), write("three"))
    process = workspace.start("apply", "--format", "json", **PIPES)
    wait_for(lambda: running("sleep", "1100"))
    process.terminate()
    stdout, _ = process.communicate(timeout=DEADLINE)
    host = json.loads(stdout)["hosts"]["localhost"]
    assert host["outcome"] == "failed"
    assert [task["outcome"] for task in host["tasks"]] == ["changed", "failed"]
    assert host["tasks"][1]["error"]["kind"] == "Interrupted"
    assert host["unreached"] == ["Write three"]
    assert host["broke_off"].startswith("Write 'hello'")


def test_a_rerun_resumes(workspace: Workspace) -> None:
    workspace.play(write("one"), write("two", sleep=1200))
    process = workspace.start("apply", **PIPES)
    wait_for(lambda: running("sleep", "1200"))
    process.terminate()
    process.communicate(timeout=DEADLINE)
    workspace.play(write("one"), write("two"))
    result = workspace.run("apply")
    assert result.exit_code == 0
    assert "ok            Write one" in result.stdout
    assert "changed       Write two" in result.stdout


def test_the_hosts_after_an_interrupted_one_are_left_alone(workspace: Workspace) -> None:
    workspace.play(write("{{ inventory_hostname }}", sleep=1300))
    inventory = workspace.path / "hosts.yml"
    local = {"subfloor_connection": "local"}
    inventory.write_text(json.dumps({"all": {"hosts": {"first": local, "second": local}}}))
    process = workspace.start("apply", "-i", str(inventory), "--forks", "1", "--format", "json", **PIPES)
    wait_for(lambda: running("sleep", "1300"))
    process.terminate()
    stdout, _ = process.communicate(timeout=DEADLINE)
    hosts = json.loads(stdout)["hosts"]
    assert hosts["second"]["error"]["what"] == "interrupted before this host's turn"
    assert not workspace.note("second").exists()


def test_a_rerun_waits_for_the_command_of_a_killed_run_and_resumes_case_68(workspace: Workspace) -> None:
    """SIGKILL leaves it no last word, and its command alive: the rerun waits for that, and does not race it."""
    workspace.play(write("one"), write("two", sleep=1700))
    process = workspace.start("apply", **PIPES)
    (orphan,) = wait_for(lambda: running("sleep", "1700"))
    process.kill()
    process.communicate(timeout=DEADLINE)
    assert running("sleep", "1700") == [orphan]
    workspace.play(write("one"), write("two"))
    rerun = workspace.start("apply", **PIPES)
    assert rerun.stdout
    said = iter(rerun.stdout.readline, "")
    until_it_waits = next(line for line in said if "waiting" in line)
    os.kill(orphan, signal.SIGTERM)
    assert f"sleep (PID {orphan}" in until_it_waits
    rest = rerun.communicate(timeout=DEADLINE)[0]
    assert rerun.returncode == 0
    assert "changed       Write two" in rest


def test_a_killed_command_is_reported_case_68(workspace: Workspace) -> None:
    workspace.play(write("one"), write("two", sleep=1500), write("three"))
    process = workspace.start("apply", **PIPES)
    (sleeping,) = wait_for(lambda: running("sleep", "1500"))
    os.kill(sleeping, signal.SIGKILL)
    stdout, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert "`sleep 1500` was ended by SIGKILL (status 137)" in stdout
    assert "not started:  1 task: Write three" in stdout


def test_a_second_request_to_end_changes_nothing_case_68(workspace: Workspace) -> None:
    workspace.play(write("one", sleep=1600, deaf=True), write("two"))
    process = workspace.start("apply", **PIPES)
    wait_for(lambda: running("sleep", "1600"))
    for _ in range(3):
        process.terminate()
        time.sleep(0.1)
    stdout, stderr = process.communicate(timeout=DEADLINE)
    assert (process.returncode, stderr) == (1, "")
    assert "resume with:  subfloor apply" in stdout
    assert not running("sleep", "1600")


# Pipes.


def test_the_reader_of_one_line_leaves_the_rest_of_the_run_alone_case_68(workspace: Workspace) -> None:
    workspace.play(*(write(f"note{number}", "x" * 20000) for number in range(5)), write("last"))
    argv = shlex.join([sys.executable, "-m", "subfloor", *workspace.arguments("apply", "--diff")])
    script = f"{{ {argv}; echo $? >&2; }} | head -1"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=DEADLINE)
    assert (done.stdout, done.stderr) == ("localhost\n", "0\n")
    assert workspace.note("last").read_text() == "hello"


def test_a_reader_that_leaves_breaks_nothing_off_case_68(workspace: Workspace) -> None:
    workspace.play(*(write(f"note{number}", "x" * 2000, sleep=0) for number in range(5)), write("last"))
    process = workspace.start("apply", "--diff", **PIPES)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(DEADLINE) == 0
    assert said == ""
    assert workspace.note("last").read_text() == "hello"


def test_a_full_disk_for_the_report_stops_nothing_and_is_reported_case_68(workspace: Workspace) -> None:
    workspace.play(write("one"))
    with Path("/dev/full").open("w") as full:
        process = workspace.start("apply", stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE)
        _, stderr = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert "the report could not be written" in stderr
    assert "Traceback" not in stderr
    assert workspace.note("one").read_text() == "hello"


def test_closed_standard_streams_are_survived_case_68(workspace: Workspace) -> None:
    workspace.play(write("one"))
    process = workspace.start("apply", preexec_fn=lambda: os.closerange(0, 3))
    assert process.wait(DEADLINE) == 0
    assert workspace.note("one").read_text() == "hello"


def test_characters_that_cannot_be_encoded_are_escaped_case_69(workspace: Workspace) -> None:
    workspace.play(write("one"))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    process = workspace.start("check", env=environment, **PIPES)
    stdout, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 2
    assert "- Write 'hello'" in stdout
    assert stdout.isascii()


# Terminals.


class Terminal:
    """Somebody at a terminal on which a run was started."""

    def __init__(self, workspace: Workspace, command: str, *options: str) -> None:
        self._mine, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"}
        self._process = workspace.start(command, *options, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        self.seen = ""

    def _read(self) -> bool:
        """Take what has come; whether more may."""
        try:
            data = os.read(self._mine, 65536) if select.select([self._mine], [], [], 0.1)[0] else None
        except OSError:
            return False
        self.seen += data.decode() if data else ""
        return data != b""

    def until(self, text: str) -> None:
        """Wait for something to be shown."""
        wait_for(lambda: self._read() and text in self.seen)

    def type(self, text: str) -> None:
        os.write(self._mine, text.encode())

    def end(self) -> int:
        """Wait for the end; the exit status."""
        while self._read() and self._process.poll() is None:
            pass
        self._read()
        return self._process.wait(DEADLINE)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._mine)


@pytest.fixture
def sit(workspace: Workspace) -> Iterator[Callable[..., Terminal]]:
    """Starts a run at a terminal."""
    terminals: list[Terminal] = []

    def start(command: str, *options: str) -> Terminal:
        terminals.append(Terminal(workspace, command, *options))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()


Sit = Callable[..., Terminal]


def test_the_plan_is_shown_and_confirmed_once(workspace: Workspace, sit: Sit) -> None:
    workspace.play(write("one"), write("two"))
    terminal = sit("apply")
    terminal.until("Apply? [y/N]")
    assert "would change  Write two" in terminal.seen
    assert not workspace.note("one").exists()
    terminal.type("y\n")
    assert terminal.end() == 0
    assert terminal.seen.count("[y/N]") == 1
    assert workspace.note("two").exists()


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04", "\x03"], ids=["no", "nothing", "end of input", "Ctrl-C"])
def test_a_declined_plan_changes_nothing(workspace: Workspace, sit: Sit, answer: str) -> None:
    workspace.play(write("one"))
    terminal = sit("apply")
    terminal.until("Apply? [y/N]")
    terminal.type(answer) if answer != "\x03" else terminal._process.send_signal(signal.SIGINT)
    assert terminal.end() == 3
    assert "Declined: nothing was touched." in terminal.seen
    assert not workspace.note("one").exists()


def test_yes_asks_nothing(workspace: Workspace, sit: Sit) -> None:
    workspace.play(write("one"))
    terminal = sit("apply", "--yes")
    assert terminal.end() == 0
    assert "Apply?" not in terminal.seen


def test_without_changes_no_question_is_asked(workspace: Workspace, sit: Sit) -> None:
    workspace.play(write("one"))
    workspace.note("one").write_text("hello")
    terminal = sit("apply")
    assert terminal.end() == 0
    assert "Apply?" not in terminal.seen


@pytest.mark.parametrize(
    ("answer", "status"),
    [("/dev/toy", 0), ("/dev/toy0", 0), ("yes", 3), ("", 3), ("/dev/other", 3)],
)
def test_data_is_lost_only_where_its_device_was_typed(workspace: Workspace, sit: Sit, answer: str, status: int) -> None:
    workspace.play(erase("one"), write("two"))
    workspace.note("one").write_text("precious")
    terminal = sit("apply")
    terminal.until("Type /dev/toy to destroy the data on it")
    assert "/dev/toy (1.0 GiB Toy serial 7): 'precious'" in terminal.seen
    terminal.type(f"{answer}\n")
    assert terminal.end() == status
    assert workspace.note("one").exists() == bool(status)
    assert workspace.note("two").exists() == (not status)
    assert "Apply?" not in terminal.seen


def test_yes_does_not_give_consent(workspace: Workspace, sit: Sit) -> None:
    workspace.play(erase("one"))
    workspace.note("one").write_text("precious")
    assert sit("apply", "--yes").end() == 5
    assert workspace.note("one").exists()


def test_no_question_is_asked_about_a_refused_plan(workspace: Workspace, sit: Sit) -> None:
    workspace.play(erase("one"), write("two", how="refuse"))
    workspace.note("one").write_text("precious")
    terminal = sit("apply")
    assert terminal.end() == 3
    assert "Type /dev/toy" not in terminal.seen


def test_step_by_step(workspace: Workspace, sit: Sit) -> None:
    workspace.play(*(write(name) for name in ("one", "two", "three", "four")))
    terminal = sit("apply", "--step")
    for name, answer in (("one", "y"), ("two", "n"), ("three", "c")):
        terminal.until(f"{name}?")
        terminal.type(f"{answer}\n")
    assert terminal.end() == 0
    assert [workspace.note(name).exists() for name in ("one", "two", "three", "four")] == [True, False, True, True]
    assert "skipped       Write two (note) [declined]" in terminal.seen


def test_the_seconds_pass_on_a_terminal_only(workspace: Workspace, sit: Sit) -> None:
    workspace.play(write("one", sleep=2))
    terminal = sit("apply", "--yes")
    terminal.until("(1 s)")
    assert terminal.end() == 0
    assert "\r\033[K" in terminal.seen
    workspace.play(write("two", sleep=1))
    assert "\r" not in workspace.run("apply").stdout


def test_a_terminal_that_goes_away_ends_the_run_in_order_case_68(workspace: Workspace, sit: Sit) -> None:
    workspace.play(write("one", sleep=1400))
    terminal = sit("apply", "--yes", "--report", str(workspace.path / "report.json"))
    wait_for(lambda: running("sleep", "1400"))
    terminal._process.send_signal(signal.SIGHUP)
    assert terminal.end() == 1
    assert not running("sleep", "1400")
    host = json.loads((workspace.path / "report.json").read_text())["hosts"]["localhost"]
    assert host["tasks"][0]["error"]["kind"] == "Interrupted"
