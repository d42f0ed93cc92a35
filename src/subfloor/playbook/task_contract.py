"""Check once, when a plugin is loaded, that a class is a task that the engine and the playbook can use.

So the author of a plugin gets a clear message about a mistake, before a disk is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from subfloor.core.errors import PluginError
from subfloor.core.parameters import schema_of
from subfloor.core.task import Task

RESERVED = frozenset({"name", "when", "loop", "tags", "vars", "include", "block", "assert", "fail"})
"""Keys of a playbook entry that cannot be the key of a task."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def is_key(name: str) -> bool:
    """Whether a task may have this key."""
    return bool(_NAME.fullmatch(name)) and name not in RESERVED


def checked(class_: Any, origin: str) -> dict[str, Any]:
    """The schema of a task class's parameters. Raises ``PluginError`` if the class is not a valid task."""
    for wrong, advice in _complaints(class_):
        raise PluginError(f"{_called(class_)} of {origin} {wrong}", advice=advice)
    try:
        schema = schema_of(class_)
    except Exception as error:
        raise PluginError(
            f"{_called(class_)} of {origin} has parameters with no schema: {type(error).__name__}: {error}",
            advice="annotate each field with a type that YAML can hold, and with a Param",
        ) from error
    for name, parameter in schema["properties"].items():
        if not parameter.get("description"):
            raise PluginError(
                f"{_called(class_)} of {origin} does not say what its parameter `{name}` is",
                advice=f'annotate it: `{name}: Annotated[…, Param("what it is")]`',
            )
    return schema


def _called(class_: Any) -> str:
    return f"`{class_.__name__}`" if isinstance(class_, type) else repr(class_)


def _complaints(class_: Any) -> Iterator[tuple[str, str]]:
    """Why a class is not a valid task, and what to do."""
    if not (isinstance(class_, type) and issubclass(class_, Task)):
        yield "is not a task class", "return classes that derive from subfloor.plugin.Task"
        return
    if abstract := sorted(class_.__abstractmethods__):
        yield f"does not define {' and '.join(abstract)}", "define them"
    if not is_dataclass(class_) or "__dataclass_params__" not in vars(class_):
        yield "is not a dataclass", "decorate it with `@dataclass(frozen=True, kw_only=True)`"
        return
    if not class_.__dataclass_params__.frozen or not all(item.kw_only for item in fields(class_)):
        yield "is not frozen and keyword-only", "decorate it with `@dataclass(frozen=True, kw_only=True)`"
    yield from _naming_complaints(class_)


def _naming_complaints(class_: type[Task]) -> Iterator[tuple[str, str]]:
    name = getattr(class_, "key", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield (
            f"has the key {name!r}",
            "set `key` to lower-case words separated by hyphens, as playbooks write it",
        )
    elif name in RESERVED:
        yield (
            f"has the key `{name}`, which every entry of a playbook may have as a key",
            "choose another",
        )
    # Without a docstring, a dataclass generates one from the fields.
    if not class_.__doc__ or class_.__doc__.startswith(f"{class_.__name__}("):
        yield (
            "has no docstring",
            "describe the desired state of the task in one: it is the task's documentation",
        )
