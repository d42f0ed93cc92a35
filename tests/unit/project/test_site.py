"""The documentation site: it builds strictly, its reference is complete, and the playbooks that it shows are read."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from places import ROOT
from subfloor.act.run import _SEVERITY
from subfloor.cli import cli, statuses
from subfloor.cli.reference import EXIT_STATUSES, pages
from subfloor.playbook.registry import Plugin, Registry

DOCUMENTS = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])


def _plugins() -> list[Plugin]:
    registry = Registry([])
    return [plugin for name in registry.names() if (plugin := registry.get(name))]


PLUGINS = _plugins()
PAGES = pages(PLUGINS, cli)


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.task.key)
def test_the_reference_has_every_task_and_parameter(plugin: Plugin) -> None:
    page = PAGES[f"reference/tasks/{plugin.task.key}.md"]
    assert not [name for name in plugin.schema["properties"] if f"| `{name}` |" not in page]
    assert all(example.strip().splitlines()[0].strip() in page for example in plugin.task.examples)
    assert f"[`{plugin.task.key}`]" in PAGES["reference/tasks/index.md"]


def test_the_reference_has_every_task_of_this_distribution() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]["subfloor"]
    files = {path.stem for path in (ROOT / "plugins").glob("*.py")} - {"__init__"}
    assert files == {module.rpartition(".")[2] for module in listed.values()}
    assert {f"reference/tasks/{key}.md" for key in listed} <= PAGES.keys()


def _every_command(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for inner, each in command.commands.items():
            yield from _every_command(each, f"{name} {inner}")


EVERY = {
    name: command
    for name, command in _every_command(cli, "subfloor")
    if command is cli or not isinstance(command, click.Group)
}


@pytest.mark.parametrize("name", EVERY)
def test_the_reference_has_every_command_and_option(name: str) -> None:
    _, _, page = PAGES["reference/commands.md"].partition(f"## {name}\n")
    section = page.partition("\n## ")[0]
    cells = "\n".join(re.findall(r"^\| `([^`]+)` \|", section, re.M))
    options = [option for option in EVERY[name].params if isinstance(option, click.Option)]
    named = {word for option in options for word in (*option.opts, *option.secondary_opts)} | {"--help"}
    assert section and named == set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", cells))


def test_the_reference_shows_prose_as_prose() -> None:
    """Indented lines would be code, and a backslash before `|` would be shown in code."""
    shown = [line for line in PAGES["reference/commands.md"].splitlines() if line.startswith("    ")]
    assert all(line.startswith("    subfloor ") for line in shown)
    assert "\\|" not in "".join(re.findall(r"`[^`]*`", PAGES["reference/commands.md"]))


def test_the_reference_has_every_exit_status() -> None:
    named = {value for name, value in vars(statuses).items() if name.isupper() and isinstance(value, int)}
    assert set(EXIT_STATUSES) == {*_SEVERITY.values(), *named}
    assert all(f"| {status} |" in PAGES["reference/commands.md"] for status in EXIT_STATUSES)


def test_the_site_builds_strictly(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    shown = (tmp_path / "site" / "reference" / "tasks" / "mkfs.html").read_text("utf-8")
    assert "<h1" in shown and not re.findall(r"(?:src|href)=\"https?://(?!squidfunk)[^\"]+\.(?:js|css)", shown)


def _playbooks() -> Iterator[tuple[str, str]]:
    for document in sorted((ROOT / "docs" / "how-to").glob("*.md")):
        for text in re.findall(r"```yaml\n(.*?)```", document.read_text("utf-8"), re.S):
            if isinstance(yaml.safe_load(text), list) and "subfloor.core." not in text:  # those are Ansible's
                yield document.stem, text


@pytest.mark.parametrize(("document", "text"), list(_playbooks()))
def test_every_playbook_that_is_shown_is_read(document: str, text: str, tmp_path: Path) -> None:
    """It is accepted whole: what is wrong with it here is that the disks are not there."""
    play = tmp_path / f"{document}.yml"
    absent = text.replace("/dev/vd", "/dev/vdzz").replace("/dev/nvme0", "/dev/nvme99")
    play.write_text(absent.replace("/srv/marker", f"{tmp_path}/marker"))
    ran = subprocess.run(
        [sys.executable, "-m", "subfloor", "check", str(play)], capture_output=True, text=True, check=False
    )
    assert ran.returncode in (2, 3), ran.stdout + ran.stderr
    assert ran.returncode == 2 or "there is no device" in ran.stdout
