"""``subfloor new task NAME``: a working plugin with its test case, as the start of a new task."""

from __future__ import annotations

from pathlib import Path
from string import Template

import click

from subfloor.playbook.registry import Registry
from subfloor.playbook.task_contract import is_key

_PLUGIN = Template('''\
"""`$key`: change this into what the task is about."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from subfloor.plugin import AnySubject, Command, Machine, Param, Step, Task, Text, TextFile, hookimpl, seen


@dataclass(frozen=True, kw_only=True)
class $class_(Task):
    """The file at `path` contains `text` and nothing else."""

    key: ClassVar[str] = "$key"
    examples: ClassVar[tuple[str, ...]] = ("$key: {path: /mnt/etc/example, text: hello}",)

    path: Annotated[str, Param("The file", examples=("/mnt/etc/example",))]
    text: Annotated[str, Param("Its only line")]

    def subjects(self) -> frozenset[AnySubject]:
        """What is looked at before the task decides."""
        return frozenset({TextFile(self.path)})

    def next_step(self, machine: Machine) -> Step | None:
        """The next step towards the desired state; None if the machine is in it. It only decides, and runs nothing."""
        wanted = Text(f"{self.text}\\n".encode())
        if seen(machine, TextFile(self.path)) == wanted:
            return None
        return Step(
            says=f"Write {self.path}",
            commands=(Command(("tee", self.path), stdin=wanted.content),),
            after=machine.with_(TextFile(self.path), wanted),
        )


@hookimpl
def subfloor_tasks() -> Iterable[type[Task]]:
    return ($class_,)
''')

_TEST = Template('''\
"""Cases of `$key`: what it does on a machine. Run them with `python3 -m pytest tests/`."""

import runpy
from pathlib import Path

from subfloor.plugin import Absent, Machine, Text, TextFile

PLUGIN = runpy.run_path(str(Path(__file__).parents[1] / "plugins" / "$file.py"))
TASK = PLUGIN["$class_"](path="/mnt/etc/example", text="hello")
FILE = TextFile("/mnt/etc/example")


def test_nothing_is_left_to_do_after_the_step() -> None:
    step = TASK.next_step(Machine({FILE: Absent()}))
    assert [command.argv for command in step.commands] == [("tee", "/mnt/etc/example")]
    assert TASK.next_step(step.after) is None


def test_other_content_is_replaced() -> None:
    assert TASK.next_step(Machine({FILE: Text(b"something else")})) is not None


def test_a_file_with_the_text_is_in_sync() -> None:
    assert TASK.next_step(Machine({FILE: Text(b"hello\\n")})) is None
''')


def new_task(name: str, directory: Path) -> int:
    """Write the plugin and its test below a directory; returns the exit status. Raises ``UsageError``."""
    _check(name, directory)
    file = name.replace("-", "_")
    names = {"key": name, "file": file, "class_": "".join(word.capitalize() for word in name.split("-"))}
    written = {
        directory / "plugins" / f"{file}.py": _PLUGIN.substitute(names),
        directory / "tests" / f"test_{file}.py": _TEST.substitute(names),
    }
    for path in written:
        if path.exists():
            raise click.UsageError(f"{path} exists. Nothing was written; choose another name or remove the file")
    for path, text in written.items():
        _write(path, text)
        click.echo(f"wrote {path}")
    click.echo(f"use it as `{name}: {{path: …, text: …}}` in a playbook in {directory}; then change the plugin")
    return 0


def _check(name: str, directory: Path) -> None:
    if not is_key(name):
        raise click.UsageError(
            f"`{name}` cannot be the name of a task: use lower-case words separated by hyphens, such as hostname-file"
        )
    if found := Registry([directory / "plugins"]).get(name):
        raise click.UsageError(f"there is already a task `{name}`, of {found.origin}; choose another name")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror}; name another directory with -C") from None
