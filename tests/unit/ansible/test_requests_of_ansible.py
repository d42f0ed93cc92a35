"""What a task of Ansible asks for, its consent, its result, and the playbook of Ansible for one of subfloor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from places import ROOT
from subfloor.ansible import asked, consenting
from subfloor.ansible.asked import Around
from subfloor.ansible.consenting import WrongConsent, consents
from subfloor.ansible.equivalent import playbook_for
from subfloor.ansible.results import words
from subfloor.core.errors import ConsentNeeded
from subfloor.playbook import PlaybookError, load
from subfloor.playbook.job import Job, NoHost, read_job
from subfloor.playbook.registry import Plugin, Registry
from subfloor.playbook.variables import Deferred

HERE = Path("/nowhere")


def around(**about: Any) -> Around:
    return Around(**{"host": "web1", "folder": HERE, **about})


def plugin(key: str) -> Plugin:
    found = Registry().get(key)
    assert found
    return found


def names(job: Job) -> list[str]:
    return [entry.name for work in job.works for entry in work.entries]


def test_a_task_is_a_play_of_its_own_for_its_host() -> None:
    request = asked.single(plugin("directory"), {"path": "/srv/{{ x }}"}, "Make it", around())
    (work,) = read_job(request).works
    (entry,) = work.entries
    assert (work.host.name, entry.name, entry.key) == ("web1", "Make it", "directory")
    assert getattr(entry.task, "path", "") == "/srv/{{ x }}"  # Ansible has evaluated it


def test_a_task_that_derives_uuids_needs_a_seed() -> None:
    with pytest.raises(PlaybookError, match="no `subfloor_seed`"):
        asked.single(plugin("gpt-label"), {"device": "/dev/vda"}, "", around())
    seeded = around(variables={"subfloor_seed": Deferred(lambda: "fleet")})
    (work,) = read_job(asked.single(plugin("gpt-label"), {"device": "/dev/vda"}, "", seeded)).works
    (written,) = read_job(
        asked.inline({"seed": "fleet", "tasks": [{"gpt-label": {"device": "/dev/vda"}}]}, "", around())
    ).works
    assert work.entries[0].task == written.entries[0].task


def test_a_task_that_needs_others_is_refused_alone() -> None:
    with pytest.raises(PlaybookError, match="cannot be right as a task of its own"):
        asked.single(plugin("nixos-config"), {}, "", around())


PLAYBOOK = """
- hosts: web
  seed: s
  tasks:
    - {name: left, tags: [left], directory: {path: "{{ place }}/left"}}
    - {name: right, tags: [right], directory: {path: "{{ place }}/right"}}
    - {name: never, tags: [never, rare], directory: {path: "{{ place }}/rare"}}
"""


def selected(tmp_path: Path, **about: Any) -> list[str] | None:
    path = tmp_path / "play.yml"
    path.write_text(PLAYBOOK)
    at = around(groups=("web",), every_group=frozenset({"web"}), variables={"place": Deferred(lambda: "/srv")}, **about)
    request = asked.from_file({}, path, at)
    return names(read_job(request)) if request else None


def test_tags_of_the_run_select_among_the_entries_of_a_playbook(tmp_path: Path) -> None:
    assert selected(tmp_path, run_tags=("all",)) == ["left", "right"]
    assert selected(tmp_path, run_tags=("left", "other"), tags=frozenset({"always"})) == ["left"]
    assert selected(tmp_path, run_tags=("rare",), tags=frozenset({"always"})) == ["never"]
    assert selected(tmp_path, run_tags=("disks",), tags=frozenset({"disks"})) == ["left", "right"]
    assert selected(tmp_path, run_tags=("other",), tags=frozenset({"always"})) is None
    assert selected(tmp_path, run_tags=("all",), skip_tags=("left", "other")) == ["right"]


def test_plays_for_other_hosts_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "play.yml"
    path.write_text(PLAYBOOK)
    request = asked.from_file({}, path, around(every_group=frozenset({"web"})))
    assert request
    with pytest.raises(NoHost):
        read_job(request)


def test_consent_comes_from_the_run_alone() -> None:
    hosts = ("web1", "web2")
    given = consents({"subfloor_destroy": "web1:/dev/vda, web1:/dev/vdb"}, True, hosts)
    assert given["web1"].devices == {"/dev/vda", "/dev/vdb"} and not given["web2"].devices
    assert consents({"subfloor_destroy": ["/dev/vda"]}, True, ("web1",))["web1"].devices == {"/dev/vda"}
    assert not consents({}, False, hosts)["web1"].devices
    with pytest.raises(WrongConsent, match="set in a playbook"):
        consents({}, True, hosts)
    with pytest.raises(WrongConsent, match="has 2"):
        consents({"subfloor_destroy": "/dev/vda"}, True, hosts)
    with pytest.raises(WrongConsent, match="must be a device"):
        consents({"subfloor_destroy": True}, True, hosts)


def test_advice_is_in_the_words_of_ansible() -> None:
    error = ConsentNeeded("this would destroy it", advice="--destroy web1:/dev/vda", words=("web1:/dev/vda",))
    assert consenting.advice(error).endswith("`-e subfloor_destroy=web1:/dev/vda`")
    assert words(error) == f"this would destroy it → {consenting.advice(error)}"


def test_the_playbook_of_ansible(tmp_path: Path) -> None:
    path = tmp_path / "play.yml"
    path.write_text(PLAYBOOK.replace("seed: s", "seed: s\n  serial: [1, 25%]\n  max_fail_percentage: 10"))
    (play,) = yaml.safe_load(playbook_for(load(path, Registry()), path))
    assert (play["hosts"], play["serial"], play["max_fail_percentage"]) == ("web", [1, "25%"], 10.0)
    (task,) = play["tasks"]
    assert task["subfloor.core.play"] == {"playbook": str(path)}


def test_several_plays_are_one_of_ansible_unless_one_has_batches(tmp_path: Path) -> None:
    path = tmp_path / "play.yml"
    path.write_text(PLAYBOOK + PLAYBOOK.replace("hosts: web", "hosts: db"))
    (play,) = yaml.safe_load(playbook_for(load(path, Registry()), path))
    assert play["hosts"] == "web:db"
    path.write_text(PLAYBOOK + PLAYBOOK.replace("seed: s", "seed: s\n  serial: 1"))
    with pytest.raises(PlaybookError, match="batches"):
        playbook_for(load(path, Registry()), path)


@pytest.mark.parametrize("path", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: path.stem)
def test_every_playbook_that_comes_with_subfloor_has_one(path: Path) -> None:
    assert "subfloor.core.play" in playbook_for(load(path, Registry()), path)
