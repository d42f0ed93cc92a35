"""A disk that another tool laid out, and a play that declares it as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import step_values
from subfloor.core.machine import Machine
from subfloor.core.parameters import build
from subfloor.core.task import Task
from subfloor.observe.partuuids import Naming, PartuuidNames
from subfloor.playbook.registry import Registry
from subfloor.steps.adoption import Adoption, adoptions

OTHER = "9c1c5f0e-6d52-4a8b-8d0a-0c6f6a1b7f01"
PART = {1: "11111111-6d52-4a8b-8d0a-0c6f6a1b7f01", 2: "22222222-6d52-4a8b-8d0a-0c6f6a1b7f01"}
FOREIGN: dict[str, Any] = {
    "table": OTHER,
    "partitions": [
        {"name": "nix", "size": "8GiB", "uuid": PART[1], "holds": {"type": "ext4", "label": "nixos", "uuid": "abc"}},
        {"name": "swap", "type": "swap", "size": "1GiB", "uuid": PART[2], "holds": {"type": "swap", "uuid": "def"}},
    ],
}
PLAY: tuple[tuple[str, dict[str, Any]], ...] = (
    ("gpt-label", {"device": "/dev/vda"}),
    ("aligned-partition", {"device": "/dev/vda", "number": 1, "name": "nix", "type": "linux", "size": "8GiB"}),
    ("mkfs", {"device": "/dev/vda1", "type": "ext4", "label": "nixos"}),
    ("aligned-partition", {"device": "/dev/vda", "number": 2, "name": "swap", "type": "swap", "size": "1GiB"}),
    ("mkfs", {"device": "/dev/vda2", "type": "swap"}),
)


def tasks(*changed: tuple[int, Mapping[str, Any]]) -> tuple[Task, ...]:
    """The tasks of the play, with some parameters changed."""
    play = [(key, {**values, **dict(changed).get(at, {})}) for at, (key, values) in enumerate(PLAY)]
    registry = Registry()
    made = [build(plugin.task, values, step_values.IDENTITY) for key, values in play if (plugin := registry.get(key))]
    return tuple(task.within(tuple(made)) for task in made)


def adoption(*changed: tuple[int, Mapping[str, Any]]) -> Adoption:
    (found,) = adoptions(tasks(*changed))
    return found


def seen(disk: Mapping[str, Any] = FOREIGN, *named: Naming) -> Machine:
    subjects = (each for task in tasks() for each in task.subjects())
    return step_values.machine({"disk /dev/vda": disk}, subjects).with_(PartuuidNames(), named)
