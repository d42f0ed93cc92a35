"""Inventories that programs print: executable files, and Ansible's inventory plugins."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_desk import BIN
from subfloor.playbook import inventory
from subfloor.playbook.inventory import Target
from subfloor.playbook.positions import PlaybookError
from subfloor.playbook.variables import Scope

LISTED: dict[str, Any] = {
    "all": {"children": ["ungrouped", "web"]},
    "web": {"hosts": ["web1", "web2"], "vars": {"disk": "/dev/vda"}, "children": ["edge"]},
    "edge": ["edge1"],
}


def program(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hosts"
    path.write_text(text)
    path.chmod(0o755)
    return path


def printing(tmp_path: Path, listed: object, host: object = None) -> Path:
    quoted = [json.dumps(each) for each in (listed, host)]
    return program(
        tmp_path,
        f"#!/bin/sh\ncase $1 in\n--list) cat <<'END'\n{quoted[0]}\nEND\n;;\n"
        f"--host) echo \"$2\" >> {tmp_path}/asked; cat <<'END'\n{quoted[1]}\nEND\n;;\nesac\n",
    )


def value(target: Target, name: str) -> Any:
    return Scope({}, (target.all_vars,)).lookup(name)


def test_a_program_lists_groups_and_the_variables_of_all_hosts(tmp_path: Path) -> None:
    meta = {"_meta": {"hostvars": {"web2": {"disk": "/dev/vdb", "ansible_port": 2222}}}}
    found = inventory.load(printing(tmp_path, LISTED | meta))
    web1, web2, edge1 = found.matching("web1:web2:edge1")
    assert web1.groups == ("all", "web") and edge1.groups == ("all", "edge", "web")
    assert [value(each, "disk") for each in (web1, web2, edge1)] == ["/dev/vda", "/dev/vdb", "/dev/vda"]
    assert web2.connection().port == 2222
    assert not (tmp_path / "asked").exists()


def test_a_program_is_asked_for_each_host_if_it_lists_no_variables(tmp_path: Path) -> None:
    found = inventory.load(printing(tmp_path, LISTED, {"disk": "/dev/{{ 'vdc' }}"}))
    assert {value(each, "disk") for each in found.targets} == {"/dev/vdc"}
    assert (tmp_path / "asked").read_text().split() == ["web1", "web2", "edge1"]


def test_variables_beside_a_program_count_too(tmp_path: Path) -> None:
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars" / "web1.yml").write_text("disk: /dev/vdz\n")
    (web1,) = inventory.load(printing(tmp_path, LISTED, {})).matching("web1")
    assert value(web1, "disk") == "/dev/vdz"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("#!/bin/sh\necho no key >&2; exit 3\n", "ended with status 3: no key"),
        ("#!/bin/sh\necho web1\n", "is not JSON"),
        ("#!/bin/sh\necho '[1]'\n", "an inventory is a mapping of groups"),
        ("#!/nowhere/interpreter\n", "cannot be run"),
    ],
)
def test_a_program_that_fails(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(PlaybookError, match=says) as caught:
        inventory.load(program(tmp_path, text))
    assert str(tmp_path / "hosts") in str(caught.value)


def test_a_file_that_only_may_be_executed_is_read(tmp_path: Path) -> None:
    assert [each.name for each in inventory.load(program(tmp_path, "web1\nweb2\n")).targets] == ["web1", "web2"]


PLUGIN = "plugin: ansible.builtin.generator\nhosts: {name: 'web{{ n }}'}\nlayers: {n: [1, 2]}\n"


def test_an_inventory_plugin_of_ansible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hosts.yml").write_text(PLUGIN)
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "home"))
    assert [each.name for each in inventory.load(tmp_path / "hosts.yml").targets] == ["web1", "web2"]


def test_an_inventory_plugin_without_ansible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hosts.yml").write_text(PLUGIN)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PlaybookError, match="ansible-inventory is not installed"):
        inventory.load(tmp_path / "hosts.yml")
