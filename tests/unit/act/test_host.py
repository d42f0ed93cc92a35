"""The held-open shell: what it runs, how that ends, and what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subfloor.act.host import Host
from subfloor.core.errors import CommandFailed, Refused, Unreachable


def test_status_output_and_errors_are_returned_separately() -> None:
    with Host().shell() as shell:
        result = shell.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
        assert (result.status, result.stdout, result.stderr) == (3, b"out\n", b"err\n")
        assert shell.run(["true"]).status == 0


@settings(max_examples=50, deadline=None)
@example(data=b"-n\0", word="-e")
@given(data=st.binary(max_size=300), word=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_bytes_can_be_input_and_any_words_can_be_arguments_case_71(data: bytes, word: str) -> None:
    with Host().shell() as shell:
        assert shell.run(["cat"], stdin=data).stdout == data
        assert shell.run(["printf", "%s", word]).stdout == word.encode()


def test_standard_input_is_in_no_argv() -> None:
    with Host().shell() as shell:
        seen = shell.run(["sh", "-c", "cat >/dev/null; cat /proc/[0-9]*/cmdline"], stdin=b"s3cr3t-word").stdout
        assert b"s3cr3t-word" not in seen


def test_much_output_on_both_streams_does_not_block() -> None:
    with Host().shell() as shell:
        result = shell.run(["sh", "-c", "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2"])
        assert len(result.stdout) == len(result.stderr) == 3000000


def test_an_odd_environment_changes_nothing_case_69(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LC_ALL": "xx_YY", "LANG": "tr_TR.UTF-8", "TZ": "Mars", "COLUMNS": "3"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("HOME", raising=False)
    with Host().shell() as shell:
        assert shell.run(["sh", "-c", "echo $LC_ALL $TZ $PWD; umask"]).stdout == b"C UTC0 /\n0022\n"


@pytest.fixture
def mark() -> Iterator[str]:
    """A number of seconds that nobody else sleeps; who does so still at the end is ended."""
    seconds = str(time.time_ns())
    yield seconds
    subprocess.run(["pkill", "-KILL", "-f", f"sleep {seconds}"], check=False)


def test_a_command_that_hangs_is_ended_with_all_its_children(mark: str) -> None:
    with Host().shell() as shell, pytest.raises(CommandFailed, match="did not end within 1 s"):
        shell.run(["sh", "-c", f"sleep {mark} & sleep {mark}"], timeout=1.0)
    assert subprocess.run(["pgrep", "-f", f"sleep {mark}"], check=False, capture_output=True).stdout == b""


DEAF = "trap '' TERM; sleep {mark} & while :; do sleep {mark}; done"
"""A tool that does not heed SIGTERM, nor does its child."""


@pytest.mark.parametrize("prefix", [(), ("env",), ("setsid", "--wait", "env")], ids=" ".join)
def test_a_command_that_ignores_sigterm_is_killed(
    monkeypatch: pytest.MonkeyPatch, mark: str, prefix: tuple[str, ...]
) -> None:
    """`setsid`: as over ssh, where the shell is of another process group than what leads to it."""
    monkeypatch.setattr("subfloor.act.process_group.GRACE", 0.5)
    with Host("there", prefix).shell() as shell, pytest.raises(CommandFailed, match="did not end within 1 s"):
        shell.run(["sh", "-c", DEAF.format(mark=mark)], timeout=1.0)
    assert not alive(f"sleep {mark}")


def test_a_command_that_handles_sigterm_can_clean_up(tmp_path: Path) -> None:
    tidy = "trap 'sleep 0.5; echo tidy > \"$1\"; exit' TERM; while :; do sleep 0.1; done"
    with Host().shell() as shell, pytest.raises(CommandFailed):
        shell.run(["sh", "-c", tidy, "sh", str(tmp_path / "said")], timeout=10.0)
    assert (tmp_path / "said").read_text() == "tidy\n"


def test_a_service_that_a_command_started_continues_after_the_run(mark: str) -> None:
    with Host().shell() as shell:
        shell.run(["sh", "-c", f"sleep {mark} >/dev/null 2>&1 </dev/null &"])
    assert alive(f"sleep {mark}")


def alive(command: str) -> bool:
    """Whether something runs that is called just so; a zombie does not."""
    found = subprocess.run(["pgrep", "-x", "-f", command], check=False, capture_output=True, text=True).stdout.split()
    return any(_state(pid) not in ("Z", "") for pid in found)


def _state(pid: str) -> str:
    """The state of a process, as one letter; empty: it has ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_a_shell_that_cannot_be_started_is_reported() -> None:
    with pytest.raises(Unreachable, match="nosuchprogram"), Host("there", ("nosuchprogram",)).shell():
        pass
    with pytest.raises(Unreachable, match="the shell on there ended"), Host("there", ("false",)).shell():
        pass


def test_a_prefix_starts_the_shell_elsewhere() -> None:
    with Host("there", ("env", "WHERE=there")).shell() as shell:
        assert shell.run(["sh", "-c", "echo $WHERE"]).stdout == b"there\n"


def test_a_lock_is_inherited_by_the_command_and_ends_with_it_case_67(tmp_path: Path) -> None:
    device = tmp_path / "device"
    device.touch()
    try_lock = ["flock", "--nonblock", str(device), "true"]
    os.mkfifo(tmp_path / "end")
    with Host().shell() as shell:
        with shell.locked([str(device)]):
            assert subprocess.run(try_lock, check=False).returncode == 1
            shell.run(["sh", "-c", 'cat "$1" >/dev/null 2>&1 </dev/null &', "sh", str(tmp_path / "end")])
        shell.release()
        assert subprocess.run(try_lock, check=False).returncode == 1, "the orphan holds it still"
        (tmp_path / "end").write_text("now")
        subprocess.run(["flock", "--timeout", "60", str(device), "true"], check=True)


def test_a_lock_that_another_program_holds_is_a_refusal_case_67(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subfloor.act.locks.WAIT", 1)
    device = tmp_path / "device"
    device.touch()
    with Host().shell() as one, Host().shell() as other, one.locked([str(device)]):
        refused = pytest.raises(Refused, match=r"is locked by another program: sh \(PID \d+\), started by ")
        with refused, other.locked([str(device)]):
            pass
        assert not other.holds([str(device)])


def test_locks_are_kept_for_a_step_that_wants_the_same_and_released_by_any_other_request(tmp_path: Path) -> None:
    devices = [tmp_path / name for name in ("one", "other")]
    for each in devices:
        each.touch()
    one, other = ([str(each)] for each in devices)

    def is_free() -> bool:
        return subprocess.run(["flock", "--nonblock", *one, "true"], check=False).returncode == 0

    with Host().shell() as shell:
        with shell.locked(one):
            pass
        assert shell.holds(one) and not shell.holds(other) and not is_free()
        with shell.locked(one):
            assert not is_free()
        with shell.locked(other):
            assert is_free()
        shell.run(["true"])
        assert not shell.holds(other)


def test_ticks_arrive_while_a_command_runs() -> None:
    ticks: list[tuple[float, str]] = []
    with Host().shell() as shell:
        shell.run(["sh", "-c", "printf '1 %%\\r2 %%\\n\\n'; sleep 10"], tick=lambda *tick: ticks.append(tick))
    assert len(ticks) >= 2 and ticks == sorted(ticks)
    said = [line for _, line in ticks]
    assert said[-1] == "2 %" and set(said) <= {"", "2 %"}  # nothing yet, on a busy machine


def test_the_environment_of_a_command_does_not_reach_the_next() -> None:
    with Host().shell() as shell:
        said = shell.run(["sh", "-c", 'cat; printf %s "$A"'], stdin=b"in ", env={"A": "it's $HOME; x"}).stdout
        assert said == b"in it's $HOME; x"
        assert shell.run(["sh", "-c", "echo ${A-none}"]).stdout == b"none\n"


def test_the_last_output_of_a_command_that_hangs_is_reported() -> None:
    with Host().shell() as shell, pytest.raises(CommandFailed, match="its last output: waiting for paper"):
        shell.run(["sh", "-c", "echo waiting for paper; sleep 30"], timeout=10.0)


def test_without_a_disk_the_machine_is_locked_and_a_service_does_not_keep_the_lock_case_67(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBFLOOR_LOCK", str(tmp_path / "lock"))
    with Host().shell() as one, Host().shell() as other:
        awaited: list[tuple[str, Sequence[str]]] = []
        with one.locked([]):
            one.run(["sh", "-c", "sleep 60 >/dev/null 2>&1 </dev/null &"])
            assert other.run(["flock", "--nonblock", str(tmp_path / "lock"), "true"]).status == 1
        one.release()
        with other.locked([], lambda *who: awaited.append(who)):
            pass
        one.kill()
    assert not awaited


def test_a_missing_disk_cannot_be_locked_case_18(tmp_path: Path) -> None:
    with (
        Host().shell() as shell,
        pytest.raises(Refused, match="can no longer be opened"),
        shell.locked([str(tmp_path / "gone")]),
    ):
        pass
