"""The collection subfloor.core: what is made of the tasks, and that Ansible reads, documents and builds it."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from ansible_desk import BIN, AnsibleDesk, built_in
from places import ROOT
from subfloor.ansible.arguments import spec_of
from subfloor.ansible.collection import PLACE, files
from subfloor.ansible.names import key_of, module_of
from subfloor.cli import cli


def test_ansible_documents_every_task(tmp_path: Path) -> None:
    names = [f"subfloor.core.{module_of(plugin.task.key)}" for plugin in built_in()]
    asked = [str(BIN / "ansible-doc"), "--json", *names, "subfloor.core.play"]
    told = subprocess.run(asked, env=AnsibleDesk(tmp_path).environment(), capture_output=True, check=True).stdout
    pages = json.loads(told)
    assert {*pages} == {*names, "subfloor.core.play"}
    for plugin in built_in():
        options = pages[f"subfloor.core.{module_of(plugin.task.key)}"]["doc"].get("options", {})
        assert {*options} == {*plugin.schema["properties"]}
        assert {name for name, each in options.items() if each.get("required")} == {*plugin.schema["required"]}


def test_the_command_writes_the_tasks_of_plugins_too(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["export", "collection", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / PLACE / "plugins/modules/mkfs.py").read_text() == files(built_in())["plugins/modules/mkfs.py"]
    redirects = yaml.safe_load((tmp_path / PLACE / "meta/runtime.yml").read_text())["plugin_routing"]["action"]
    assert redirects["gpt_label"] == {"redirect": "subfloor.core.play"}


def test_ansible_builds_the_collection(tmp_path: Path) -> None:
    desk = AnsibleDesk(tmp_path)
    source = str(desk.collections / PLACE)
    argv = [str(BIN / "ansible-galaxy"), "collection", "build", source, "--output-path", str(tmp_path)]
    subprocess.run(argv, env=desk.environment(), capture_output=True, check=True)
    assert [path.name for path in tmp_path.glob("*.tar.gz")] == [f"subfloor-core-{version('subfloor')}.tar.gz"]


@pytest.mark.parametrize("key", ["mkfs", "gpt-label", "nixos-install"])
def test_names_lead_back(key: str) -> None:
    assert key_of(f"subfloor.core.{module_of(key)}") == key == key_of(module_of(key))


def test_options_have_ansibles_types() -> None:
    schema = {
        "properties": {
            "device": {"type": "string"},
            "number": {"type": "integer"},
            "deep": {"type": "object", "properties": {"uid": {"type": "integer"}}, "required": ["uid"]},
            "many": {"type": "array", "items": {"type": "string"}},
            "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            "kind": {"enum": ["a", "b"]},
            "secret": {"type": "string", "writeOnly": True},
        },
        "required": ["device"],
    }
    assert spec_of(schema) == {
        "device": {"type": "str", "required": True},
        "number": {"type": "int"},
        "deep": {"type": "dict", "options": {"uid": {"type": "int", "required": True}}},
        "many": {"type": "list", "elements": "str"},
        "either": {"type": "raw"},
        "kind": {"type": "str", "choices": ["a", "b"]},
        "secret": {"type": "str", "no_log": True},
    }


def test_ansible_accepts_the_playbooks_that_are_shown(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "in-ansible.md").read_text("utf-8")
    shown = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.S)]
    plays = [play if "hosts" in play else {"hosts": "all", "tasks": [play]} for block in shown for play in block]
    playbook = tmp_path / "shown.yml"
    playbook.write_text(json.dumps(plays))
    checked = [str(BIN / "ansible-playbook"), "--syntax-check", "-i", "web1,", str(playbook)]
    done = subprocess.run(checked, env=AnsibleDesk(tmp_path).environment(), capture_output=True, check=False)
    assert len(plays) == 3 and done.returncode == 0, done.stderr.decode()
