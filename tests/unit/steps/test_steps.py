"""Tasks as pure functions: one data file a case, in tests/data/steps/TASK.

A case has `given` (a machine; see step_values), `want` (the task's parameters), perhaps `also` (the
play's other tasks), and what comes of it, one of

    satisfied: true
    step: {says: …, commands: […], after: […], destroys: […], locks: […]}     # or `steps`, a list of these
    refused: a regular expression, found in the error and its advice
    not-visible: the same
    invalid: the same, for values that the task's class itself refuses

`commands` as a shell would be given them; one with standard input as {run: …, stdin: …}. `after` are the
differences in the words of a report, all of them. What a step leaves out is not compared, but for
`destroys`: a step that destroys something must say so. `contributes` are those of the task, as text.

Whatever the step, the machine that it promises must bring the task nearer to its end.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import step_values
from places import DATA
from subfloor.core.engine import Look, decide
from subfloor.core.errors import NotVisible, Refused
from subfloor.core.machine import AnySubject, Machine, differences
from subfloor.core.parameters import build
from subfloor.core.task import Command, Step, Task
from subfloor.playbook.registry import Registry
from subfloor.steps.volumes import with_one_name

_CASES = sorted((DATA / "steps").glob("*/*.yml"))
_REGISTRY = Registry()
_MOST_STEPS = 10
_NAMED = {"samples", "zeros"}
"""Scripts that several steps run: a case names them by their ``$0``."""
_KEYS = {"given", "want", "also", "step", "steps", "satisfied", "refused", "not-visible", "invalid", "contributes"}


@pytest.mark.parametrize("path", _CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_step(path: Path) -> None:
    case = yaml.safe_load(path.read_text("utf-8"))
    assert case.keys() <= _KEYS, f"a case has no {sorted(case.keys() - _KEYS)}"
    assert case.keys() - {"given", "want", "also"}, "the case expects nothing"
    if "invalid" in case:
        with pytest.raises(ValueError, match=case["invalid"]) as refusal:
            _tasks(path.parent.name, case)
        assert str(refusal.value).split(":")[0] in case["want"], "the message begins with no parameter that was given"
        return
    task, subjects = _tasks(path.parent.name, case)
    if "contributes" in case:
        assert [str(each) for each in task.contributes()] == case["contributes"]
    machine = step_values.machine(case.get("given") or {}, subjects)
    look = step_values.look(case.get("given") or {})
    for wanted in case.get("steps") or ([case["step"]] if "step" in case else []):
        machine = _take(task, machine, wanted, look)
    _check_end(task, machine, case, look)


def _tasks(key: str, case: Mapping[str, Any]) -> tuple[Task, frozenset[AnySubject]]:
    """The task as part of its play, and all that the play looks at."""
    wanted = _task(key, case.get("want") or {})
    play = [_task(*entry) for other in case.get("also", ()) for entry in other.items()]
    everyone = with_one_name((*play, wanted))
    within = [task.within(everyone) for task in everyone]
    return within[-1], frozenset(subject for task in within for subject in task.subjects())


def _task(key: str, values: Mapping[str, Any]) -> Task:
    plugin = _REGISTRY.get(key)
    assert plugin, f"there is no task {key}"
    assert values.keys() <= plugin.schema["properties"].keys(), f"{key} has other parameters"
    return build(plugin.task, values, step_values.IDENTITY)


def _take(task: Task, machine: Machine, wanted: Mapping[str, Any], look: Look) -> Machine:
    step = decide(task, machine, look)
    assert step is not None, "no step, and one is expected"
    changes = [str(change) for change in differences(machine, step.after)]
    seen = {
        "says": step.says,
        "commands": [_command(command) for command in step.commands],
        "after": changes,
        "destroys": [loss.device for loss in step.destroys],
        "locks": list(step.locks),
    }
    expected = {"destroys": []} | dict(wanted)
    assert {name: seen[name] for name in expected} == expected
    assert machine.keys() <= step.after.keys(), "the step forgets subjects"
    assert changes, "the step promises that nothing changes"
    _converge(task, step, look)
    return step.after


def _command(command: Command) -> str | dict[str, str]:
    argv = command.argv
    named = len(argv) > 3 and argv[:2] == ("sh", "-euc") and argv[3] in _NAMED
    run = shlex.join(argv[3:] if named else argv)
    return {"run": run, "stdin": command.stdin.decode("utf-8", "backslashreplace")} if command.stdin else run


def _converge(task: Task, step: Step | None, look: Look) -> None:
    """From the promise of the step, the task gets into sync."""
    for _ in range(_MOST_STEPS):
        if step is None:
            return
        try:
            step = decide(task, step.after, look)
        except NotVisible:  # the end of what can be said
            return
    raise AssertionError(f"it does not end: {step and step.says}")


def _check_end(task: Task, machine: Machine, case: Mapping[str, Any], look: Look) -> None:
    if "refused" in case or "not-visible" in case:
        kind, words = (Refused, case["refused"]) if "refused" in case else (NotVisible, case["not-visible"])
        with pytest.raises(kind) as raised:
            decide(task, machine, look)
        assert re.search(words, str(raised.value)), str(raised.value)
    elif "satisfied" in case:
        step = decide(task, machine, look)
        assert step is None, f"one more step: {step.says}"
