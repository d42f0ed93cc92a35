"""The subject that all kinds of layers have in common: a device that is a member of one."""

from __future__ import annotations

from dataclasses import dataclass

from subfloor.core.machine import Subject
from subfloor.observe.layers.layer import Layer


@dataclass(frozen=True)
class Member(Subject[Layer]):
    """A device, by the kernel's node, with the type and the UUID of its content as blkid shows them."""

    node: str
    kind: str
    uuid: str

    def __str__(self) -> str:
        return f"what {self.node} is a part of"
