"""From `serial` and `max_fail_percentage` in plays, and the selected hosts, to the batches of a run."""

from __future__ import annotations

from pathlib import Path

from playbook_samples import written
from subfloor.core.rollout import Batch
from subfloor.playbook.job import Request, read_job

HOSTS = """
all:
  vars: {subfloor_connection: local}
  children:
    web: {hosts: {a: null, b: null, c: null}}
    data: {hosts: {d: null, e: null}}
"""
PLAYS = """
- hosts: web
  serial: [1, 50%]
  max_fail_percentage: 0
  tasks:
    - command: {argv: [touch, /x], creates: /x}
    - command: {argv: [touch, /y], creates: /y}
      tags: second
      name: the second
- hosts: all
  tasks:
    - command: {argv: [touch, /z], creates: /z}
      tags: third
"""


def request(tmp_path: Path, **more: object) -> Request:
    path = written(tmp_path, PLAYS)
    return Request(path, inventory=written(tmp_path, HOSTS, "hosts.yml"), **more)  # type: ignore[arg-type]


def test_the_batches_of_each_play_in_their_order(tmp_path: Path) -> None:
    job = read_job(request(tmp_path))
    one_by_one = [Batch((name,), 0, 0.0) for name in "abc"]
    assert list(job.batches) == [*one_by_one, Batch(("a", "b", "c", "d", "e"), 1)]


def test_only_selected_hosts_are_counted(tmp_path: Path) -> None:
    job = read_job(request(tmp_path, limit="b:c:e"))
    assert list(job.batches) == [Batch(("b",), 0, 0.0), Batch(("c",), 0, 0.0), Batch(("b", "c", "e"), 1)]


def test_a_host_s_tasks_up_to_each_play(tmp_path: Path) -> None:
    def counts(**more: object) -> dict[str, list[int]]:
        return {work.host.name: [work.up_to(0), work.up_to(1)] for work in read_job(request(tmp_path, **more)).works}

    assert counts()["a"] == [2, 3]
    assert counts()["d"] == [0, 1]
    assert counts(tags=("second", "third"))["a"] == [1, 2]
    assert counts(tags=("third",))["a"] == [0, 1]
    assert counts(start_at="the second")["a"] == [1, 2]
