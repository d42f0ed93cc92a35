"""A workspace to run Ansible at, with the collection that this code makes: what each task said, as Ansible shows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from subfloor.ansible.collection import files, write_below
from subfloor.playbook.registry import Plugin, Registry

_CALLBACK = """
import json
import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "told"

    def _tell(self, kind, result):
        told = {"host": result._host.get_name(), "kind": kind, "result": result._result}
        with open(os.environ["TOLD"], "a") as file:
            file.write(json.dumps({"name": result._task.get_name(), **told}, default=str) + "\\n")

    def v2_runner_on_ok(self, result):
        self._tell("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._tell("failed", result)

    def v2_runner_on_skipped(self, result):
        self._tell("skipped", result)

    def v2_runner_on_unreachable(self, result):
        self._tell("unreachable", result)
"""

BIN = Path(sys.executable).parent


def built_in() -> list[Plugin]:
    """The tasks that come with subfloor."""
    registry = Registry()
    found = [plugin for name in registry.names() if (plugin := registry.get(name))]
    return [plugin for plugin in found if plugin.origin.startswith("subfloor_plugins.")]


class AnsibleDesk:
    """A directory with an inventory, and playbooks in it."""

    def __init__(self, path: Path) -> None:
        self.path = path / "ansible"
        (self.path / "callbacks").mkdir(parents=True)
        (self.path / "callbacks" / "told.py").write_text(_CALLBACK)
        self.collections = self.path / "collections"
        write_below(self.collections, files(built_in()))
        self.output = ""
        self._sockets = tempfile.TemporaryDirectory(prefix="ssh-", dir="/tmp")  # a socket's path must be short

    def hosts(self, **hosts: dict[str, Any]) -> Path:
        """Writes the inventory: JSON is YAML."""
        inventory = self.path / "hosts.yml"
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        return inventory

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "ANSIBLE_HOME": str(self.path / "home"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_CALLBACK_PLUGINS": str(self.path / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "told",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_RETRY_FILES_ENABLED": "0",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": self._sockets.name,
            "PYTHONPATH": "",
            "TOLD": str(self.path / "told"),
            "LC_ALL": "C.UTF-8",
        }

    def vault(self, **variables: str) -> tuple[str, ...]:
        """The options that give these variables, from an encrypted file."""
        password, file = self.path / "password", self.path / "vault.json"
        password.write_text("a password")
        file.write_text(json.dumps(variables))
        key = ("--vault-password-file", str(password))
        subprocess.run([BIN / "ansible-vault", "encrypt", *key, file], env=self.environment(), check=True)
        assert file.read_text().startswith("$ANSIBLE_VAULT")
        return ("-e", f"@{file}", *key)

    def run(self, tasks: Sequence[dict[str, Any]], *options: str, **play: Any) -> list[dict[str, Any]]:
        """Runs a play; what each task said on each host."""
        about = {"hosts": "all", "gather_facts": False, **play, "tasks": tasks}
        (self.path / "site.yml").write_text(json.dumps([about]))
        return self.run_file(self.path / "site.yml", *options)

    def run_file(self, playbook: Path, *options: str) -> list[dict[str, Any]]:
        told = self.path / "told"
        told.unlink(missing_ok=True)
        argv = [str(BIN / "ansible-playbook"), "-i", str(self.path / "hosts.yml"), str(playbook), *options]
        done = subprocess.run(
            argv, env=self.environment(), cwd=self.path, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        self.output = (done.stdout + done.stderr).decode("utf-8", "replace")
        return [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []


def of_host(told: Sequence[dict[str, Any]], host: str) -> list[dict[str, Any]]:
    """The results of the tasks of one host."""
    return [each["result"] for each in told if each["host"] == host]
