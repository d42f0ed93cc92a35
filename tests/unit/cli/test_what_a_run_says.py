"""What the command line says: plans, differences, commands, documents."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from cli_workspace import Workspace, erase, write
from subfloor.act import apply
from subfloor.core.outcome import HostOutcome, Outcome
from subfloor.report.json import SCHEMA


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def test_a_check_plans_the_steps_that_apply_takes(workspace: Workspace) -> None:
    workspace.play(write("one"), write("two"))
    told = workspace.run("check").stdout
    done = workspace.run("apply").stdout
    promised = [line for line in told.splitlines() if "·" in line]
    assert promised == [line for line in done.splitlines() if "·" in line]
    assert len(promised) == 2


def test_the_diff_shows_before_and_after(workspace: Workspace) -> None:
    workspace.play(write("one", "hello"))
    workspace.note("one").write_text("goodbye")
    assert "says: goodbye → hello" not in workspace.run("check").stdout
    assert "says: goodbye → hello" in workspace.run("check", "--diff").stdout


def test_commands_are_shown_on_demand_and_their_input_never(workspace: Workspace) -> None:
    workspace.play({"name": "Secret", "note": {"path": "one", "says": "hunter2"}})
    assert "$ tee" not in workspace.run("check").stdout
    assert "$ tee" in workspace.run("check", "-v").stdout
    steps = workspace.document("check")["hosts"]["localhost"]["tasks"][0]["steps"]
    assert steps[0]["commands"] == [["tee", "--", str(workspace.note("one"))]]


@pytest.mark.parametrize("how", ["well", "refuse", "raise", "fail", "lie", "unseen"])
@pytest.mark.parametrize("command", ["check", "apply"])
def test_the_document_is_as_its_schema_says(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, command: str, how: str
) -> None:
    monkeypatch.setattr(apply, "_PATIENCE", 0.05)
    workspace.play({**write("zero"), "when": False}, write("one"), write("two", how=how), erase("three"))
    workspace.note("three").write_text("precious")
    result = workspace.run(command, "--format", "json", "--destroy", "/dev/toy")
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(result.stdout), schema)


def test_the_schema_holds_every_outcome_there_is() -> None:
    definitions = json.loads(SCHEMA.read_text())["$defs"]
    assert definitions["task"]["properties"]["outcome"]["enum"] == [str(each) for each in Outcome]
    assert definitions["host"]["properties"]["outcome"]["enum"] == [str(each) for each in HostOutcome]


def test_the_report_can_be_had_in_a_file_as_well(workspace: Workspace) -> None:
    workspace.play(write("one"))
    report = workspace.path / "report.json"
    result = workspace.run("check", "--report", str(report))
    assert "would change" in result.stdout
    assert json.loads(report.read_text())["hosts"] == workspace.document("check")["hosts"]


def test_a_run_of_a_rehearsal_never_prints_a_command_for_the_real_machine(workspace: Workspace) -> None:
    workspace.play(write("one", how="fail"))
    said = workspace.run("apply", SUBFLOOR_REHEARSED_BY="subfloor rehearse play.yml -e disk=/dev/vda").stdout
    assert "subfloor rehearse play.yml -e disk=/dev/vda" in said and "subfloor apply" not in said


def test_an_interrupted_run_reports_its_progress(workspace: Workspace) -> None:
    workspace.play(write("one"), write("two", how="fail"), write("three"), write("four"))
    result = workspace.run("apply")
    assert "done:         1 step in this run; 1 task satisfied" in result.stdout
    assert f"interrupted:  “Write 'hello' to {workspace.note('two')}” was interrupted" in result.stdout
    assert "not started:  2 tasks: Write three; Write four" in result.stdout
    assert f"resume with:  subfloor apply {workspace.path / 'play.yml'}" in result.stdout
    assert "not done:     Write two\n" in result.stdout
    document = workspace.document("apply")
    assert document["hosts"]["localhost"]["unreached"] == ["Write three", "Write four"]


def test_a_run_that_is_interrupted_between_steps_leaves_nothing_incomplete(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.play(erase("one"), write("two", how="fail"), write("three"))
    workspace.note("one").write_text("precious")
    said = workspace.run("apply", "--destroy", "/dev/toy").stdout
    assert "interrupted:  “Write" in said
    assert "--destroy" not in said.partition("resume with:")[2], "what it was given for is lost already"
    workspace.play(write("one"), write("two"))
    monkeypatch.setattr("subfloor.act.host_run.held_to_the_end", lambda *_: 1 / 0)
    said = workspace.run("apply").stdout
    assert "interrupted:  nothing: every step that started has finished" in said


def test_colour_is_for_terminals(workspace: Workspace) -> None:
    workspace.play(write("one"))
    assert "\033" not in workspace.run("check").stdout
    assert "\033[33m" in workspace.run("check", FORCE_COLOR="1").stdout
    assert "\033" not in workspace.run("check", FORCE_COLOR="1", NO_COLOR="1").stdout
