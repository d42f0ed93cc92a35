"""The list of tasks, and one task's page: its docstring, parameters and examples."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from subfloor.playbook.checking import expected
from subfloor.playbook.registry import Plugin
from subfloor.report.style import Style

__all__ = ["documentation", "expected", "listing", "need", "page"]


def listing(plugins: Iterable[Plugin], style: Style) -> Iterator[str]:
    """A line for each task."""
    found = sorted(plugins, key=lambda plugin: plugin.task.key)
    width = max((len(plugin.task.key) for plugin in found), default=0)
    for plugin in found:
        summary = documentation(plugin).partition("\n")[0]
        first, *more = style.lines(summary, " " * (width + 4))
        yield f"  {style.paint(f'{plugin.task.key:<{width}}', 'bold')}{first[width + 2 :]}"
        yield from more


def page(plugin: Plugin, style: Style) -> Iterator[str]:
    """The documentation of one task."""
    yield style.paint(plugin.task.key, "bold")
    for paragraph in documentation(plugin).split("\n\n"):
        yield ""
        yield from style.lines(" ".join(paragraph.split()), "  ")
    yield from _parameters(plugin.schema, style)
    if plugin.task.examples:
        yield from ("", style.paint("Examples", "bold"))
        for example in plugin.task.examples:
            yield from ("", *_entry(example, style))
    yield from ("", style.clean(f"From {plugin.origin}"))


def documentation(plugin: Plugin) -> str:
    """A task's docstring without its indentation."""
    doc = plugin.task.__doc__ or ""
    first, _, rest = doc.strip().partition("\n")
    return f"{first}\n{textwrap.dedent(rest)}".strip()


def _parameters(schema: Mapping[str, Any], style: Style) -> Iterator[str]:
    yield from ("", style.paint("Parameters", "bold"))
    for name, about in schema["properties"].items():
        kind = f"{expected(about)}, {need(name, about, schema['required'])}"
        yield from ("", f"  {style.paint(name, 'cyan')}{style.clean(f'  {kind}')}")
        yield from style.lines(" ".join(about["description"].split()), "      ")
        if about.get("examples"):
            yield from style.lines(f"for example {', '.join(map(_yaml, about['examples']))}", "      ")
    if not schema["properties"]:
        yield "  none"


def need(name: str, about: Mapping[str, Any], required: Iterable[str]) -> str:
    """Whether a parameter is required or optional, or its default value."""
    if name in required:
        return "required"
    return "optional" if about.get("default") in (None, "", [], {}) else f"default {_yaml(about['default'])}"


def _yaml(value: Any) -> str:
    """A value as YAML: as JSON, which is YAML too, except that text is not quoted."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _entry(example: str, style: Style) -> Iterator[str]:
    """An example as a list entry."""
    lines = example.strip().splitlines()
    bullets = ["  "] if lines[0].startswith("- ") else ["  - "]
    for line, margin in zip(lines, bullets + ["    "] * len(lines), strict=False):
        yield style.clean(f"{margin}{line}".rstrip())
