"""A fault of a plugin is reported as the plugin's, with file, line and task, and never as success."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from simple_tasks import AnEntry, failing
from subfloor.cli import cli
from subfloor.core.engine import converge
from subfloor.core.errors import PluginError
from subfloor.core.machine import Machine
from subfloor.core.outcome import Outcome

PLUGIN = '''
import sys
from dataclasses import dataclass
from subfloor.core.machine import Subject
from subfloor.core.task import Task, hookimpl

@dataclass(frozen=True)
class Seen(Subject):
    def probes(self): {probes}
    def parse(self, *outputs): {parse}
    def __str__(self): {str}

@dataclass(frozen=True, kw_only=True)
class Faulty(Task):
    """It is faulty."""
    key = "faulty"
    def __post_init__(self): {init}
    def subjects(self): {subjects}
    def next_step(self, machine): {next_step}
    def within(self, play): {within}
    def warnings(self): {warnings}

@hookimpl
def subfloor_tasks():
    return [Faulty]
'''
SOUND = {
    "probes": "return ('echo',)",
    "parse": "return 1",
    "str": "return 'seen'",
    "init": "pass",
    "subjects": "return frozenset({Seen()})",
    "next_step": "return None",
    "within": "return self",
    "warnings": "return ()",
}


def checked(path: Path, command: str, **faults: str) -> tuple[int, str]:
    (path / "plugins").mkdir()
    text = PLUGIN
    for method, body in (SOUND | faults).items():
        text = text.replace(f"{{{method}}}", body)
    (path / "plugins" / "faulty.py").write_text(text)
    (path / "play.yml").write_text("- name: It\n  hosts: all\n  tasks:\n  - faulty: {}\n")
    options = ["--yes"] if command == "apply" else []
    result = CliRunner().invoke(cli, [command, *options, str(path / "play.yml")])
    return result.exit_code, result.output


def test_a_sound_one_is_in_sync(tmp_path: Path) -> None:
    assert checked(tmp_path, "check")[0] == 0


@pytest.mark.parametrize("command", ["check", "apply"])
@pytest.mark.parametrize("method", sorted(SOUND))
@pytest.mark.parametrize("fault", ["sys.exit(0)", "raise KeyError('x')"])
def test_any_exception_of_a_plugin_is_a_plugin_error(tmp_path: Path, command: str, method: str, fault: str) -> None:
    status, said = checked(tmp_path, command, **{method: fault})
    assert status not in (0, 2)
    assert "faulty" in said and "plugin" in said and "faulty.py:" in "".join(said.split())


@pytest.mark.parametrize("answer", ["None", "3", "[None]", "object()"])
@pytest.mark.parametrize("method", ["probes", "str", "subjects", "next_step", "within", "warnings"])
def test_an_answer_of_the_wrong_type_is_its_fault(tmp_path: Path, method: str, answer: str) -> None:
    if (method, answer) == ("next_step", "None"):
        return
    status, said = checked(tmp_path, "check", **{method: f"return {answer}"})
    assert status not in (0, 2)
    assert "faulty" in said and "plugin" in said


def test_sys_exit_in_a_plugin_does_not_end_a_task() -> None:
    task = failing(lambda: sys.exit(0))()
    converged = converge(AnEntry(task), Machine(), lambda *_: (Machine(), True), Outcome.OK)
    assert converged.report.outcome is Outcome.FAILED
    assert isinstance(converged.report.error, PluginError)
