"""A session in which every request is a script of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from subfloor.act import pieces
from subfloor.act.by_script import Said, ScriptHost, ScriptSession
from subfloor.act.pieces import Piece
from subfloor.act.session import Moved
from subfloor.core.errors import Refused, Unreachable


def by_sh(script: bytes) -> Said:
    done = subprocess.run(["sh"], input=script, capture_output=True, check=False)
    return Said(done.stdout, done.stderr)


def session() -> ScriptSession:
    return ScriptSession("here", by_sh)


def reading(path: Path) -> Piece:
    return pieces.reading(f"cat {path}", timeout=1.0, watch=lambda said: None)


def test_pieces_run_one_after_another_until_one_fails() -> None:
    results = session().perform(
        [
            pieces.command(["printf", "a\\000b"]),
            pieces.command(["sh", "-c", "echo out; echo err >&2; exit 3"], accepts=frozenset({3})),
            pieces.command(["cat"], stdin=b"\xff\n"),
            pieces.command(["false"]),
            pieces.command(["echo", "never"]),
        ]
    )
    assert [(each.status, each.stdout, each.stderr) for each in results] == [
        (0, b"a\0b", b""),
        (3, b"out\n", b"err\n"),
        (0, b"\xff\n", b""),
        (1, b"", b""),
    ]


def test_a_program_that_is_left_running_is_not_waited_for(tmp_path: Path) -> None:
    held = tmp_path / "held"
    left = f"mkfifo {held}; (read -r line < {held}; echo late) & echo early"
    results = session().perform([pieces.command(["sh", "-c", left]), pieces.command(["echo", "next"])])
    assert [each.stdout for each in results] == [b"early\n", b"next\n"]
    held.write_text("go\n")


def test_a_step_runs_if_nothing_has_changed_since_it_was_decided(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    here, look = session(), reading(file)
    with here.locked((), then=[look]) as results:
        assert results[0].stdout == b"one"
        ended = here.perform([pieces.command(["tee", str(file)], stdin=b"two"), look])
    assert ended[1].stdout == b"two"


def test_a_step_does_not_run_if_something_has_changed_since_it_was_decided(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    here = session()
    with here.locked((), then=[reading(file)]), pytest.raises(Moved):
        file.write_text("another's")
        here.perform([pieces.command(["tee", str(file)], stdin=b"two")])
    assert file.read_text() == "another's"


def test_another_try_is_guarded_by_what_the_failed_one_has_left(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    here, fails = session(), pieces.command(["sh", "-c", f"echo tried >> {file}; exit 1"])
    with here.locked((), then=[reading(file)]):
        assert here.perform([fails])[0].status == 1
        assert here.perform([fails])[0].status == 1
        file.write_text("another's")
        with pytest.raises(Moved):
            here.perform([fails])
    assert file.read_text() == "another's"


def test_a_step_whose_ground_moves_all_the_time_is_refused(tmp_path: Path) -> None:
    file, here = tmp_path / "file", session()
    with pytest.raises(Refused, match="the machine keeps changing"):
        for number in range(20):
            file.write_text(str(number))
            with here.locked((), then=[reading(file)]):
                file.write_text("moved")
                try:
                    here.perform([pieces.command(["true"])])
                except Moved:
                    continue


def test_a_step_waits_for_a_lock_and_names_who_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "disk"
    file.touch()
    monkeypatch.setattr("subfloor.act.locks.WAIT", 1)
    with subprocess.Popen(["flock", str(file), "sh", "-c", "echo; read -r line"], stdin=-1, stdout=-1) as holder:
        assert holder.stdout and holder.stdout.readline()
        refused = pytest.raises(Refused, match=rf"{file} is locked by another program: .*PID")
        with refused, session().locked([str(file)], then=[reading(file)]):
            pass
        holder.communicate(b"\n")
    with session().locked([str(file)], then=[reading(file)]) as results:
        assert results[0].status == 0


def test_a_disk_that_is_gone_is_refused(tmp_path: Path) -> None:
    refused = pytest.raises(Refused, match="can no longer be opened")
    with refused, session().locked([str(tmp_path / "none")], then=[reading(tmp_path)]):
        pass


def test_half_of_a_script_does_nothing(tmp_path: Path) -> None:
    file = tmp_path / "file"
    sent = ScriptHost("far", lambda script: by_sh(script[:-20]))
    with sent.shell() as here, pytest.raises(Unreachable, match="far"):
        here.perform([pieces.command(["touch", str(file)])])
    assert not file.exists()


def test_a_command_inherits_the_lock(tmp_path: Path) -> None:
    file, here = tmp_path / "disk", session()
    file.touch()
    with here.locked([str(file)], then=[reading(file)]):
        (result,) = here.perform([pieces.command(["flock", "--nonblock", str(file), "true"])])
        assert result.status == 1
    (result,) = here.perform([pieces.command(["flock", "--nonblock", str(file), "true"])])
    assert result.status == 0
