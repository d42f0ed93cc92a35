"""The task registry: entry points of installed distributions, and ``plugins/`` beside the playbook.

The built-in tasks are loaded in the same way as the tasks of other plugins. To import all plugins would take longer
than a run. So an entry point is loaded only when a task of its name is needed. If no entry point has the name, all of
them are loaded.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from subfloor.core import task
from subfloor.core.errors import PluginError
from subfloor.core.faults import RAISED, place
from subfloor.core.task import Task
from subfloor.playbook import task_contract

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from jsonschema.protocols import Validator

GROUP = "subfloor"


@dataclass(frozen=True)
class Plugin:
    """A task class, the JSON Schema of its parameters, and where it comes from."""

    task: type[Task]
    schema: dict[str, Any]
    origin: str

    @cached_property
    def validator(self) -> Validator:
        """The validator of the parameters."""
        return _strict()(self.schema)


@cache
def _strict() -> type[Validator]:
    """JSON Schema, except that 1.0 is not an integer: Python would write it as `1.0` everywhere."""
    from jsonschema import Draft202012Validator, validators

    checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    strict: type[Validator] = validators.extend(Draft202012Validator, type_checker=checker)  # type: ignore[no-untyped-call]
    return strict


class Registry:
    """All task classes, by the names that playbooks use.

    ``directories``: directories of plugin files; those that do not exist are ignored.
    ``offered``: replaces the installed entry points in tests.
    """

    def __init__(self, directories: Iterable[Path] = (), offered: Iterable[EntryPoint] | None = None) -> None:
        self._manager = pluggy.PluginManager("subfloor")
        self._manager.add_hookspecs(task)
        self._plugins: dict[str, Plugin] = {}
        self._offered = tuple(_installed() if offered is None else offered)
        self._loaded: set[EntryPoint] = set()
        for directory in directories:
            self._load_directory(directory)

    def get(self, name: str) -> Plugin | None:
        """The task with this name, or None. Raises ``PluginError`` if a plugin that may have the task is broken."""
        self._load(each for each in self._offered if each.name == name)
        if name not in self._plugins:
            self._load(self._offered)
        return self._plugins.get(name)

    def names(self) -> tuple[str, ...]:
        """The names of all tasks, sorted. Raises ``PluginError`` if any plugin is broken."""
        self._load(self._offered)
        return tuple(sorted(self._plugins))

    def register(self, plugin: object, origin: str) -> None:
        """Add the tasks of a plugin: a module or an object with the hook. Raises ``PluginError``."""
        for class_ in _tasks_of(self._manager, plugin, origin):
            schema = task_contract.checked(class_, origin)
            known = self._plugins.get(class_.key)
            if known and known.task is not class_:
                raise PluginError(
                    f"two plugins have a task `{class_.key}`: {known.origin} and {origin}",
                    advice="remove one of them, or give its task another name",
                )
            self._plugins[class_.key] = Plugin(class_, schema, origin)

    def _load(self, entry_points: Iterable[EntryPoint]) -> None:
        for each in entry_points:
            if each not in self._loaded:
                origin = _origin(each)
                self.register(_guarded(f"entry point {origin}", each.load), origin)
                self._loaded.add(each)

    def _load_directory(self, directory: Path) -> None:
        for path in sorted(directory.glob("*.py")) if directory.is_dir() else ():
            if not path.name.startswith("_"):
                self.register(_module_from(path), str(path))


def _tasks_of(manager: pluggy.PluginManager, plugin: object, origin: str) -> Iterator[type[Task]]:
    """The task classes of a plugin; none if it is registered already. Raises ``PluginError``."""
    if manager.is_registered(plugin):
        return
    _guarded(origin, lambda: manager.register(plugin, origin))
    hooks = [each for each in manager.hook.subfloor_tasks.get_hookimpls() if each.plugin is plugin]
    if not hooks:
        raise PluginError(
            f"{origin} has no tasks",
            advice="add a function `subfloor_tasks`, marked with `@hookimpl`, that returns the task classes",
        )
    for hook in hooks:
        classes: Any = _guarded(origin, hook.function)
        if not isinstance(classes, Iterable):
            raise PluginError(
                f"`subfloor_tasks` of {origin} returns {classes!r}", advice="return a list of task classes"
            )
        yield from classes


def _module_from(path: Path) -> ModuleType:
    """A file as a module, with a unique name."""
    name = f"subfloor_plugin_{os.fsencode(path.resolve()).hex()}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # a path that ends in .py has both
    module = importlib.util.module_from_spec(spec)
    # Dataclasses resolve the names in their annotations through the module's name.
    sys.modules[name] = module
    _guarded(str(path), lambda: spec.loader.exec_module(module))
    return module


def _guarded(origin: str, action: Any) -> Any:
    """The action's result. Raises ``PluginError`` for any error of the plugin."""
    try:
        return action()
    except PluginError:
        raise
    except RAISED as error:
        raise broken(origin, error) from error


def broken(origin: str, error: BaseException) -> PluginError:
    """The ``PluginError`` for an error that a plugin may not raise, with its file and line."""
    return PluginError(
        f"{origin} failed: {place(error)}{type(error).__name__}: {error}",
        advice="this is a bug in the plugin, not in the playbook: fix it there, or remove the plugin",
    )


def _installed() -> Iterable[EntryPoint]:
    """The entry points of subfloor's group in all distributions on the path."""
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


def _origin(entry_point: EntryPoint) -> str:
    return entry_point.value + (f" (of {entry_point.dist.name})" if entry_point.dist else "")
