"""The schemas: what editors get, and that whatever they do not allow is put in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from places import DATA
from playbook_samples import entries, registry, written
from subfloor.playbook import schema, strict_yaml
from subfloor.playbook.checking import check
from subfloor.playbook.positions import Position, Source
from subfloor.playbook.registry import Plugin
from subfloor.playbook.strict_yaml import Scalar

CASES = DATA / "playbook"


def sample_plugins() -> list[Plugin]:
    known = registry()
    found = [known.get(name) for name in known.names()]
    return [each for each in found if each is not None]


PLAYBOOKS = schema.playbook_schema(sample_plugins())
VALIDATOR = jsonschema.Draft202012Validator(PLAYBOOKS)

GOOD = """\
- name: Everything
  hosts: [all, '!web1']
  seed: "{{ inventory_hostname }}"
  vars: {disk: /dev/vda, swap: true, three: 3}
  defaults: {root: /mnt}
  tags: a, b
  tasks:
    - wipe: {device: "{{ disk }}", quick: "{{ swap }}"}
      when: [swap, 1 == 1, true]
      loop: "{{ range(2) }}"
      tags: [c]
      name: Wipe
    - make: {device: "{{ disk }}1", type: "{{ 'ext4' }}", number: "{{ three }}", options: ["{{ disk }}", b]}
      vars: {disk: /dev/vdb}
    - make: {device: /dev/c, type: xfs, size: 5, owners: {/a: "{{ three }}"}}
      when: swap
      loop: [1]
    - wipe: "{{ {'device': disk} }}"
    - count:
    - include: part.yml
    - block: [count: {}]
      tags: b
    - assert: {that: swap, fail_msg: no swap}
    - fail: {msg: stop}
      when: not swap
- hosts: all
  tasks:
"""


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(PLAYBOOKS)
    json.dumps(PLAYBOOKS)


def test_every_playbook_that_loads_is_valid(tmp_path: Path) -> None:
    written(tmp_path, "- count: {}\n", "part.yml")
    path = written(tmp_path, GOOD)
    assert len(entries(path)) == 9
    VALIDATOR.validate(strict_yaml.plain(strict_yaml.read(path)))


@pytest.mark.parametrize(
    "case",
    [
        "play_keys",
        "unknown_task",
        "unknown_task_key",
        "two_tasks_in_one",
        "unknown_parameter",
        "missing_parameter",
        "parameters_not_a_mapping",
        "wrong_types",
        "wrong_values",
        "records",
        "not_a_list",
        "play_shapes",
        "entry_shapes",
        "variable_names",
        "loop_over_text",
        "name_not_text",
        "include_not_a_path",
        "seed_not_text",
        "rollout",
    ],
)
def test_mistakes_that_editors_can_see_are_invalid(case: str) -> None:
    assert not VALIDATOR.is_valid(strict_yaml.plain(strict_yaml.read(CASES / f"{case}.yml")))


@pytest.mark.parametrize("serial", ["2", "30%", "[1, 5, 100%]"])
@pytest.mark.parametrize("most", ["0", "12.5", "30%"])
def test_batches_that_load_are_valid(tmp_path: Path, serial: str, most: str) -> None:
    path = written(tmp_path, f"- hosts: all\n  serial: {serial}\n  max_fail_percentage: {most}\n  tasks: []\n")
    assert entries(path) == ()
    VALIDATOR.validate(strict_yaml.plain(strict_yaml.read(path)))


def test_files_to_include_have_a_schema_of_their_own() -> None:
    part = jsonschema.Draft202012Validator({**PLAYBOOKS["$defs"]["part"], "$defs": PLAYBOOKS["$defs"]})
    assert part.is_valid([{"count": {}}])
    assert part.is_valid({"defaults": {"a": 1}, "tasks": [{"count": {}}]})
    assert not part.is_valid({"tasks": [{"cuont": {}}]})


def test_hover_texts_survive() -> None:
    make = PLAYBOOKS["$defs"]["task-make"]["anyOf"][0]["properties"]
    assert make["number"]["description"] == "The number."
    assert make["label"]["examples"] == ["nixos"]
    assert PLAYBOOKS["$defs"]["task-wipe"]["description"] == "The device is empty."


# JSON Schema counts 1.0 as an integer and a run does not, so there are no such floats here.
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-1, 200)
    | st.sampled_from([0.5, 1.5])
    | st.sampled_from(["", "/dev/vda", "ext4", "xfs", "nixos", "my disk", "5"])
)
NOWHERE = Position(Source("p.yml", "x"))

_KEYS = st.sampled_from(["a", "b", "age"])
_VALUES = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner), max_leaves=4)
_OF_MAKE = ["device", "type", "label", "size", "number", "options", "owners"]
_NAMES = st.sampled_from([*_OF_MAKE, "quick", "people", "captain", "age", "other"])


@given(st.sampled_from(sample_plugins()), st.dictionaries(_NAMES, _VALUES, max_size=5) | _VALUES)
def test_every_invalid_value_has_a_message(plugin: Plugin, values: Any) -> None:
    assert (not check(plugin, values, Scalar(None, NOWHERE), NOWHERE).errors) == jsonschema.Draft202012Validator(
        plugin.schema
    ).is_valid(values)


def test_an_integer_is_one_to_python_too() -> None:
    plugin = registry().get("make")
    assert plugin is not None
    values = {"device": "/dev/vda", "type": "ext4", "number": 1.0}
    (error,) = check(plugin, values, Scalar(None, NOWHERE), NOWHERE).errors
    assert error.what == "`number` must be a whole number, but this is the number 1.0"


def test_many_mistakes_in_a_value_are_reported_in_time() -> None:
    plugin = registry().get("make")
    assert plugin is not None
    values = {f"x{number}": number for number in range(100_000)} | {"options": [1] * 100_000}
    assert len(check(plugin, values, Scalar(None, NOWHERE), NOWHERE).errors) == 100
