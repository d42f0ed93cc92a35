"""Every command that a document shows: subfloor accepts its own, and the others are known, with their options."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import shown_commands
from places import ROOT
from shown_commands import DOCUMENTS, PROGRAMS, Desk, Shown, as_subfloor, looks_like_a_command
from subfloor.cli import cli
from subfloor.cli.reference import commands_of

SHOWN = tuple(dict.fromkeys(shown_commands.shown()))
OURS = tuple(each for each in SHOWN if as_subfloor(each) is not None)
OTHERS = tuple(each for each in SHOWN if as_subfloor(each) is None)
COMMANDS: Mapping[str, click.Command] = dict(commands_of(cli))

_RUN = {"completion", "new task", "playbooks", "schema", "tasks"}
"""The commands that read no disk and change none: they are run as they are shown."""

_LISTS = {"syntax_check", "list_hosts", "list_tasks", "list_tags"}


def _parted(words: tuple[str, ...]) -> tuple[str, list[str]]:
    """The name of a command, which may have two words, and its arguments."""
    name = next(name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS)
    return name, list(words[len(name.split()) :])


def test_commands_are_found_in_all_kinds_of_blocks() -> None:
    found = "\n".join(map(str, SHOWN))
    assert "README.md: subfloor show" in found  # with a comment behind it
    assert "write-a-task.md: subfloor new task hostname-file" in found  # behind a prompt
    assert "encrypt.md: pass show vda" in found and "encrypt.md: subfloor apply encrypted.yml -y" in found
    assert "monitor.md: /usr/local/bin/subfloor check /etc/subfloor/data-disk.yml -e @/etc/subfloor/vars.yml" in found
    assert "reliability.md: pytest tests/vm/test_zoo.py" in found  # behind an assignment
    assert len(OURS) >= 60 and len(OTHERS) >= 30


@pytest.mark.parametrize("command", OURS, ids=str)
def test_subfloor_accepts_what_is_shown(command: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its options exist, and its playbook is read with its variables, tags and hosts; no disk is looked at."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    words = as_subfloor(command)
    if words == ("--version",):
        return
    name, arguments = _parted(words or ())
    desk = Desk(tmp_path, command.document)
    if name != "playbooks":
        arguments = list(map(desk.placed, arguments))
    arguments = [re.sub("^(~|/etc)", str(tmp_path), each) for each in arguments]
    context = COMMANDS[name].make_context(name, arguments)
    if name in _RUN:
        assert not COMMANDS[name].invoke(context)
    elif context.params.get("playbook"):
        _read(context)


def _read(context: click.Context) -> None:
    """Read the playbook of a command, as ``--syntax-check`` does; raises what that reports."""
    check = COMMANDS["check"].make_context("check", [str(context.params["playbook"]), "--syntax-check"])
    shared = check.params.keys() & context.params.keys() - _LISTS
    check.params.update({each: context.params[each] for each in shared})
    assert not COMMANDS["check"].invoke(check)


@pytest.mark.parametrize("command", OTHERS, ids=str)
def test_other_programs_are_known_with_their_options(command: Shown) -> None:
    used = {word.partition("=")[0] for word in command.words[1:] if re.match("-+[a-z]", word)}
    assert used <= PROGRAMS[command.program], f"{command}: add them to PROGRAMS, if the program has them"


def test_what_looks_like_a_command_is_one_of_a_known_program() -> None:
    pages = [each for each in DOCUMENTS if each.name not in ("architecture.md", "troubleshooting.md")]
    lines = {line for page in pages for line in shown_commands.lines_of(page) if looks_like_a_command(line)}
    assert {line for line in lines if line.split()[0] not in PROGRAMS} == set()


@pytest.mark.parametrize("program", sorted(name for name in PROGRAMS if PROGRAMS[name] and shutil.which(name)))
def test_the_programs_that_are_installed_have_these_options(program: str) -> None:
    """As far as their own help names long ones."""
    told = subprocess.run([program, "--help"], capture_output=True, text=True, check=False, env={"PATH": _PATH})
    long = {option for option in PROGRAMS[program] if option.startswith("--")}
    assert not [option for option in long if option not in told.stdout + told.stderr] or "man" in told.stdout


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def test_the_targets_of_make_and_the_files_of_pytest_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = [word for each in OTHERS if each.program == "make" for word in each.words[1:]]
    assert named and all(re.search(f"^{target}:.*##", makefile, re.M) for target in named)
    files = [word for each in OTHERS if each.program == "pytest" for word in each.words[1:]]
    assert files and all((ROOT / file).exists() for file in files)


@pytest.mark.skipif(not shutil.which("jq"), reason="needs jq")
@pytest.mark.parametrize("command", [each for each in OTHERS if each.program == "jq"], ids=str)
def test_the_filters_for_jq_fit_a_report(command: Shown, tmp_path: Path) -> None:
    """The filters of a page that explains the report of a check: tried on one of a disk that is not there."""
    play = tmp_path / "play.yml"
    play.write_text("- hosts: all\n  seed: x\n  tasks:\n    - wipefs: {device: /dev/vdzz}\n")
    ran = CliRunner().invoke(cli, ["check", str(play), "--format", "json"])
    told = subprocess.run(command.words[:-1], input=ran.stdout, text=True, capture_output=True, check=True)
    assert told.stdout


def _in_prose() -> list[tuple[str, str]]:
    """Commands of subfloor in the middle of a sentence, with the document that has them."""
    pages = [(page, page.read_text("utf-8")) for page in DOCUMENTS]
    return sorted({(page.name, each) for page, text in pages for each in re.findall(r"`subfloor ([a-z][^`…]*)`", text)})


@pytest.mark.parametrize(("document", "line"), _in_prose())
def test_commands_and_options_in_a_sentence_exist(document: str, line: str) -> None:
    name, arguments = _parted(tuple(line.split()))
    known = {option for each in COMMANDS[name].params for option in each.opts}
    assert {word for word in arguments if word.startswith("-")} <= {*known, "--help"}
