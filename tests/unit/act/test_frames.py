"""A frame that arrives in part does nothing; what a command leaves behind prints into no later one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath

import pytest

from subfloor.act import pieces
from subfloor.act.frames import OPEN, PREPARE, Frame, Way, command, request
from subfloor.act.host import Host
from subfloor.act.look import Look, look, script
from subfloor.act.process_group import _SCRIPT
from subfloor.core.errors import CommandFailed, LookFailed, Unreachable
from subfloor.core.machine import Machine, Output, Subject
from subfloor.observe.path import Path

SHELLS = [
    shell
    for shell in (["dash"], ["bash", "--posix"], ["bash"], ["busybox", "sh"], ["zsh", "--emulate", "sh"], ["mksh"])
    if shutil.which(shell[0])
]


def _commands(witness: str) -> dict[str, str]:
    """Commands each of which would, cut short, make a file whose name begins with the witness's."""
    data = bytes(range(256))
    return {
        "words": command(["touch", "--", *(f"{witness}.{number}" for number in range(3))], b"", {}),
        "quotes": command(["touch", "--", f"{witness} it's", f"{witness}\n$(touch {witness}.x)"], b"", {"A": "b c"}),
        "fed": command(["tee", "--", f"{witness}.fed"], data, {}),
        "look": script([f"touch {witness}.look", f"touch '{witness}.1';touch {witness}.2"], "m" * 32),
    }


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("kind", ["words", "quotes", "fed", "look"])
@pytest.mark.parametrize("way", ["apart", "looking", "in_shell"])
def test_a_frame_cut_at_any_byte_does_nothing(tmp_path: FilePath, shell: list[str], kind: str, way: Way) -> None:
    frame = OPEN + request([Frame(_commands(str(tmp_path / "w"))[kind], way)])
    whole, step = frame.rindex(b"}"), 3 if shell == ["dash"] and way == "apart" else 31
    for cut in {*range(0, whole, step), *range(whole - 12, whole + 1)}:
        process = subprocess.run(shell, input=frame[:cut], capture_output=True, check=False, timeout=20)
        assert b"begin" not in process.stdout
        assert not list(tmp_path.iterdir()), frame[:cut]
    subprocess.run(shell, input=frame + b"wait\n", capture_output=True, check=False, timeout=20)
    assert list(tmp_path.iterdir())


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_every_shell_prepares_itself_and_answers(tmp_path: FilePath, shell: list[str]) -> None:
    (tmp_path / "sh").write_text(f'#!/bin/sh\nexec {shutil.which(shell[0])} {" ".join(shell[1:])} "$@"\n')
    (tmp_path / "sh").chmod(0o755)
    with Host("there", ("env", f"PATH={tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin")).shell() as there:
        for _ in range(3):
            result = there.run(["env", "sh", "-c", "cat; echo err >&2; exit 3"], stdin=b"\0in")
            assert (result.status, result.stdout, result.stderr) == (3, b"\0in", b"err\n")
        assert len(look(there, {Path("/"), Path("/nowhere")})) == 2


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_shell_that_reports_killed_jobs_says_nothing_in_a_later_answer(tmp_path: FilePath, shell: list[str]) -> None:
    """bash reports a killed background job with its text, in which what was fed to the command can be read."""
    (tmp_path / "sh").write_text(f'#!/bin/sh\nexec {shutil.which(shell[0])} {" ".join(shell[1:])} "$@"\n')
    (tmp_path / "sh").chmod(0o755)
    with Host("there", ("env", f"PATH={tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin")).shell() as there:
        for _ in range(50):
            there.run(["env", "sh", "-c", "sleep 20 & cat"], stdin=b"passphrase", timeout=20.0)
            assert there.run(["env", "sh", "-c", "echo err >&2"], timeout=20.0).stderr == b"err\n"


def test_the_end_of_a_group_is_one_compound_command_too() -> None:
    assert not any(line.startswith("}") for line in _SCRIPT.strip().splitlines()[1:-1] if line != "}")
    assert "end_relays" in PREPARE


CUT = """
import os, sys
left = int(sys.argv[1])
read, write = os.pipe()
if not os.fork():
    os.dup2(read, 0); os.close(write); os.close(read); os.execvp("sh", ["sh"])
os.close(read)
while left and (data := os.read(0, min(left, 4096))):
    os.write(write, data); left -= len(data)
os.close(write)
os.wait()
"""


def test_a_connection_that_breaks_within_a_command_runs_no_part_of_it(tmp_path: FilePath) -> None:
    files = [str(tmp_path / f"{number:0200}") for number in range(300)]
    host = Host("there", (sys.executable, "-c", CUT, "40000"))
    with host.shell() as shell, pytest.raises(Unreachable):
        shell.run(["touch", "--", *files])
    assert not list(tmp_path.iterdir())


@dataclass(frozen=True)
class Said(Subject[bytes]):
    """What a piece of sh prints."""

    text: str
    number: int = 0
    patience = 5.0

    def __str__(self) -> str:
        return f"what number {self.number} says"

    def probes(self) -> tuple[str, ...]:
        return (f": {self.number}\n{self.text}",)

    def parse(self, *outputs: Output) -> bytes:
        return outputs[0].stdout


@pytest.fixture(params=[(), ("sh", "-c", "cat | sh -c 'exec sh' | cat"), ("setsid", "--wait", "env")], ids=str)
def prefix(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Here; behind programs that pass all on, as ssh does; in another session."""
    way: tuple[str, ...] = request.param
    return way


def test_a_look_of_any_length_ends(prefix: tuple[str, ...]) -> None:
    many = {Said("printf %01000d 7", number) for number in range(2000)}
    with Host("there", prefix).shell() as shell:
        seen = look(shell, many)
    assert len(seen) == 2000 and {len(said) for said in seen.values()} == {1000}


def test_ten_thousand_subjects_are_looked_at() -> None:
    with Host().shell() as shell:
        assert len(look(shell, {Said("echo .", number) for number in range(10_000)})) == 10_000


def test_probes_that_print_much_do_not_block() -> None:
    with Host().shell() as shell:
        seen = look(shell, {Said("head -c 3000000 /dev/zero", number) for number in range(4)})
    assert [len(said) for said in seen.values()] == [3_000_000] * 4


# Passes on what comes first, and then reads no more.
DEAF = "exec 3<&0; { dd bs=1500 count=1 <&3 2>/dev/null; exec sleep 5; } | sh"


def test_a_shell_that_reads_nothing_runs_into_the_timeout() -> None:
    """The deadline covers the writing too."""
    started = time.monotonic()
    with (
        pytest.raises(CommandFailed, match="did not end within"),
        Host("there", ("sh", "-c", DEAF, "sh")).shell() as there,
    ):
        there.run(["true", "x" * 1_000_000], timeout=1.5)
    assert time.monotonic() - started < 60


NOISE = "{ while :; do echo NOISE; echo NOISE >&2; done; } & sleep 0.2"


@pytest.fixture
def tidy() -> Iterator[None]:
    yield
    subprocess.run(["pkill", "-KILL", "-f", "while :; do echo NOISE"], check=False)


@pytest.mark.usefixtures("tidy")
def test_output_of_a_leftover_program_does_not_reach_a_later_command(prefix: tuple[str, ...]) -> None:
    with Host("there", prefix).shell() as shell:
        shell.run(["sh", "-c", NOISE])
        for number in range(20):
            assert look(shell, {Said("echo .", number)})[Said("echo .", number)] == b".\n"
            result = shell.run(["sh", "-c", "sleep 0.01; echo .; echo . >&2"])
            assert (result.stdout, result.stderr) == (b".\n", b".\n")


@pytest.mark.usefixtures("tidy")
def test_a_leftover_program_does_not_delay_the_end_of_a_command() -> None:
    started = time.monotonic()
    with Host().shell() as shell:
        shell.run(["sh", "-c", "sleep 90 &"])
        shell.run(["true"])
    assert time.monotonic() - started < 60


def test_a_probe_that_hangs_is_named_and_ended() -> None:
    started = time.monotonic()
    with Host().shell() as shell, pytest.raises(LookFailed, match="what number 2 says gave no answer within 5 s"):
        look(shell, {Said("echo .", 1), Said("trap '' TERM; sleep 90", 2), Said("echo .", 3)})
    assert time.monotonic() - started < 60


def test_a_probe_that_prints_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only silence counts: a disk of many partitions is not one that no longer answers."""
    now = 0.0
    monkeypatch.setattr("subfloor.act.look.time.monotonic", lambda: now)
    one = Look({Said("echo .", 1)})
    watch, said, patience = one.piece.watch, bytearray(), Said.patience
    assert watch
    watch(said)
    for _ in range(5):
        now += patience * 0.9
        said += b"a partition\n"
        watch(said)
    now += patience * 1.1
    with pytest.raises(LookFailed, match=f"what number 1 says gave no answer within {patience:.0f} s"):
        watch(said)


def test_a_probe_that_prints_without_end_is_named_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subfloor.act.look.MOST", 1 << 20)
    with Host().shell() as shell, pytest.raises(LookFailed, match="what number 1 says: its probe prints more than 1 M"):
        look(shell, {Said("echo .", 0), Said("cat /dev/zero", 1)})


def test_the_beginning_and_the_end_of_long_output_are_kept() -> None:
    with Host().shell() as shell:
        said = shell.run(["sh", "-c", "echo first; head -c 100000000 /dev/zero; echo last"]).stdout
    assert said.startswith(b"first\n\0") and said.endswith(b"\0last\n")
    assert b"bytes left out]" in said and len(said) < 30_000_000


def test_a_look_at_no_subjects_is_empty() -> None:
    with Host().shell() as shell:
        assert look(shell, set()) == Machine()


def test_a_piece_after_one_that_failed_does_not_run(tmp_path: FilePath) -> None:
    with Host().shell() as shell:
        results = shell.perform([pieces.command(["sh", "-c", "exit 3"]), pieces.command(["touch", f"{tmp_path}/file"])])
        assert [result.status for result in results] == [3]
        accepted = pieces.command(["sh", "-c", "exit 3"], accepts=frozenset({3}))
        assert len(shell.perform([accepted, pieces.command(["true"])])) == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_request_of_many_frames_cut_at_any_byte_does_nothing(tmp_path: FilePath, shell: list[str]) -> None:
    texts = _commands(str(tmp_path / "w"))
    asked = [Frame(f"touch {tmp_path}/here", "in_shell"), *(Frame(texts[kind], "apart") for kind in ("words", "fed"))]
    frame = OPEN + request([*asked, Frame(texts["look"], "looking")], first=f"touch {tmp_path}/first")
    whole = frame.rindex(b"}")
    for cut in {*range(0, whole, 97), *range(whole - 12, whole + 1)}:
        subprocess.run(shell, input=frame[:cut], capture_output=True, check=False, timeout=20)
        assert not list(tmp_path.iterdir()), frame[:cut]
    subprocess.run(shell, input=frame + b"wait\n", capture_output=True, check=False, timeout=20)
    assert {"here", "first", "w.0", "w.fed", "w.look"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_what_a_command_left_behind_prints_into_no_later_piece(tmp_path: FilePath, shell: list[str]) -> None:
    """It keeps the relays from ending, so the run ends them: no piece waits for the program."""
    (tmp_path / "sh").write_text(f'#!/bin/sh\nexec {shutil.which(shell[0])} {" ".join(shell[1:])} "$@"\n')
    (tmp_path / "sh").chmod(0o755)
    with Host("there", ("env", f"PATH={tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin")).shell() as there:
        looked = Look({Said("echo .")})
        noise = pieces.command(["dash", "-c", NOISE])
        _, result, seen = there.perform([noise, pieces.command(["sh", "-c", "echo .; echo . >&2"]), looked.piece])
        assert (result.stdout, result.stderr) == (b".\n", b".\n")
        assert looked.machine(seen.stdout)[Said("echo .")] == b".\n"


def test_if_the_run_is_killed_its_command_ends_under_its_lock_and_the_next_does_not_begin(tmp_path: FilePath) -> None:
    begin, end = tmp_path / "begin", tmp_path / "end"
    os.mkfifo(begin)
    os.mkfifo(end)
    (tmp_path / "device").touch()
    code = f"""
from subfloor.act import pieces
from subfloor.act.host import Host
with Host().shell() as shell, shell.locked(["{tmp_path}/device"]):
    first = pieces.command(["sh", "-c", "echo > {begin}; cat {end}; touch {tmp_path}/first"])
    shell.perform([first, pieces.command(["touch", "{tmp_path}/second"])])
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    begin.read_text()
    process.kill()
    process.wait()
    try_lock = ["flock", "--nonblock", f"{tmp_path}/device", "true"]
    assert subprocess.run(try_lock, check=False).returncode == 1
    end.write_text("now")
    subprocess.run(["flock", "--timeout", "60", f"{tmp_path}/device", "true"], check=True)
    assert (tmp_path / "first").exists()
    assert not (tmp_path / "second").exists()
