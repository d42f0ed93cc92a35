"""What a play would destroy, and whether it may.

Consent is given for a device, for one run, by whoever runs it; a playbook cannot give it. It is the
last word only on data: what is in use is refused before consent is even asked about.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from subfloor.disks.devices import device
from subfloor.errors import Refused
from subfloor.task import Loss, Step


@dataclass(frozen=True)
class Consent:
    """The devices that were named for this run; a disk's name stands for its partitions too."""

    devices: frozenset[str] = frozenset()

    def covers(self, loss: Loss) -> bool:
        return bool(self.devices & _names(loss))

    def to(self, shown: Iterable[Loss]) -> Agreed:
        """This consent, as far as what was shown: what turns up later nobody has agreed to."""
        return Agreed(self.devices, frozenset((loss.device, loss.node) for loss in shown))

    def lacking(self, step: Step) -> tuple[Loss, ...]:
        """What the step destroys and nobody has consented to."""
        return tuple(loss for loss in step.destroys if not self.covers(loss))


@dataclass(frozen=True)
class Agreed(Consent):
    """Consent to what was ``shown``: the devices, by the path that the play names and the kernel's node."""

    shown: frozenset[tuple[str, str]] = frozenset()

    def covers(self, loss: Loss) -> bool:
        return (loss.device, loss.node) in self.shown and super().covers(loss)


def _names(loss: Loss) -> frozenset[str]:
    """Every name that consent to this loss may be given by."""
    named = {loss.device, loss.node}
    return frozenset(named | {device(name).disk for name in named})


def refusal(losses: Iterable[Loss]) -> Refused:
    """Why a step is refused that destroys what nobody has consented to lose."""
    lost = tuple(losses)
    options = " ".join(dict.fromkeys(f"--destroy {loss.device}" for loss in lost))
    return Refused(
        f"this would destroy what is on {'; '.join(loss.what for loss in lost)}",
        advice=f"to lose it, and only then, run `apply` with {options}",
    )
