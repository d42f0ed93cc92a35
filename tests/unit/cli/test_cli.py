"""The command line in one process: exit statuses, what is said, and what is left untouched."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from cli_workspace import Workspace, names, write
from subfloor.act import apply
from subfloor.cli import cli


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(cli, arguments)


# Exit statuses.


def test_a_blank_machine_drifts_is_applied_and_is_in_sync(workspace: Workspace) -> None:
    workspace.play(write("one"), write("two"))
    assert workspace.run("check").exit_code == 2
    assert not workspace.note("one").exists()
    assert workspace.run("apply").exit_code == 0
    assert workspace.note("two").read_text() == "hello"
    assert workspace.run("check").exit_code == 0
    assert workspace.run("apply").exit_code == 0


def test_apply_check_is_check(workspace: Workspace) -> None:
    workspace.play(write("one"))
    result = workspace.run("apply", "--check")
    assert result.exit_code == 2
    assert result.stdout == workspace.run("check").stdout
    assert not workspace.note("one").exists()


@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        ("refuse", 3, "nothing is written on a Sunday"),
        ("no-tool", 3, "no-such-quill is not installed"),
        ("raise", 1, "RuntimeError: the pen is empty"),
        ("fail", 1, "the ink is dry"),
        ("lie", 1, "but verification failed: note"),
        ("unseen", 2, "the paper is in a drawer"),
    ],
)
def test_errors_are_reported_with_their_exit_status(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, how: str, status: int, said: str
) -> None:
    monkeypatch.setattr(apply, "_PATIENCE", 0.05)
    workspace.play(write("one"), write("two", how=how), write("three"))
    result = workspace.run("apply")
    assert result.exit_code == status, result.output
    assert said in result.stdout
    assert "→ " in result.stdout
    assert not workspace.note("three").exists()


def test_nothing_is_touched_where_anything_is_refused(workspace: Workspace) -> None:
    workspace.play(write("one"), write("two", how="refuse"))
    result = workspace.run("apply")
    assert result.exit_code == 3
    assert "Nothing was touched." in result.stdout
    assert not workspace.note("one").exists()


def test_a_check_continues_after_a_refusal(workspace: Workspace) -> None:
    workspace.play(write("one", how="refuse"), write("two"))
    result = workspace.run("check")
    assert result.exit_code == 3
    assert "would change  Write two" in result.stdout


def test_actions_that_need_root_are_refused_to_users(workspace: Workspace) -> None:
    workspace.play(write("one"))
    result = workspace.run("apply", "-e", f"subfloor_become={json.dumps(AS_NOBODY)}")
    assert result.exit_code == 3
    assert "the commands of this task need root" in result.stdout
    assert not workspace.note("one").exists()


def test_an_unreachable_host_does_not_stop_the_others(workspace: Workspace) -> None:
    workspace.play(write("one"))
    inventory = workspace.path / "hosts.yml"
    hosts = {
        "gone": {"subfloor_connection": "local", "subfloor_become": "false"},
        "here": {"subfloor_connection": "local"},
    }
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    result = invoke("apply", str(workspace.path / "play.yml"), "-i", str(inventory), "--format", "json")
    hosts_told = json.loads(result.stdout)["hosts"]
    assert {name: host["outcome"] for name, host in hosts_told.items()} == {"gone": "unreachable", "here": "applied"}
    assert hosts_told["gone"]["error"]["kind"] == "Unreachable"
    assert result.exit_code == 4


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("no-such-command",),
        ("check",),
        ("check", "/no/such/playbook.yml"),
        ("check", "--no-such-option"),
        ("check", "PLAYBOOK", "--format", "xml"),
        ("check", "PLAYBOOK", "-e", "nonsense"),
        ("check", "PLAYBOOK", "-e", "answer=no"),
        ("check", "PLAYBOOK", "-i", "/no/such/inventory.yml"),
        ("check", "PLAYBOOK", "--limit", "nobody"),
        ("apply", "PLAYBOOK", "--start-at-task", "Write won"),
        ("apply", "PLAYBOOK", "--step"),
        ("rehearse", "PLAYBOOK", "--disk", "30GB"),
        ("rehearse", "PLAYBOOK", "--disk", "30GiB:scsi"),
        ("tasks", "no-such-task"),
    ],
    ids=" ".join,
)
def test_bad_usage_has_a_status_of_its_own(workspace: Workspace, arguments: tuple[str, ...]) -> None:
    playbook = str(workspace.play(write("one")))
    result = invoke(*(playbook if word == "PLAYBOOK" else word for word in arguments))
    assert result.exit_code == 64, result.output
    assert result.stdout == ""
    assert result.stderr


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), *((name, "--help") for name in cli.commands)])
def test_help_is_not_an_error(arguments: tuple[str, ...]) -> None:
    assert invoke(*arguments).exit_code == 0


def test_an_error_in_subfloor_is_reported_as_a_bug(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("subfloor.cli.running.read_job", fail)
    workspace.play(write("one"))
    result = workspace.run("check")
    assert result.exit_code == 1
    assert "this is a bug in subfloor" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Traceback" in workspace.run("check", "--traceback").stderr


def test_a_plugin_s_error_is_traced_on_demand(workspace: Workspace) -> None:
    workspace.play(write("one", how="raise"))
    assert "Traceback" not in workspace.run("check").output
    assert 'raise RuntimeError("the pen is empty")' in workspace.run("check", "--traceback").stderr


# What is asked for.


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-t", "discs"], "no task has the tag `discs`[^→]*→ did you mean `disks`?"),
        (["--skip-tags", "a,discs"], "--skip-tags:1:1: no task has the tag `discs`"),
        (["-e", "swpa=0"], "-e:1:1: nothing reads the variable `swpa`[^→]*→ did you mean `swap`?"),
        (["-e", "swpa=[1, 2]"], "nothing reads the variable `swpa`"),
    ],
)
@pytest.mark.parametrize("command", ["check", "apply"])
def test_a_name_that_means_nothing_is_never_success(
    workspace: Workspace, command: str, words: list[str], said: str
) -> None:
    workspace.play({**write("one"), "tags": ["disks", "a"], "when": "swap is undefined"})
    done = workspace.run(command, *words)
    assert done.exit_code == 64
    assert re.search(said, done.stderr), done.stderr


def test_names_in_skipped_entries_are_known(workspace: Workspace, tmp_path: Path) -> None:
    """A task, an include, a default and a file of variables: each may not matter in this run."""
    part = [{"include": "no-such-file.yml", "when": "inner is undefined", "tags": ["deep"]}]
    (tmp_path / "part.yml").write_text(json.dumps(part))
    (tmp_path / "vars.yml").write_text("of_no_use: 1\nother: '{{ chained }}'\n")
    workspace.play(
        {**write("no", "{{ skipped }}"), "when": False, "tags": ["never-run"]},
        {"include": str(tmp_path / "part.yml"), "when": "condition"},
        write("one"),
    )
    given = ("skipped=a", "inner=b", "condition=false", "chained=c", f"@{tmp_path}/vars.yml", "subfloor_user=root")
    done = workspace.run("check", *(word for each in given for word in ("-e", each)), "--skip-tags", "deep,never-run")
    assert done.exit_code == 2, done.stderr


def test_tags_choose_tasks(workspace: Workspace) -> None:
    workspace.play({**write("one"), "tags": ["a"]}, {**write("two"), "tags": ["b"]}, {**write("three"), "tags": ["c"]})
    assert names(workspace.document("check", "--tags", "a,b")) == ["Write one", "Write two"]
    assert names(workspace.document("check", "-t", "a", "-t", "c")) == ["Write one", "Write three"]
    assert names(workspace.document("check", "--skip-tags", "a,b")) == ["Write three"]


def test_a_run_can_start_at_a_task(workspace: Workspace) -> None:
    workspace.play(write("one"), write("two"), write("three"))
    assert names(workspace.document("apply", "--check", "--start-at-task", "Write two")) == ["Write two", "Write three"]
    assert names(workspace.document("apply", "--start-at-task", "*three")) == ["Write three"]
    assert not workspace.note("one").exists()
    assert "did you mean `Write two`?" in workspace.run("apply", "--start-at-task", "Write tow").stderr


def test_extra_variables_are_typed_as_yaml(workspace: Workspace) -> None:
    extra = workspace.path / "extra.yml"
    extra.write_text("who: file\n")
    workspace.play(write("one", "{{ who }}", sleep="{{ seconds }}"))
    assert workspace.run("check", "-e", f"@{extra}", "-e", "seconds=soon").exit_code == 64
    assert "Write 'file' to" in workspace.run("check", "-e", f"@{extra}", "-e", "seconds=0").stdout
    assert (
        "Write 'argument' to"
        in workspace.run("check", "-e", f"@{extra}", "-e", "who=argument", "-e", "seconds=0").stdout
    )


def test_a_missing_disk_variable_names_the_disks(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subfloor.cli.running.disks_here", lambda: ("/dev/vda (30 GiB)", "/dev/vdb (8 GiB)"))
    workspace.play(write("{{ target_disk }}"))
    result = workspace.run("check")
    assert result.exit_code == 64
    assert "`target_disk` is undefined" in result.stderr
    assert "the disks here: /dev/vda (30 GiB); /dev/vdb (8 GiB)" in result.stderr
    workspace.play(write("{{ colour }}"))
    assert "the disks here" not in workspace.run("check").stderr


def test_the_plays_of_a_playbook_are_one_run(workspace: Workspace) -> None:
    workspace.play(write("one"))
    play = json.loads((workspace.path / "play.yml").read_text())[0]
    (workspace.path / "play.yml").write_text(json.dumps([play, {**play, "name": "More notes"}]))
    document = workspace.document("check")
    assert document["play"] == "Notes, More notes"
    assert [task["outcome"] for task in document["hosts"]["localhost"]["tasks"]] == ["would-change", "ok"]


# Tasks and their schema.


def test_tasks_are_listed_and_documented(workspace: Workspace) -> None:
    playbook = str(workspace.play(write("one")))
    listed = invoke("tasks", "--playbook", playbook)
    assert listed.exit_code == 0, listed.output
    assert "A note that says this." in listed.stdout
    page = invoke("tasks", "note", "--playbook", playbook).stdout
    for part in ("The file", "a whole number, default 0", "- note: {path: /tmp/note, says: hello}", "one of well"):
        assert part in page
    assert "did you mean `erase-note`?" in invoke("tasks", "erasenote", "--playbook", playbook).stderr


def test_the_schema_of_playbooks_counts_in_the_plugins(workspace: Workspace) -> None:
    playbook = workspace.play(write("one"))
    schema = json.loads(invoke("schema", "--playbook", str(playbook)).stdout)
    jsonschema.validate(json.loads(playbook.read_text()), schema)
