"""What a task declares: its parameters, as they are after all expressions of the playbook are evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from subfloor.core.parameters import parameters
from subfloor.core.task import Task
from subfloor.report.values import as_json, as_text


def declaration(task: Task | None) -> dict[str, Any]:
    """The parameters of a task that differ from their defaults, as JSON values. Secrets are shown as dots."""
    return {name: as_json(value, name) for name, value in _given(task).items()}


def in_words(task: Task | None) -> str:
    """The parameters of a task that differ from their defaults, in one line of text."""
    return ", ".join(f"{name} {as_text(value, name)}" for name, value in _given(task).items())


def _given(task: Task | None) -> Mapping[str, Any]:
    if task is None:
        return {}
    kept = parameters(type(task))
    own = ((item, getattr(task, item.name)) for item in fields(task) if item.name in kept)  # type: ignore[arg-type]
    return {item.name: value for item, value in own if value != _default(item)}


def _default(item: Field[Any]) -> Any:
    return None if item.default is MISSING else item.default
