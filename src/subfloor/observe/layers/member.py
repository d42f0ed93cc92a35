"""The base of the subjects for all kinds of layers: a device that is a member of a layer."""

from __future__ import annotations

from dataclasses import dataclass

from subfloor.core.machine import Subject
from subfloor.observe.layers.layer import Layer


@dataclass(frozen=True)
class Member(Subject[Layer]):
    """A member of a layer. ``node``: the kernel's path; ``kind`` and ``uuid``: of its content, as blkid shows them."""

    node: str
    kind: str
    uuid: str

    def __str__(self) -> str:
        return f"what {self.node} is a part of"
