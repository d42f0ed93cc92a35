"""The reference as Markdown pages: every task, parameter, command, option and exit status, from their own texts."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping

import click

from subfloor.playbook.registry import Plugin
from subfloor.report import tasks

EXIT_STATUSES: Mapping[int, str] = {
    0: "in sync, or applied",
    1: "a task failed, or the run was interrupted",
    2: "drift that `apply` repairs in place",
    3: "drift that needs a person: `apply` refuses it; or you declined the plan",
    4: "a host could not be reached",
    5: "drift that `apply` repairs by destroying data, which needs consent (`--destroy`)",
    6: "`import` wrote a playbook, and listed what no task can describe",
    64: "bad usage, or an error in a playbook or inventory",
}
"""What each exit status means. Of several hosts the worst counts: 1, then 4, 3, 5, 2, 0."""


def pages(plugins: Iterable[Plugin], program: click.Group) -> dict[str, str]:
    """The pages by their paths below ``docs/``."""
    found = sorted(plugins, key=lambda plugin: plugin.task.key)
    return {
        "reference/commands.md": "".join(_commands(program)),
        "reference/tasks/index.md": "".join(_index(found)),
        **{f"reference/tasks/{plugin.task.key}.md": "".join(task_page(plugin)) for plugin in found},
    }


def _index(plugins: Iterable[Plugin]) -> Iterator[str]:
    yield "# Tasks\n\n| Task | What it does |\n|---|---|\n"
    for plugin in plugins:
        summary, _, _ = tasks.documentation(plugin).partition("\n")
        yield f"| [`{plugin.task.key}`]({plugin.task.key}.md) | {_cell(summary)} |\n"


def task_page(plugin: Plugin) -> Iterator[str]:
    """One task: its documentation, its parameters, its examples."""
    yield f"# {plugin.task.key}\n\n{tasks.documentation(plugin)}\n\n## Parameters\n\n"
    if plugin.schema["properties"]:
        yield "| Parameter | Value | What it is |\n|---|---|---|\n"
    for name, about in plugin.schema["properties"].items():
        kind = f"{tasks.expected(about)}, {tasks.need(name, about, plugin.schema['required'])}"
        yield f"| `{name}` | {_cell(kind)} | {_cell(about['description'])}{_examples(about)} |\n"
    if plugin.task.examples:
        yield "\n## Examples\n\n"
    for example in plugin.task.examples:
        yield f"```yaml\n{textwrap.dedent(example).strip()}\n```\n\n"


def _examples(about: Mapping[str, object]) -> str:
    found = about.get("examples")
    return _cell(f"; for example {', '.join(f'`{each}`' for each in found)}") if isinstance(found, list) else ""


def _commands(program: click.Group) -> Iterator[str]:
    yield "# Commands\n\n"
    yield from _command("subfloor", program)
    for name, command in commands_of(program):
        yield from _command(f"subfloor {name}", command)
    yield "## Exit statuses\n\n| Status | Meaning |\n|---|---|\n"
    yield from (f"| {status} | {says} |\n" for status, says in EXIT_STATUSES.items())
    yield "\nOf several hosts the worst counts: 1, then 4, 3, 5, 2, 0.\n"


def _command(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"## {name}\n\n    {name} {usage}\n\n{_prose(command.help)}\n\n"
    yield "| Option | What it does |\n|---|---|\n"
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context)):
            # In code, Markdown shows a backslash as it is. So `record[0]` is not escaped.
            yield f"| `{record[0]}` | {_cell(record[1])} |\n"
    yield "\n"


def commands_of(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """The commands, each after its name. A group is left out; its commands have names such as `new task`."""
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", each) for inner, each in commands_of(command))
        else:
            yield name, command


def _prose(text: str | None) -> str:
    return inspect.cleandoc(text or "")


def _cell(text: str) -> str:
    """A text as one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
