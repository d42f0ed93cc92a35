"""One run reports every error of the playbook, its parts, the inventory and the command line; none that follows."""

from __future__ import annotations

from pathlib import Path

import pytest
from subfloor_plugins.aligned_partition import AlignedPartition

from playbook_samples import written
from subfloor.core.parameters import UNKNOWN, complaints
from subfloor.playbook import strict_yaml
from subfloor.playbook.job import Request, read_job
from subfloor.playbook.positions import PlaybookError, Problems, Source


def messages(request: Request) -> list[str]:
    with pytest.raises(PlaybookError) as caught:
        read_job(request)
    return [error.what for error in caught.value.all]


def test_errors_of_all_sources_in_one_run(tmp_path: Path) -> None:
    written(tmp_path, "- mkfs: {device: /dev/vda1, type: exr4}\n", "part.yml")
    written(tmp_path, "all:\n  hosts:\n    a b:\n", "hosts.yml")
    text = "- hosts: all\n  seed: x\n  tasks:\n  - wype: {device: /dev/vda}\n  - include: part.yml\n"
    request = Request(written(tmp_path, text), inventory=tmp_path / "hosts.yml", extra=("1x=2",))
    assert messages(request) == [
        "there is no task `wype`",
        "`1x=2` is neither NAME=VALUE nor @FILE",
        "`a b` is not a valid host name",
        '`type` must be one of ext4, vfat, xfs, btrfs, f2fs, swap, but this is the text "exr4"',
    ]


def test_a_variable_of_an_inventory_that_cannot_be_read_is_not_reported_as_undefined(tmp_path: Path) -> None:
    path = written(tmp_path, "- hosts: web\n  tasks:\n  - wipefs: {device: '{{ disk }}'}\n")
    assert messages(Request(path, inventory=tmp_path / "gone.yml")) == ["cannot be read: No such file or directory"]


def test_a_wrong_pattern_of_hosts_does_not_hide_the_errors_of_the_play(tmp_path: Path) -> None:
    path = written(tmp_path, "- hosts: web\n  tasks:\n  - wipefs: {device: '{{ disk }}', x: 1}\n")
    assert messages(Request(path)) == ["there is no host and no group `web`", "`wipefs` has no parameter `x`"]


def test_tags_and_variables_of_the_command_line_are_compared_with_tasks_that_have_errors(tmp_path: Path) -> None:
    path = written(tmp_path, "- hosts: all\n  tasks:\n  - {wype: {device: '{{ disk }}'}, tags: wipe}\n")
    assert messages(Request(path, extra=("disk=/dev/vda",), tags=("wipe",))) == ["there is no task `wype`"]
    assert messages(Request(path, extra=("dsk=/dev/vda",))) == [
        "there is no task `wype`",
        "nothing reads the variable `dsk`",
    ]


def test_all_values_that_a_class_refuses() -> None:
    values = {"device": "/dev/vda1", "number": UNKNOWN, "name": "x", "type": "linx", "size": "5 GB", "end": "7"}
    told = complaints(AlignedPartition, values, UNKNOWN)
    assert [message.partition(":")[0] for message in told] == ["device", "type", "size", "end"]


def test_an_unknown_value_leads_to_no_further_error() -> None:
    values = {"device": "/dev/vda", "number": 1, "name": "x", "type": "linux", "size": UNKNOWN, "end": UNKNOWN}
    assert complaints(AlignedPartition, values, UNKNOWN) == ()


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("- a: b: c\n- d: e: f\n- g: no\n", [1, 2, 3]),
        ('- a: "x\n- b: 1\n- c: d: e\n', [1, 3]),
        ("- a: [1\n- b: {c: 1\n- d: @e\n", [1, 2, 3]),
        ("- a:\n    b: c: d\n     e: f\n- g: `h\n", [2, 4]),
        ("- x: 1\n  y\n  z: 2\n- w: @\n", [2, 4]),
    ],
)
def test_syntax_errors_after_the_first(text: str, lines: list[int]) -> None:
    problems = Problems()
    strict_yaml.parse(Source("f", text), problems)
    assert [error.where.line for error in problems.taken()] == lines


def test_many_syntax_errors_end(tmp_path: Path) -> None:
    with pytest.raises(PlaybookError) as caught:
        strict_yaml.parse(Source("f", "- a: b: c\n" * 500))
    assert 20 <= len(caught.value.all) <= 22
