"""What is in a container lies on a disk: its loss is consented to by the disk's name, and its steps lock the disk."""

from __future__ import annotations

import step_values
from subfloor.core.consent import Consent
from subfloor.core.engine import decide
from subfloor.core.parameters import build
from subfloor.core.task import Step
from subfloor.playbook.registry import Registry

GIVEN = {
    "disk /dev/vda": {"table": "ours", "partitions": [{"name": "crypt", "holds": "crypto_LUKS root"}]},
    "disk /dev/mapper/root": {"opened": [1, "crypt"], "size": "1GiB", "holds": "xfs photos"},
}


def _remade() -> Step:
    """The step that makes another filesystem where a finished one is."""
    registry = Registry()
    wanted = {
        "luks": {"device": "/dev/vda1", "name": "root"},
        "mkfs": {"device": "/dev/mapper/root", "type": "ext4"},
    }
    plugins = {key: registry.get(key) for key in wanted}
    tasks = [build(plugin.task, wanted[key], step_values.IDENTITY) for key, plugin in plugins.items() if plugin]
    mkfs = tasks[-1].within(tuple(tasks))
    machine = step_values.machine(GIVEN, mkfs.subjects())
    step = decide(mkfs, machine, step_values.look(GIVEN))
    assert step is not None
    return step


def test_a_loss_in_a_container_is_consented_to_by_any_name_of_what_it_lies_on() -> None:
    (loss,) = _remade().destroys
    for name in ("/dev/mapper/root", "/dev/vda"):
        assert Consent(frozenset({name})).covers(loss), name
    assert not Consent(frozenset({"/dev/vdb"})).covers(loss)


def test_a_step_in_a_container_locks_the_disk_below() -> None:
    assert _remade().locks == ("/dev/vda",)
