"""A disk with a GPT, as it was seen."""

from __future__ import annotations

from dataclasses import dataclass

from subfloor.core.machine import Machine
from subfloor.core.task import Command, Loss, Step
from subfloor.observe.disk import Disk, DiskState
from subfloor.storage.gpt import Gpt


@dataclass(frozen=True)
class LabelledDisk:
    """``path``: the disk, as the play names it; ``machine``: the machine that it was seen on."""

    path: str
    machine: Machine
    disk: DiskState
    table: Gpt

    def step(self, says: str, commands: tuple[Command, ...], after: DiskState, destroys: tuple[Loss, ...] = ()) -> Step:
        """A step that changes the disk to ``after``."""
        machine = self.machine.with_(Disk(self.path), after)
        return Step(says=says, commands=commands, after=machine, destroys=destroys, locks=(self.disk.node,))
