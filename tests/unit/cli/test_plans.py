"""A saved plan: what was reviewed is what is done, and a machine that changed since is refused with the difference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cli_workspace import Workspace, erase, write
from places import ROOT
from subfloor.cli.planning import confirming
from subfloor.core.errors import Refused
from subfloor.core.machine import Machine
from subfloor.core.task import Command, Step
from subfloor.report.plan import SavedPlan

SCHEMA = json.loads((ROOT / "src/subfloor/report/plan.schema.json").read_text())


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def saved(workspace: Workspace, *options: str) -> tuple[str, str]:
    """Saves the plan; the options to apply it with."""
    path = workspace.path / "plan.json"
    workspace.run("check", "--save-plan", str(path), *options)
    jsonschema.validate(json.loads(path.read_text()), SCHEMA)
    return "--plan", str(path)


def test_the_reviewed_plan_is_applied_and_a_rerun_is_in_sync(workspace: Workspace) -> None:
    workspace.play(write("one"), write("two"))
    plan = saved(workspace)
    assert not workspace.note("one").exists()
    assert workspace.run("apply", *plan).exit_code == 0
    assert workspace.note("two").read_text() == "hello"
    assert workspace.run("apply", *plan).exit_code == 0


def test_a_machine_that_changed_is_refused_with_the_difference(workspace: Workspace) -> None:
    workspace.play(write("one"), write("two"))
    plan = saved(workspace)
    workspace.note("two").write_text("of another")
    result = workspace.run("apply", *plan)
    assert result.exit_code == 3
    assert "this differs from the plan" in result.stderr
    assert "says: of another → hello" in result.stderr and "--save-plan" in result.stderr
    assert not workspace.note("one").exists() and workspace.note("two").read_text() == "of another"


def test_a_changed_playbook_is_refused_too_and_reported(workspace: Workspace) -> None:
    workspace.play(write("one"))
    plan = saved(workspace)
    workspace.play(write("one", says="another"))
    report = workspace.path / "report.json"
    result = workspace.run("apply", *plan, "--format", "json", "--report", str(report))
    told: dict[str, Any] = json.loads(result.stdout)
    assert (result.exit_code, told["status"], told["outcome"]) == (3, 3, "refused")
    assert "+ Write 'another'" in told["error"]["what"] and json.loads(report.read_text())["status"] == 3
    assert not workspace.note("one").exists()


def test_finished_steps_need_no_new_plan(workspace: Workspace) -> None:
    """An interrupted apply is resumed with the same command."""
    workspace.play(write("one"), write("two"))
    plan = saved(workspace)
    workspace.note("one").write_text("hello")
    assert workspace.run("apply", *plan).exit_code == 0
    assert workspace.note("two").read_text() == "hello"


def test_a_plan_does_not_give_consent(workspace: Workspace) -> None:
    workspace.play(erase("one"))
    workspace.note("one").write_text("precious")
    plan = saved(workspace, "--destroy", "/dev/toy")
    assert workspace.run("apply", *plan).exit_code == 5
    assert workspace.note("one").read_text() == "precious"
    assert workspace.run("apply", *plan, "--destroy", "/dev/toy").exit_code == 0
    assert not workspace.note("one").exists()


def test_another_loss_than_the_reviewed_one_is_refused_although_there_is_consent(workspace: Workspace) -> None:
    workspace.play(erase("one"))
    workspace.note("one").write_text("worthless")
    plan = saved(workspace)
    workspace.note("one").write_text("precious")
    result = workspace.run("apply", *plan, "--destroy", "/dev/toy")
    assert result.exit_code == 3 and "precious" in result.stderr
    assert workspace.note("one").read_text() == "precious"


def test_a_step_that_is_not_in_the_plan_is_not_taken_in_the_middle_of_a_run() -> None:
    told = {"says": "Write it", "commands": [["tee", "x"]], "destroys": []}
    plan = SavedPlan({"hosts": {"localhost": {"disks": [], "steps": [told]}}})
    confirm = confirming(plan, lambda step: True)
    assert confirm(Step("Write it", (Command(("tee", "x")),), Machine()))
    with pytest.raises(Refused, match="is not in the plan"):
        confirm(Step("Write it", (Command(("tee", "y")),), Machine()))


@pytest.mark.parametrize("text", ["", "{}", "no json", '{"kind": "subfloor plan", "version": 7}', "[]"])
def test_a_file_that_is_not_a_plan_is_bad_usage(workspace: Workspace, text: str) -> None:
    workspace.play(write("one"))
    (workspace.path / "plan.json").write_text(text)
    result = workspace.run("apply", "--plan", str(workspace.path / "plan.json"))
    assert result.exit_code == 64 and "Nothing was touched" in result.stderr
    assert not workspace.note("one").exists()
    assert workspace.run("apply", "--plan", str(workspace.path / "none.json")).exit_code == 64


def test_a_failed_check_saves_no_plan(workspace: Workspace) -> None:
    workspace.play(write("one", how="raise"))
    path = workspace.path / "plan.json"
    result = workspace.run("check", "--save-plan", str(path))
    assert result.exit_code == 1 and "no plan was saved" in result.stderr and path.read_text() == ""


def test_a_plan_holds_no_standard_input(workspace: Workspace) -> None:
    workspace.play(write("one", says="visible"))
    _, path = saved(workspace)
    (step,) = json.loads(Path(path).read_text())["hosts"]["localhost"]["steps"]
    assert step["commands"] == [["tee", "--", str(workspace.note("one"))]] and "stdin" not in step
