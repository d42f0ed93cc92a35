"""A password that is typed, or a hash that is given, is looked for everywhere: it must be in its file alone.

Everywhere is: argv and environment of every process that a run starts (strace), all that it prints with
every option that makes it say more, the JSON report, the log, the line that says how to go on, and tracebacks.
"""

from __future__ import annotations

import copy
import fcntl
import json
import os
import pickle
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from playbook_samples import written
from subfloor.cli import passwords
from subfloor.core.contributions import PasswordFile
from subfloor.core.errors import Refused
from subfloor.core.machine import Difference, Machine, shown
from subfloor.core.outcome import HostReport, Outcome, TaskReport
from subfloor.core.secret import MASK, Secret
from subfloor.core.task import Command
from subfloor.observe.secret_file import SecretFile
from subfloor.playbook import load
from subfloor.playbook.job import Request, read_job
from subfloor.playbook.positions import PlaybookError
from subfloor.playbook.registry import Registry
from subfloor.report import run as report
from subfloor.report.formats import FORMATS
from subfloor.report.json import document
from subfloor.report.values import as_json, as_text, content

PASSWORD = "correct horse ${battery} 'staple' é"
HASH = "$6$0123456789abcdef$" + "x" * 86
ROOT = pytest.mark.root


def playbook(where: Path, *tasks: Mapping[str, Any]) -> Path:
    play = [{"name": "Secrets", "hosts": "all", "tasks": list(tasks)}]
    return written(where, json.dumps(play))


def password_file(where: Path, **values: Any) -> dict[str, Any]:
    about = {"user": "ada", "root": str(where / "root"), "hash": "{{ password | default(none) }}", **values}
    return {"name": "The password", "password-file": about}


class Run:
    """One run on a terminal, under strace: what was printed, what was started, what was reported."""

    def __init__(self, where: Path, *arguments: str, typed: tuple[str, ...] = ()) -> None:
        trace, report, log = where / "trace", where / "report.json", where / "log"
        # -v: environments too, in full.
        strace = f"strace -f -qq -v -s 1000000 -e trace=execve -e signal=none -o {trace} {sys.executable} -m subfloor"
        talkative = f"-D -v --traceback --report {report} --log {log}"
        argv = [*strace.split(), *arguments, *talkative.split()]
        mine, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "dumb", "COLUMNS": "100000"}
        with subprocess.Popen(
            argv, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, preexec_fn=lambda: _own_terminal(theirs)
        ) as process:
            os.close(theirs)
            self.seen = _talk(mine, typed)
            self.status = process.wait(60)
        os.close(mine)
        self.started = trace.read_text("utf-8", "backslashreplace")
        self.report = "".join(each.read_text() for each in (report, log) if each.exists())

    def tells(self, secret: str) -> bool:
        """Whether a secret is to be found anywhere; strace writes what is not ASCII as octal numbers."""
        octal = "".join(char if char.isascii() else "".join(f"\\{byte:o}" for byte in char.encode()) for char in secret)
        everywhere = f"{self.seen}{self.report}{self.started}"
        return any(each in everywhere for each in (secret, octal, json.dumps(secret)[1:-1]))


def _own_terminal(terminal: int) -> None:
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def _talk(mine: int, typed: tuple[str, ...]) -> str:
    """What is shown, from the first line to the last; an answer is typed after each question."""
    seen, answered = b"", 0
    while True:
        try:
            data = os.read(mine, 1 << 16)
        except OSError:  # the other end is closed: everybody has left
            return seen.decode()
        seen += data
        asked = len(re.findall(rb"(Pass(?:word|phrase) for \w+|Repeat the pass(?:word|phrase)): ", seen))
        while answered < min(asked, len(typed)):
            os.write(mine, f"{typed[answered]}\n".encode())
            answered += 1


@ROOT
def test_a_password_that_is_typed_is_seen_nowhere(tmp_path: Path) -> None:
    play = playbook(tmp_path, password_file(tmp_path))
    run = Run(tmp_path, "apply", "--yes", str(play), "--ask-password", "password", typed=(PASSWORD, PASSWORD))
    assert run.status == 0, run.seen
    kept = tmp_path / "root/nix/persist/passwords/ada"
    hashed = kept.read_text().strip()
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert _is_hash_of(hashed, PASSWORD)
    assert "Write the hash of ada's password" in run.seen
    assert "mkpasswd" in run.started or "openssl" in run.started, "the trace has the program that made the hash"
    assert not run.tells(PASSWORD)
    assert not run.tells(hashed)
    assert MASK in run.report
    # Again: without a hash the file stays, and what is in it is looked at and not shown.
    again = Run(tmp_path, "apply", "--yes", str(play))
    assert (again.status, kept.read_text().strip()) == (0, hashed)
    assert "in sync" in again.seen
    assert not again.tells(hashed)


def _is_hash_of(hashed: str, password: str) -> bool:
    """As crypt(3) says it, by way of perl."""
    script = "chomp(my $p = <STDIN>); print crypt($p, $ARGV[0])"
    done = subprocess.run(
        ["perl", "-e", script, hashed], input=f"{password}\n".encode(), capture_output=True, check=True
    )
    return done.stdout.decode() == hashed


KEEPER = """
from dataclasses import dataclass
from typing import Annotated, ClassVar
from subfloor.plugin import Node, Param, Secret, SecretFile, Step, Task, Path, FILE, ROOT, hookimpl, paths, write_secret

@dataclass(frozen=True, kw_only=True)
class Keeper(Task):
    \"\"\"Keep a secret in a file.\"\"\"

    key: ClassVar[str] = "keeper"
    path: Annotated[str, Param("The file")]
    secret: Annotated[Secret, Param("The secret")]

    def subjects(self):
        return frozenset({Path(self.path), SecretFile(self.path)})

    def next_step(self, machine):
        if machine[SecretFile(self.path)] == self.secret:
            return None
        after = paths.made(machine, self.path, Node(FILE, 0o600, ROOT, ROOT)).with_(SecretFile(self.path), self.secret)
        return Step("Keep the secret", write_secret(self.path, self.secret), after)

@hookimpl
def subfloor_tasks():
    return (Keeper,)
"""


def keeper(where: Path, *more: Mapping[str, Any]) -> Path:
    """A play with a task that takes a secret as it is."""
    (where / "plugins").mkdir()
    (where / "plugins" / "keeper.py").write_text(KEEPER)
    return playbook(where, {"keeper": {"path": str(where / "kept"), "secret": "{{ passphrase }}"}}, *more)


@ROOT
def test_a_passphrase_that_is_typed_is_seen_nowhere(tmp_path: Path) -> None:
    """It is in its file only, also if the run then fails and prints how to resume."""
    play = keeper(tmp_path, {"command": {"argv": ["false"], "creates": "/nonexistent"}})
    asking = ("--ask-passphrase", "passphrase")
    run = Run(tmp_path, "apply", "--yes", str(play), *asking, typed=(PASSWORD, "another", PASSWORD, PASSWORD))
    assert run.status == 1 and "The passphrases differ" in run.seen
    assert f"subfloor apply --yes {play} --ask-passphrase passphrase" in run.seen, "the line to resume with asks again"
    assert (tmp_path / "kept").read_text() == PASSWORD
    assert not run.tells(PASSWORD)
    assert MASK in run.report
    # A check makes no key, so it asks once.
    again = Run(tmp_path, "check", str(play), *asking, typed=(PASSWORD,))
    assert "Repeat" not in again.seen and "ok            keeper" in again.seen
    assert not again.tells(PASSWORD)
    refused = Run(tmp_path, "apply", str(play), *asking, "--tags", "none", typed=(PASSWORD, PASSWORD))
    assert refused.status == 64 and not refused.tells(PASSWORD)


@ROOT
def test_a_passphrase_is_a_line_of_standard_input_where_there_is_no_terminal(tmp_path: Path) -> None:
    play, line = keeper(tmp_path), "correct \udcff${horse} {{ battery }}"
    argv = [sys.executable, "-m", "subfloor", "apply", "--yes", str(play), "--ask-passphrase", "passphrase"]
    done = subprocess.run(
        argv, input=f"{line}\nanother line\n".encode("utf-8", "surrogateescape"), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "kept").read_bytes() == line.encode("utf-8", "surrogateescape")
    assert b"horse" not in done.stdout + done.stderr
    for nothing in (b"", b"\n"):
        done = subprocess.run(argv, input=nothing, capture_output=True, check=False)
        assert done.returncode == 64 and b"there is none for passphrase" in done.stderr


@ROOT
def test_a_hash_that_is_given_is_seen_nowhere_but_in_the_argv_that_gave_it(tmp_path: Path) -> None:
    play = playbook(tmp_path, password_file(tmp_path), {"command": {"argv": ["false"], "creates": "/nonexistent"}})
    run = Run(tmp_path, "apply", "--yes", str(play), "-e", f"password={HASH}")
    assert run.status == 1
    assert "resume with:" in run.seen
    assert f"password={MASK}" in run.seen
    first, *others = run.started.splitlines()
    assert HASH in first
    assert not any(HASH in line for line in others)
    run.started = ""
    assert not run.tells(HASH)


@ROOT
def test_a_plan_and_every_report_are_without_it(tmp_path: Path) -> None:
    play = playbook(tmp_path, password_file(tmp_path))
    for name in ("plan.json", *(f"report{suffix}" for suffix in FORMATS)):
        option = "--save-plan" if name == "plan.json" else "--report"
        words = ("check", str(play), "-e", f"password={HASH}", option, str(tmp_path / name))
        done = subprocess.run([sys.executable, "-m", "subfloor", *words], capture_output=True, check=False)
        assert done.returncode == 2, done.stderr
        text = (tmp_path / name).read_text()
        assert text and HASH not in text and HASH.replace("$", "\\$") not in text


@ROOT
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_failed_or_refused_run_shows_no_secret(tmp_path: Path, form: str) -> None:
    (tmp_path / "root").write_text("in the way")
    (tmp_path / "secrets.yml").write_text(json.dumps({"password": HASH}))
    play = playbook(tmp_path, password_file(tmp_path))
    variables = ("-e", f"@{tmp_path}/secrets.yml")
    run = Run(tmp_path, "apply", "--yes", str(play), *variables, "--format", form)
    assert run.status == 3, run.seen
    assert not run.tells(HASH)


def test_a_check_imagines_it_without_showing_it(tmp_path: Path) -> None:
    job = read_job(Request(playbook(tmp_path, password_file(tmp_path)), secrets={"password": Secret(HASH)}))
    (entry,) = job.works[0].entries
    assert entry.task
    assert entry.task.contributes() == (PasswordFile("ada", f"{tmp_path}/root/nix/persist/passwords/ada"),)
    told = TaskReport(entry.name, entry.key, Outcome.REFUSED, error=Refused("no", advice="yes"), declared=entry.task)
    whole = report.Run("check", 3, "refused", "x", (HostReport("localhost", (told,)),))
    assert MASK in repr(document(whole))
    assert HASH not in repr(entry) + str(job) + repr(document(whole))


def test_an_argument_that_gives_a_secret_is_not_repeated(tmp_path: Path) -> None:
    """By chance an argument may contain what was typed: it stays, since a run cannot be resumed with dots."""
    play = playbook(tmp_path, password_file(tmp_path))
    given = read_job(Request(play, extra=(f"password={HASH}",)))
    assert given.without_secrets(f"a{HASH}b") == f"a{MASK}b"
    typed = read_job(Request(play, secrets={"password": Secret(HASH)}))
    assert typed.without_secrets(f"a{HASH}b") == f"a{HASH}b"


@pytest.mark.parametrize(
    "values",
    [
        {"hash": PASSWORD},
        {"hash": f"{HASH}\n"},
        {"hash": 5551234},
        {"hash": [PASSWORD]},
        {"hash": HASH, "user": "{{ password }}"},
        {"hash": HASH, "path": "{{ password | upper }}"},
        {"hash": "{{ password ~ 'x' }}"},
    ],
    ids=["password", "newline", "number", "list", "as-a-name", "changed", "added-to"],
)
def test_a_mistake_is_reported_without_the_secret(tmp_path: Path, values: dict[str, Any]) -> None:
    path = playbook(tmp_path, password_file(tmp_path, **values))
    with pytest.raises(PlaybookError) as caught:
        read_job(Request(path, secrets={"password": Secret(HASH)}))
    told = str(caught.value)
    assert not any(secret in told for secret in (HASH, HASH.upper(), PASSWORD, "5551234", "correct horse"))
    assert "password-file" in told or "must be" in told


@pytest.mark.parametrize("condition", [False, True])
def test_an_entry_is_not_named_by_its_secret(tmp_path: Path, condition: bool) -> None:
    about = {"password-file": {"hash": HASH, "user": "ada"}, "when": condition}
    (work,) = read_job(Request(playbook(tmp_path, about))).works
    assert [entry.name for entry in work.entries] == ["password-file ada"]


def test_a_name_or_a_condition_shows_dots(tmp_path: Path) -> None:
    about = password_file(tmp_path) | {"name": "For {{ password }}"}
    (work,) = read_job(Request(playbook(tmp_path, about), secrets={"password": Secret(HASH)})).works
    assert [entry.name for entry in work.entries] == [f"For {MASK}"]
    wrong = playbook(tmp_path, about | {"when": "password"})
    with pytest.raises(PlaybookError, match="a condition must be true or false, but this is a secret"):
        read_job(Request(wrong, secrets={"password": Secret(HASH)}))


# The value.


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret(HASH)
    machine = Machine({SecretFile("/x"): secret})
    ways = [
        *(f"{secret}", f"{secret!r}", f"{secret:>200}", str(secret), shown(secret), as_text(secret)),
        *(json.dumps(as_json(secret)), json.dumps(as_json((secret, {"a": secret}))), repr(machine), repr([secret])),
        str(Difference("file", "", secret, secret)),
    ]
    assert not any(HASH in way for way in ways)
    assert content(secret) is None, "no diff shows its lines"
    assert HASH not in repr(Command(("dd",), stdin=HASH.encode()))
    for write in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="a secret cannot be written as text"):
            write(secret)


def test_different_secrets_are_not_equal() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != "a"


def test_the_schema_marks_it_as_a_secret() -> None:
    plugin = Registry().get("password-file")
    assert plugin
    assert plugin.schema["properties"]["hash"]["writeOnly"] is True
    assert [name for name, about in plugin.schema["properties"].items() if about.get("writeOnly")] == ["hash"]


# Asking.


def answers(*lines: str) -> passwords.Read:
    left = list(lines)
    return lambda prompt: left.pop(0)


def test_a_password_is_asked_for_until_it_is_the_same_twice(capsys: pytest.CaptureFixture[str]) -> None:
    found = passwords.asked_for(["root_password"], answers("", "a", "b", PASSWORD, PASSWORD))
    assert _is_hash_of(found["root_password"].reveal(), PASSWORD)
    said = capsys.readouterr()
    assert PASSWORD not in said.out + said.err
    with pytest.raises(click.UsageError, match="no password for x after 3 tries"):
        passwords.asked_for(["x"], answers(*"abcdef"))


def test_a_passphrase_is_asked_for_twice_only_where_it_may_become_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    twice = passwords.passphrases(["luks"], twice=True, read=answers("", "a", "b", PASSWORD, PASSWORD))
    once = passwords.passphrases(["luks", "luks"], twice=False, read=answers("", PASSWORD))
    assert twice == once == {"luks": Secret(PASSWORD)}
    said = capsys.readouterr()
    assert PASSWORD not in said.out + said.err
    with pytest.raises(click.UsageError, match="no passphrase for x after 3 tries"):
        passwords.passphrases(["x"], twice=True, read=answers(*"abcdef"))
    with pytest.raises(click.UsageError, match="`a-b` is not a valid variable name"):
        passwords.passphrases(["a-b"], twice=True, read=answers("a", "a"))


def test_a_variable_is_a_password_or_a_passphrase(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "subfloor", "check", "play.yml", "--ask-password", "x", "--ask-passphrase", "x"]
    done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, text=True, check=False)
    assert done.returncode == 64 and "x: give one of --ask-password, --ask-passphrase or --secret, once" in done.stderr


def test_text_that_is_not_utf_8_is_compared() -> None:
    assert Secret("\udcff") == Secret("\udcff") != Secret("\xff")
    assert Secret("\udcffé").bytes == b"\xff\xc3\xa9"


def test_two_hashes_of_one_password_differ() -> None:
    one, two = (passwords.asked_for(["x"], answers("same", "same"))["x"] for _ in range(2))
    assert one != two


def test_without_a_terminal_a_password_cannot_be_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="needs a terminal; give a hash in a file"):
        passwords.asked_for(["x"])
    with pytest.raises(click.UsageError, match="`a-b` is not a valid variable name"):
        passwords.asked_for(["a-b"], answers("a", "a"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(click.UsageError, match="to hash a password, subfloor needs `mkpasswd` or `openssl`"):
        passwords.asked_for(["x"], answers("a", "a"))


@pytest.mark.parametrize("way", passwords._WAYS, ids=lambda way: way[0])
def test_each_program_makes_a_hash_that_the_task_takes(way: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_WAYS", (way,))
    found = passwords.asked_for(["x"], answers(PASSWORD, PASSWORD))["x"]
    plugin = Registry().get("password-file")
    assert plugin
    plugin.task(user="ada", hash=found)  # type: ignore[call-arg]
    assert _is_hash_of(found.reveal(), PASSWORD)


def test_load_is_used_as_it_is_by_runs(tmp_path: Path) -> None:
    """A literal hash stands in the playbook: its line is not shown where it is wrong."""
    path = playbook(tmp_path, password_file(tmp_path, hash=PASSWORD))
    assert load(path, Registry())
    with pytest.raises(PlaybookError) as caught:
        read_job(Request(path))
    assert str(caught.value).startswith(f"{path}:1:")
