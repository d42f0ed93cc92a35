"""What a play would destroy, and whether it may.

Consent is given for a device of a host, for one run, by whoever runs it; a playbook cannot give it. It is the
last word only on data: what is in use is refused before consent is even asked about.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from subfloor.core.errors import Refused
from subfloor.core.task import Loss, Step
from subfloor.storage.devices import device

_ON_HOST = re.compile(r"(?P<host>[^/]+):(?P<device>/.*)")


@dataclass(frozen=True)
class Consent:
    """The devices of one host that were named for this run; a disk's name stands for its partitions too.

    ``nodes``: the kernel's own names of those devices, as pairs (name given, node), once the host was looked at.
    ``host``: its name, where the run has several, so that a device has to be named with its host.
    """

    devices: frozenset[str] = frozenset()
    nodes: frozenset[tuple[str, str]] = frozenset()
    host: str = ""

    def covers(self, loss: Loss) -> bool:
        """Whether what would be lost is on a device that was named."""
        return bool(self.names_for(loss))

    def names_for(self, loss: Loss) -> frozenset[str]:
        """The names given that consent to this loss."""
        lost = names_of(loss)
        return (self.devices & lost) | {name for name, node in self.nodes if node in lost}

    def needed_for(self, losses: Iterable[Loss]) -> frozenset[str]:
        """The names given that consent to any of these losses."""
        return frozenset(name for loss in losses for name in self.names_for(loss))

    def and_for(self, loss: Loss) -> Consent:
        """This consent, and that to one more loss."""
        return replace(self, devices=self.devices | {loss.device})

    def word(self, name: str) -> str:
        """A device as it is named for `--destroy`: with its host where the run has several."""
        return f"{self.host}:{name}" if self.host else name

    def to(self, shown: Iterable[Loss]) -> Agreed:
        """This consent, as far as what was shown: what turns up later nobody has agreed to."""
        agreed = frozenset((loss.device, loss.node) for loss in shown)
        return Agreed(self.devices, self.nodes, self.host, agreed)

    def lacking(self, step: Step) -> tuple[Loss, ...]:
        """What the step destroys and nobody has consented to."""
        return tuple(loss for loss in step.destroys if not self.covers(loss))

    def refusal(self, losses: Iterable[Loss]) -> Refused:
        """Why a step is refused that destroys what nobody has consented to lose."""
        lost = tuple(losses)
        options = " ".join(dict.fromkeys(f"--destroy {self.word(loss.device)}" for loss in lost))
        return Refused(
            f"this would destroy what is on {'; '.join(loss.what for loss in lost)}",
            advice=f"to destroy it, run `apply` with {options}",
        )


@dataclass(frozen=True)
class Agreed(Consent):
    """Consent to what was ``shown``: the devices, by the path that the play names and the kernel's node."""

    shown: frozenset[tuple[str, str]] = frozenset()

    def covers(self, loss: Loss) -> bool:
        return (loss.device, loss.node) in self.shown and super().covers(loss)


Consents = Mapping[str, Consent]
"""Consent by the names of the hosts."""


def given(words: Iterable[str], hosts: Sequence[str]) -> Consents:
    """Consent from words such as ``/dev/vda`` or, needed where there are several hosts, ``HOST:/dev/vda``.

    Raises ``ValueError`` for a word that names no host of the run, no clean path below /dev, or that leaves open
    which of several hosts it is for.
    """
    several = len(hosts) > 1
    found: dict[str, set[str]] = {host: set() for host in hosts}
    for word in words:
        host, name = _parted(word, hosts)
        device(name)
        found[host].add(name)
    return {host: Consent(frozenset(names), host=host if several else "") for host, names in found.items()}


def _parted(word: str, hosts: Sequence[str]) -> tuple[str, str]:
    """Host and device of a word. A device's name may have colons (by-path), but before its first slash has none."""
    parts = _ON_HOST.fullmatch(word)
    if parts and parts["host"] not in hosts:
        close = difflib.get_close_matches(parts["host"], hosts, n=1)
        meant = f"did you mean {close[0]}:{parts['device']}?" if close else f"the hosts are {', '.join(hosts)}"
        raise ValueError(f"{word}: this run has no host {parts['host']}; {meant}")
    if parts:
        return parts["host"], parts["device"]
    if len(hosts) > 1:
        choices = " or ".join(f"{host}:{word}" for host in hosts[:3])
        raise ValueError(f"{word}: consent is for one host, and this run has {len(hosts)}; write {choices}")
    return hosts[0], word


def names_of(loss: Loss) -> frozenset[str]:
    """Every name that consent to this loss may be given by."""
    named = {loss.device, loss.node}
    return frozenset(named | {device(name).disk for name in named})
