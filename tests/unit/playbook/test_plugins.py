"""How tasks are found, and what is said of plugins that break the contract."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated, Any

import jsonschema
import pytest

from playbook_samples import Samples, Satisfied, Wipe, written
from subfloor.core.errors import PluginError
from subfloor.core.parameters import Param
from subfloor.core.task import Task, hookimpl
from subfloor.playbook.registry import Registry

PLUGIN = '''
from __future__ import annotations
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Annotated
from subfloor.core.parameters import Param
from subfloor.core.task import Task, hookimpl


@dataclass(frozen=True, kw_only=True)
class Local(Task):
    """It is local."""

    key = "{key}"
    path: Annotated[str, Param("Where.")]

    def subjects(self):
        return frozenset()

    def next_step(self, machine):
        return None


@hookimpl
def subfloor_tasks():
    return [Local]
'''


def plugin_text(key: str) -> str:
    return PLUGIN.replace("{key}", key)


def refused(**members: Any) -> str:
    """What is said of a class with these members."""
    return _refused_class(type("Bad", (Satisfied,), {"__doc__": "Bad.", "key": "bad", **members}))


def _refused_class(class_: Any) -> str:
    class Plugin:
        @hookimpl
        def subfloor_tasks(self) -> Iterable[type[Task]]:
            return [class_]

    with pytest.raises(PluginError) as caught:
        Registry(offered=()).register(Plugin(), "bad.py")
    return str(caught.value)


def frozen(**members: Any) -> type:
    """A class that keeps the contract, but for these members."""
    body = {"__doc__": "Bad.", "key": "bad", "__module__": __name__, **members}
    return dataclass(frozen=True, kw_only=True)(type("Bad", (Satisfied,), body))


def test_plugins_beside_the_playbook(tmp_path: Path) -> None:
    written(tmp_path, plugin_text("local-one"), "one.py")
    written(tmp_path, plugin_text("local-two"), "two.py")
    written(tmp_path, "raise RuntimeError", "_helper.py")
    registry = Registry([tmp_path, tmp_path / "gone"], offered=())
    assert registry.names() == ("local-one", "local-two")
    found = registry.get("local-one")
    assert found is not None
    assert found.origin == str(tmp_path / "one.py")
    assert found.schema["required"] == ["path"]
    assert registry.get("local-three") is None


def test_files_of_one_name_in_two_directories_are_two_plugins(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        written(tmp_path / name, plugin_text(f"in-{name}"), "same.py")
    assert Registry([tmp_path / "a", tmp_path / "b"], offered=()).names() == ("in-a", "in-b")


def test_two_tasks_of_one_name_are_refused(tmp_path: Path) -> None:
    written(tmp_path, plugin_text("same"), "one.py")
    written(tmp_path, plugin_text("same"), "two.py")
    with pytest.raises(PluginError) as caught:
        Registry([tmp_path], offered=())
    assert str(caught.value) == (
        f"two plugins have a task `same`: {tmp_path}/one.py and {tmp_path}/two.py\n"
        "  → remove one of them, or give its task another name"
    )


def offer(directory: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> list[EntryPoint]:
    """Importable modules with a task each, as entry points."""
    monkeypatch.syspath_prepend(directory)
    offered = []
    for name in names:
        module = f"offered_{directory.name.replace('-', '_')}_{name}"
        written(directory, plugin_text(name), f"{module}.py")
        offered.append(EntryPoint(name, module, "subfloor"))
    return offered


def test_an_entry_point_is_loaded_when_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = offer(tmp_path, monkeypatch, "one", "two")
    registry = Registry(offered=[one, two])
    assert one.module not in sys.modules
    assert registry.get("one") is not None
    assert two.module not in sys.modules
    assert registry.names() == ("one", "two")
    assert two.module in sys.modules


def test_an_entry_point_may_bring_tasks_of_other_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = offer(tmp_path, monkeypatch, "one")
    registry = Registry(offered=[EntryPoint(name, one.module, "subfloor") for name in ("collection", "again")])
    found = registry.get("one")
    assert found is not None
    assert found.origin == one.module


def test_a_local_plugin_and_an_entry_point_of_one_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = offer(tmp_path, monkeypatch, "one")
    (tmp_path / "plugins").mkdir()
    written(tmp_path / "plugins", plugin_text("one"), "mine.py")
    with pytest.raises(PluginError, match=r"two plugins have a task `one`: .*mine\.py and offered_"):
        Registry([tmp_path / "plugins"], offered=offered).get("one")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n1 / 0\n", "{path} failed: {path}:2: ZeroDivisionError: division by zero"),
        ("def (:\n", "{path} failed: SyntaxError: invalid syntax (broken.py, line 1)"),
        ("import no_such_module_at_all\n", "{path} failed: {path}:1: ModuleNotFoundError: No module named"),
        ("raise SystemExit(3)\n", "{path} failed: {path}:1: SystemExit: 3"),
        ("x = 1\n", "{path} has no tasks\n  → add a function `subfloor_tasks`"),
        (
            "from subfloor.core.task import hookimpl\n@hookimpl\ndef subfloor_tasks():\n    raise OSError('disk')\n",
            "{path} failed: {path}:4: OSError: disk",
        ),
        (
            "from subfloor.core.task import hookimpl\n@hookimpl\ndef subfloor_tasks():\n    pass\n",
            "`subfloor_tasks` of {path} returns None\n  → return a list of task classes",
        ),
        (
            "from subfloor.core.task import hookimpl\n@hookimpl\ndef subfloor_tasks():\n    return [int]\n",
            "`int` of {path} is not a task class\n  → return classes that derive from subfloor.plugin.Task",
        ),
        (
            "from subfloor.core.task import hookimpl\n@hookimpl\ndef subfloor_tasks(unknown):\n    return []\n",
            "{path} failed: ",
        ),
    ],
)
def test_a_broken_plugin_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text, "broken.py")
    with pytest.raises(PluginError) as caught:
        Registry([tmp_path], offered=())
    assert str(caught.value).startswith(said.format(path=path))


def test_an_entry_point_that_cannot_be_imported() -> None:
    with pytest.raises(PluginError) as caught:
        Registry(offered=[EntryPoint("gone", "no.such.module", "subfloor")]).get("gone")
    assert str(caught.value).startswith("entry point no.such.module failed: ")
    assert "ModuleNotFoundError: No module named 'no'" in str(caught.value)


def test_the_contract() -> None:
    assert "does not define next_step and subjects" in _refused_class(
        dataclass(frozen=True, kw_only=True)(type("Bad", (Task,), {"key": "bad", "__doc__": "Bad."}))
    )
    assert (
        refused() == "`Bad` of bad.py is not a dataclass\n  → decorate it with `@dataclass(frozen=True, kw_only=True)`"
    )
    assert "is not frozen and keyword-only" in _refused_class(
        dataclass(frozen=True)(
            type("Bad", (Satisfied,), {"__annotations__": {"a": int}, "__doc__": "Bad.", "key": "b"})
        )
    )
    assert "has the key 'Bad Name'" in _refused_class(frozen(key="Bad Name"))
    assert "has the key None" in _refused_class(frozen(key=None))
    assert "has the key `when`, which every entry" in _refused_class(frozen(key="when"))
    assert "has no docstring" in _refused_class(frozen(__doc__=None))


def test_parameters_are_documented_and_have_a_schema() -> None:
    assert "does not say what its parameter `a` is" in _refused_class(frozen(__annotations__={"a": int}))
    assert "has parameters with no schema" in _refused_class(
        frozen(__annotations__={"a": Annotated[object, Param("A.")]})
    )


def test_the_same_plugin_twice_is_once() -> None:
    registry, samples = Registry(offered=()), Samples()
    registry.register(samples, "here")
    registry.register(samples, "here")
    registry.register(Samples(), "there")
    found = registry.get("wipe")
    assert found is not None
    assert found.task is Wipe


def test_a_distribution_brings_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = offer(tmp_path, monkeypatch, "one")
    metadata = tmp_path / "my_tasks-1.0.dist-info"
    metadata.mkdir()
    (metadata / "entry_points.txt").write_text(f"[subfloor]\none = {one.value}\n")
    (metadata / "METADATA").write_text("Name: my-tasks\nVersion: 1.0\n")
    found = Registry().get("one")
    assert found is not None
    assert found.origin == f"{one.value} (of my-tasks)"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"pattern": "("}, r"'\(' is not a valid pattern: missing \)"),
        ({"minimum": "3"}, "'3' is not a valid bound"),
        ({"maximum": 2.5}, "2.5 is not a valid bound"),
        ({"min_length": True}, "True is not a valid bound"),
    ],
)
def test_a_check_that_cannot_be_made_is_refused_where_it_is_written(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Param("It.", **wrong)


@pytest.mark.parametrize("name", Registry().names())
def test_the_schema_of_every_task_is_one(name: str) -> None:
    plugin = Registry().get(name)
    assert plugin
    jsonschema.Draft202012Validator.check_schema(plugin.schema)


def test_finding_tasks_does_not_import_slow_modules() -> None:
    code = (
        "import sys, subfloor.playbook, subfloor.playbook.registry; subfloor.playbook.registry.Registry(offered=())\n"
        "print([name for name in ('jinja2', 'jsonschema', 'importlib.metadata', 'email') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
