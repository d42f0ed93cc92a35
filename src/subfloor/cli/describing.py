"""The commands ``tasks`` and ``schema``: the list of tasks, one task's page, and the schema for editors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click

from subfloor.playbook.positions import did_you_mean
from subfloor.playbook.registry import Plugin, Registry
from subfloor.report import tasks as text
from subfloor.report.screen import Screen, outcome_of, standard, style_for

_PROSE = 100
"""The greatest width of a line of prose, in columns."""


def tasks(name: str | None, playbook: Path | None) -> int:
    """List the tasks, or document one; returns the exit status. Raises ``UsageError`` for an unknown task."""
    registry = _registry(playbook)
    style = style_for(standard())
    style = replace(style, width=min(style.width or _PROSE, _PROSE))
    if name is None:
        return _print(text.listing(_all(registry), style))
    plugin = registry.get(name)
    if plugin is None:
        known = registry.names()
        otherwise = f"the tasks are {', '.join(known)}"
        raise click.UsageError(f"There is no task `{name}`: {did_you_mean(name, known, otherwise=otherwise)}")
    return _print(text.page(plugin, style))


def schema(playbook: Path | None) -> int:
    """Print the schema of playbooks; returns the exit status."""
    import json

    from subfloor.playbook.schema import playbook_schema

    return _print([json.dumps(playbook_schema(_all(_registry(playbook))), indent=2)])


def _registry(playbook: Path | None) -> Registry:
    return Registry([playbook.parent / "plugins"] if playbook else [])


def _all(registry: Registry) -> list[Plugin]:
    return [plugin for name in registry.names() if (plugin := registry.get(name))]


def _print(lines: Iterable[str]) -> int:
    screen = Screen(standard())
    screen.print(lines)
    return outcome_of(screen, 0)
