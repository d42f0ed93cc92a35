"""A logical volume lies on all disks of its group: for consent, for locks, and for what is not visible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import step_values
from subfloor.core.consent import Consent
from subfloor.core.engine import decide
from subfloor.core.errors import NotVisible, Refused
from subfloor.core.machine import Machine, differences
from subfloor.core.parameters import build
from subfloor.core.task import Step, Task
from subfloor.observe.disk import Disk, Unopened
from subfloor.playbook.registry import Registry
from subfloor.steps.volumes import with_one_name

GIVEN = {
    "disk /dev/vda": {"table": "ours", "partitions": [{"name": "lvm", "holds": "LVM2_member"}]},
    "disk /dev/mapper/pool-root": {"logical": ["pool", "root"], "size": "1GiB", "holds": "xfs photos"},
    "group pool": {"of": {1: "lvm"}, "volumes": {"root": 256}},
}
PLAY = (
    ("volume-group", {"name": "pool", "devices": ["/dev/vda1"]}),
    ("logical-volume", {"group": "pool", "name": "root", "size": "1GiB"}),
    ("mkfs", {"device": "/dev/pool/root", "type": "ext4"}),
    ("mount", {"source": "/dev/pool/root", "path": "/mnt", "type": "ext4"}),
    ("luks", {"device": "/dev/vda1", "name": "crypt"}),
)


def _tasks(*entries: tuple[str, Mapping[str, Any]]) -> dict[str, Task]:
    found = ((Registry().get(key), values) for key, values in entries)
    tasks = with_one_name(tuple(build(plugin.task, values, step_values.IDENTITY) for plugin, values in found if plugin))
    return {task.key: task.within(tasks) for task in tasks}


def test_every_parameter_gets_the_name_of_a_volume_that_exists_without_udev() -> None:
    extra = ("volume-group", {"name": "upper", "devices": ["/dev/pool/root", "/dev/pool-2/root"]})
    tasks = _tasks(*PLAY, extra)
    named = {getattr(tasks["mkfs"], "device", ""), getattr(tasks["mount"], "source", "")}
    assert named == {"/dev/mapper/pool-root"}
    assert getattr(tasks["volume-group"], "devices", ()) == ("/dev/mapper/pool-root", "/dev/pool-2/root")
    assert getattr(tasks["mount"], "path", "") == "/mnt"


def _machine(given: Mapping[str, Any], tasks: Mapping[str, Task]) -> Machine:
    return step_values.machine(given, frozenset().union(*(task.subjects() for task in tasks.values())))


def _remade() -> Step:
    """The step that makes another filesystem where a finished one is."""
    tasks = _tasks(*PLAY[:3])
    step = decide(tasks["mkfs"], _machine(GIVEN, tasks), step_values.look(GIVEN))
    assert step is not None
    return step


def test_a_loss_on_a_logical_volume_is_consented_to_by_any_name_of_what_it_lies_on() -> None:
    (loss,) = _remade().destroys
    for name in ("/dev/mapper/pool-root", "/dev/vda"):
        assert Consent(frozenset({name})).covers(loss), name
    assert not Consent(frozenset({"/dev/vdb"})).covers(loss)


def test_a_step_on_a_logical_volume_locks_the_disk_below() -> None:
    assert _remade().locks == ("/dev/vda",)


def test_nothing_of_a_group_in_a_closed_container_is_visible() -> None:
    entries = (PLAY[4], ("volume-group", {"name": "pool", "devices": ["/dev/mapper/crypt"]}), *PLAY[1:4])
    tasks = _tasks(*entries)
    closed = Unopened("the container on /dev/vda1 is open")
    machine = _machine({"disk /dev/vda": {"table": "ours", "partitions": [{"name": "crypt"}]}}, tasks)
    machine = machine.with_(Disk("/dev/mapper/crypt"), closed)
    for key in ("volume-group", "logical-volume", "mkfs"):
        with pytest.raises(NotVisible, match="the content of /dev/mapper/crypt is unknown until"):
            decide(tasks[key], machine, step_values.look({}))
    mount = decide(tasks["mount"], machine, step_values.look({}))
    assert mount is not None and "/mnt: absent → not visible until" in "\n".join(
        map(str, differences(machine, mount.after))
    )


def test_a_foreign_group_is_there_until_all_of_its_disks_are_erased() -> None:
    tasks = _tasks(PLAY[0])
    given = {
        "disk /dev/vda": {"table": "ours", "partitions": [{"name": "lvm.unfinished"}]},
        "group pool": {"tags": [], "others": {"Ab1234": "/dev/vda1", "Cd5678": "/dev/vdb1"}},
    }
    with pytest.raises(Refused, match="was not made by this play"):
        decide(tasks["volume-group"], _machine(given, tasks), step_values.look(given))
    one = {**given, "group pool": {"tags": [], "others": {"Ab1234": "/dev/vda1"}}}
    step = decide(tasks["volume-group"], _machine(one, tasks), step_values.look(one))
    assert step is not None and step.says == "Make a physical volume of LVM on /dev/vda1"


def test_a_volume_with_images_comes_before_those_that_could_take_its_room() -> None:
    entries = (
        ("volume-group", {"name": "pool", "devices": ["/dev/vda1", "/dev/vda2"]}),
        ("logical-volume", {"group": "pool", "name": "data", "size": "rest"}),
        ("logical-volume", {"group": "pool", "name": "swap", "type": "raid1", "size": "64MiB"}),
    )
    given = {
        "disk /dev/vda": {
            "table": "ours",
            "partitions": [{"name": name, "size": "1GiB", "holds": "LVM2_member"} for name in ("one", "two")],
        },
        "group pool": {"of": {1: "one", 2: "two"}, "free": 510},
    }
    found = ((Registry().get(key), values) for key, values in entries)
    tasks = with_one_name(tuple(build(plugin.task, values, step_values.IDENTITY) for plugin, values in found if plugin))
    play = tuple(task.within(tasks) for task in tasks)
    machine = step_values.machine(given, frozenset().union(*(task.subjects() for task in play)))
    with pytest.raises(Refused, match="put the task for 'swap' before this one"):
        play[1].next_step(machine)
    step = play[2].next_step(machine)
    assert step is not None
    rest: Step | None = play[1].next_step(step.after)
    assert rest is not None
    assert "pool/data of 1904MiB" in rest.says, rest.says
