"""Drift on the command line: its kinds, what is declared and found, one cause once, a document for every end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from cli_workspace import Workspace, erase, write
from subfloor.cli import cli
from subfloor.report.json import SCHEMA


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def document(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    jsonschema.validate(found, json.loads(SCHEMA.read_text()))
    return found


KINDS = {
    "nothing": ((), 0, "in-sync", "none"),
    "in place": ((write("one"),), 2, "drift", "in-place"),
    "a person": ((write("one", how="refuse"),), 3, "refused", "person"),
    "destroys": ((erase("one"),), 5, "needs-consent", "destroys"),
    "an error": ((write("one", how="raise"),), 1, "failed", "error"),
    "not visible": ((write("one", how="unseen"),), 2, "drift", "unknown"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_drift_has_its_status_and_its_words(workspace: Workspace, kind: str) -> None:
    tasks, status, outcome, repair = KINDS[kind]
    workspace.play(write("done"), *tasks)
    workspace.note("done").write_text("hello")
    workspace.note("one").write_text("precious")
    result = workspace.run("check", "--format", "json")
    told = document(result.stdout)
    assert (result.exit_code, told["status"], told["outcome"]) == (status, status, outcome)
    task = told["hosts"]["localhost"]["tasks"][-1]
    assert task["repair"] == repair
    for difference in task["differences"]:
        assert difference["repair"] == repair and difference["destroys"] == (repair == "destroys")
        assert difference["in_place"] == (repair == "in-place")
        assert difference["advice"] or repair == "in-place"


def test_consent_alone_does_not_help_where_a_person_is_needed(workspace: Workspace) -> None:
    workspace.play(erase("one"), write("two", how="refuse"))
    workspace.note("one").write_text("precious")
    assert workspace.run("check").exit_code == 3


def test_declared_and_found_values_are_in_text_and_json(workspace: Workspace) -> None:
    workspace.play(write("one", says="new"))
    workspace.note("one").write_text("old")
    said = workspace.run("check").stdout
    assert f"found note {workspace.note('one')}, says: old; declared: new" in said
    (task,) = document(workspace.run("check", "--format", "json").stdout)["hosts"]["localhost"]["tasks"]
    (difference,) = task["differences"]
    assert (difference["found"], difference["declared"]) == ("old", "new")
    assert task["declared"] == {"path": str(workspace.note("one")), "says": "new"}


def test_a_refusal_shows_found_and_declared_values(workspace: Workspace) -> None:
    workspace.play(write("one", how="refuse"))
    (task,) = workspace.document("check")["hosts"]["localhost"]["tasks"]
    (difference,) = task["differences"]
    assert difference["found"] == "nothing is written on a Sunday"
    assert difference["declared"]["says"] == "hello"
    assert difference["advice"] == "wait for Monday"


def test_one_cause_is_reported_once_and_what_depends_on_it_is_listed(workspace: Workspace) -> None:
    workspace.play(write("one", how="refuse"), write("two", how="refuse"), write("three", how="refuse"))
    result = workspace.run("check")
    assert result.exit_code == 3
    assert result.stdout.count("nothing is written on a Sunday") == 1
    assert "blocks: Write two; Write three" in result.stdout
    assert "blocked       Write three (note) [by “Write one”]" in result.stdout
    tasks = document(workspace.run("check", "--format", "json").stdout)["hosts"]["localhost"]["tasks"]
    assert [task.get("cause") for task in tasks] == [None, "Write one", "Write one"]
    assert tasks[0]["blocks"] == ["Write two", "Write three"]


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["PLAYBOOK", "--no-such-option"], "NoSuchOption"),
        (["/no/such/playbook.yml"], "PlaybookError"),
        (["PLAYBOOK", "-e", "answer=no"], "PlaybookError"),
        (["PLAYBOOK", "--report", "/no/such/place/x.json"], "UsageError"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("form", [["--format", "json"], ["--format=json"]], ids="".join)
def test_bad_usage_is_a_document_too(workspace: Workspace, arguments: list[str], kind: str, form: list[str]) -> None:
    playbook = str(workspace.play(write("one")))
    words = [playbook if word == "PLAYBOOK" else word for word in arguments]
    result = CliRunner().invoke(cli, ["check", *form, *words])
    told = document(result.stdout)
    assert result.exit_code == told["status"] == 64
    assert (told["outcome"], told["hosts"], told["error"]["kind"]) == ("usage-error", {}, kind)
    assert told["error"]["what"] and told["error"]["advice"] and result.stderr


def test_the_document_has_a_version_and_the_time(workspace: Workspace) -> None:
    workspace.play(write("one"))
    told = workspace.document("check")
    assert told["version"] == 1 and told["command"] == "check" and told["play"] == "Notes"
    assert told["time"].endswith("Z") and len(told["time"]) == len("2026-11-29T15:04:22Z")
