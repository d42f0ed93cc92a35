"""A workspace to test the command line at: a playbook in a directory, with plugins beside it, and ways to run it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from places import DATA
from subfloor.cli import cli

PLUGINS = DATA / "cli" / "plugins"

AS_ROOT = () if os.geteuid() == 0 else ("-e", "subfloor_become=unshare --map-root-user")
"""Commands want root; one of a user namespace will do for files of one's own."""


class Workspace:
    """A directory with a playbook; notes are written there too."""

    def __init__(self, path: Path) -> None:
        self.path = path
        shutil.copytree(PLUGINS, path / "plugins", ignore=shutil.ignore_patterns("__pycache__"))

    def note(self, name: str) -> Path:
        return self.path / name

    def play(self, *entries: Mapping[str, Any], **keys: Any) -> Path:
        """Writes the playbook: JSON is YAML."""
        tasks = [self._filled(entry) for entry in entries]
        playbook = self.path / "play.yml"
        playbook.write_text(json.dumps([{"name": "Notes", "hosts": "all", **keys, "tasks": tasks}]))
        return playbook

    def _filled(self, entry: Mapping[str, Any]) -> Mapping[str, Any]:
        """An entry with the paths of its notes made absolute."""
        return {
            key: {**value, "path": str(self.note(value["path"]))} if isinstance(value, dict) else value
            for key, value in entry.items()
        }

    def arguments(self, command: str, *options: str) -> list[str]:
        return [command, str(self.path / "play.yml"), *AS_ROOT, *options]

    def run(self, command: str, *options: str, **environment: str) -> Result:
        """Runs it in this process; without a terminal."""
        return CliRunner(env=environment).invoke(cli, self.arguments(command, *options))

    def document(self, command: str, *options: str) -> dict[str, Any]:
        """What it says as JSON."""
        found: dict[str, Any] = json.loads(self.run(command, "--format", "json", *options).stdout)
        return found

    def start(self, command: str, *options: str, **keywords: Any) -> subprocess.Popen[str]:
        """Starts it as a process of its own."""
        argv = [sys.executable, "-m", "subfloor", *self.arguments(command, *options)]
        return subprocess.Popen(argv, text=True, **{"preexec_fn": heed_signals, **keywords})


def heed_signals() -> None:
    """A shell has what it starts in the background ignore Ctrl-C; what is tested must not inherit that."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def write(name: str, says: str = "hello", **parameters: Any) -> dict[str, Any]:
    """An entry that writes a note."""
    return {"name": f"Write {name}", "note": {"path": name, "says": says, **parameters}}


def erase(name: str, **parameters: Any) -> dict[str, Any]:
    """An entry that erases a note."""
    return {"name": f"Erase {name}", "erase-note": {"path": name, **parameters}}


def names(document: dict[str, Any]) -> list[str]:
    """The names of the tasks in a report."""
    return [task["name"] for host in document["hosts"].values() for task in host["tasks"]]
