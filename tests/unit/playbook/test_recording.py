"""What a play was read from is recorded so that it reads the same again, and without a secret."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subfloor.core.recording import Recording, Unrecorded
from subfloor.core.secret import Secret
from subfloor.playbook import inventory, strict_yaml
from subfloor.playbook.job import Request, read_job
from subfloor.playbook.positions import Source
from subfloor.playbook.program import program
from subfloor.playbook.yaml_text import value_text

HASH = f"$6$salt${'0' * 86}"
CONFIG = {"nixos-config": {"root": "{{ root }}", "state_version": "25.11", "hostname": "{{ name | default('box') }}"}}
PASSWORD: dict[str, Any] = {"password-file": {"user": "ada", "hash": "{{ password | default(none) }}"}}


def recorded(path: Path, *tasks: Any, extra: tuple[str, ...] = (), **more: Any) -> Recording | Unrecorded:
    """What the configuration's task gets, of a play with these tasks."""
    play = {"hosts": "all", "vars": {"root": "/mnt", **more.pop("vars", {})}, "tasks": [*tasks, CONFIG]}
    (path / "play.yml").write_text(json.dumps([play]))
    (work,) = read_job(Request(playbook=path / "play.yml", extra=extra, **more)).works
    task = work.entries[-1].task
    assert task is not None
    found = vars(task)["recording"]
    assert isinstance(found, Recording | Unrecorded)
    return found


def recording(path: Path, *tasks: Any, **more: Any) -> Recording:
    found = recorded(path, *tasks, **more)
    assert isinstance(found, Recording), found
    return found


def test_the_playbook_its_parts_and_its_plugins(tmp_path: Path) -> None:
    part, never = tmp_path / "parts/a.yml", tmp_path / "parts/never.yml"
    part.parent.mkdir()
    part.write_text("- directory: {path: /srv}\n")
    never.write_text("- directory: {path: /never}\n")
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/mine.py").write_text("from subfloor.plugin import hookimpl\n@hookimpl\n"
                                              "def subfloor_tasks():\n    return ()\n")  # fmt: skip
    includes = ({"include": "parts/a.yml"}, {"include": "parts/never.yml", "when": "false"})
    found = recording(tmp_path, *includes)
    assert set(found.files) == {"playbook.yml", "parts/a.yml", "parts/never.yml", "plugins/mine.py"}
    assert found.files["playbook.yml"] == (tmp_path / "play.yml").read_text()
    assert found.set_by == {"root": "root"}


@pytest.mark.parametrize(("text", "is_recorded"), [("name: kiosk\n", True), (f"password: {HASH}\n", False)])
def test_files_of_variables_are_parts_of_the_playbook(tmp_path: Path, text: str, is_recorded: bool) -> None:
    (tmp_path / "mine.yml").write_text(text)
    play = {
        "hosts": "all",
        "vars": {"root": "/mnt"},
        "vars_files": ["mine.yml"],
        "tasks": [{"block": [PASSWORD]}, CONFIG],
    }
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    (work,) = read_job(Request(playbook=tmp_path / "play.yml")).works
    found = vars(work.entries[-1].task)["recording"]
    assert isinstance(found, Recording) == is_recorded
    assert not is_recorded or found.files["mine.yml"] == text


def test_a_part_that_was_recorded_before_has_no_mark(tmp_path: Path) -> None:
    (tmp_path / "part.yml").write_text(f"# subfloor sha256={'0' * 64} of what follows.\n- directory: {{path: /srv}}\n")
    assert recording(tmp_path, {"include": "part.yml"}).files["part.yml"] == "- directory: {path: /srv}\n"


def test_a_part_outside_of_the_directory_cannot_be_recorded(tmp_path: Path) -> None:
    (tmp_path / "part.yml").write_text("- directory: {path: /srv}\n")
    (tmp_path / "plays").mkdir()
    found = recorded(tmp_path / "plays", {"include": "../part.yml"})
    assert isinstance(found, Unrecorded)
    assert "part.yml does not lie below" in found.why


def test_only_variables_that_the_play_reads_are_recorded(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yml"
    mine.write_text("name: kiosk\nunused: secret\n")
    found = recording(tmp_path, extra=(f"@{mine}", "subfloor_become=sudo", "root=/mnt/new"))
    assert found.variables == {"name": '"kiosk"', "root": '"/mnt/new"'}


def test_the_host_is_this_machine_under_its_own_name(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.yml"
    hosts.write_text("lab:\n  vars: {name: bench, unread: 1}\n  hosts: {web1: {subfloor_host: 192.0.2.1}}\n")
    found = recording(tmp_path, inventory=hosts)
    (tmp_path / "again.yml").write_text(found.inventory)
    (target,) = inventory.load(tmp_path / "again.yml").targets
    assert (target.name, target.groups) == ("web1", ("all", "lab"))
    assert target.connection().kind == "local"
    assert strict_yaml.plain(target.vars["name"]) == "bench"
    assert set(target.vars) == {"name", "subfloor_connection"}


@pytest.mark.parametrize(("given", "machine"), [((), "that one"), (("subfloor_machine=any",), "any")])
def test_the_recording_says_on_which_machine_the_disks_were_laid_out(
    tmp_path: Path, given: tuple[str, ...], machine: str
) -> None:
    """So an installed system checks itself by the identity that its disk was given, wherever the disk is then."""
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "all", "vars": {"root": "/mnt"}, "tasks": [CONFIG]}]))
    request = Request(playbook=tmp_path / "play.yml", extra=given)
    (work,) = read_job(request, this_machine=lambda: "that one").works
    found = vars(work.entries[-1].task)["recording"]
    (tmp_path / "again.yml").write_text(found.inventory)
    (target,) = inventory.load(tmp_path / "again.yml").targets
    assert target.connection().machine == machine


SECRETS: dict[str, tuple[Any, dict[str, Any]]] = {
    "given": (PASSWORD, {"extra": (f"password='{HASH}'",)}),
    "typed": (PASSWORD, {"secrets": {"password": Secret(HASH)}}),
    "skipped": ({**PASSWORD, "when": "false"}, {"extra": (f"password='{HASH}'",)}),
    "through another": (
        {"password-file": {"user": "ada", "hash": "{{ of_ada }}"}},
        {"extra": (f"password='{HASH}'",), "vars": {"of_ada": "{{ password }}"}},
    ),
    "of a parameter that is not secret": (
        {"directory": {"path": "/{{ folder }}"}},
        {"extra": (f"folder='{HASH}'",)},
    ),
    "of a loop": (
        {"password-file": {"user": "{{ item.user }}", "hash": "{{ item.hash }}"}, "loop": "{{ people }}"},
        {"extra": (f'people=[{{user: ada, hash: "{HASH}"}}]',)},
    ),
}


@pytest.mark.parametrize("case", SECRETS)
def test_a_variable_with_a_secret_is_left_out(tmp_path: Path, case: str) -> None:
    task, more = SECRETS[case]
    found = recording(tmp_path, task, **more)
    assert found.variables == {}
    assert HASH not in repr(found)


WRITTEN: dict[str, tuple[Any, dict[str, Any]]] = {
    "as a parameter": ({"password-file": {"user": "ada", "hash": HASH}}, {}),
    "as a variable of the play": (PASSWORD, {"vars": {"password": HASH}}),
    "in an expression": ({"password-file": {"user": "ada", "hash": f"{{{{ password | default('{HASH}') }}}}"}}, {}),
    "in a task that is skipped": ({"password-file": {"user": "ada", "hash": HASH}, "when": "false"}, {}),
    "in a parameter that is not secret": ({"directory": {"path": f"/srv/{HASH.replace('/', '-')}"}}, {}),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_a_playbook_with_a_secret_is_not_recorded(tmp_path: Path, case: str) -> None:
    task, more = WRITTEN[case]
    tasks = [task]
    play = {"hosts": "all", "vars": {"root": "/mnt", **more.get("vars", {})}}
    config = {"nixos-config": {"root": "{{ root }}", "state_version": "25.11"}}
    (tmp_path / "play.yml").write_text(json.dumps([{**play, "tasks": [*tasks, config]}]))
    (work,) = read_job(Request(playbook=tmp_path / "play.yml", extra=more.get("extra", ()))).works
    found = vars(work.entries[-1].task)["recording"]
    assert isinstance(found, Unrecorded), found
    assert HASH not in f"{found.why} {found.advice}"


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(values)
def test_values_are_read_as_they_were_written(value: Any) -> None:
    node = strict_yaml.parse(Source("text", f"name: {value_text(value)}\n"))
    assert strict_yaml.plain(node) == {"name": value}
    assert isinstance(node, strict_yaml.Table)
    assert value_text(node.items["name"]) == value_text(value)


def test_a_number_stays_as_it_was_written() -> None:
    node = strict_yaml.parse(Source("text", "release: 25.10\n"))
    assert isinstance(node, strict_yaml.Table)
    assert value_text(node.items["release"]) == "25.10"


def test_an_installation_of_the_wheel_makes_the_same_wheel(tmp_path: Path) -> None:
    made = program()
    assert made is not None
    wheel = tmp_path / made.name
    wheel.write_bytes(made.content())
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", f"{tmp_path}/site"]
    subprocess.run([*pip, str(wheel)], check=True)
    script = (
        "import sys; sys.path = [p for p in sys.path if not p.endswith(('/src', '/plugins'))]\n"
        f"sys.path.insert(0, '{tmp_path}/site')\n"
        "sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f)]\n"
        "import subfloor.playbook.program as made\n"
        f"assert made.__file__.startswith('{tmp_path}/site'), made.__file__\n"
        "from subfloor.playbook.registry import Registry\n"
        "assert 'nixos-config' in Registry().names()\n"
        "print(made.program().name)"
    )
    again = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert again.stdout.strip() == made.name
