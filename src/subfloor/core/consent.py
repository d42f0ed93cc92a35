"""Consent: which devices the user allows a run to destroy.

The user who starts a run gives consent for a device of a host, for that run only; a playbook cannot give it.
Consent covers data only: a device that is in use is refused before subfloor asks for consent.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from subfloor.core.errors import ConsentNeeded
from subfloor.core.task import Loss, Step
from subfloor.storage.devices import device

_ON_HOST = re.compile(r"(?P<host>[^/]+):(?P<device>/.*)")


@dataclass(frozen=True)
class Consent:
    """The devices of one host that the user named for this run; a disk's name includes its partitions.

    ``nodes``: the kernel's names of those devices, as pairs (name given, node), after a look at the host.
    ``host``: the host's name if the run has several hosts; a device must then be named with its host.
    """

    devices: frozenset[str] = frozenset()
    nodes: frozenset[tuple[str, str]] = frozenset()
    host: str = ""

    def covers(self, loss: Loss) -> bool:
        """Whether the loss is on a named device."""
        return bool(self.names_for(loss))

    def names_for(self, loss: Loss) -> frozenset[str]:
        """The names from the user that cover this loss."""
        lost = names_of(loss)
        return (self.devices & lost) | {name for name, node in self.nodes if node in lost}

    def needed_for(self, losses: Iterable[Loss]) -> frozenset[str]:
        """The names from the user that cover any of these losses."""
        return frozenset(name for loss in losses for name in self.names_for(loss))

    def and_for(self, loss: Loss) -> Consent:
        """This consent, extended by one more loss."""
        return replace(self, devices=self.devices | {loss.device})

    def word(self, name: str) -> str:
        """A device as `--destroy` names it: with its host if the run has several hosts."""
        return f"{self.host}:{name}" if self.host else name

    def to(self, shown: Iterable[Loss]) -> Agreed:
        """This consent, limited to the losses that were shown: the user has not agreed to losses that appear later."""
        agreed = frozenset((loss.device, loss.node) for loss in shown)
        return Agreed(self.devices, self.nodes, self.host, agreed)

    def lacking(self, step: Step) -> tuple[Loss, ...]:
        """The losses of the step that have no consent."""
        return tuple(loss for loss in step.destroys if not self.covers(loss))

    def refusal(self, losses: Iterable[Loss]) -> ConsentNeeded:
        """The error for a step that would destroy data without consent."""
        lost = tuple(losses)
        words = tuple(dict.fromkeys(self.word(loss.device) for loss in lost))
        return ConsentNeeded(
            f"this would destroy what is on {'; '.join(loss.what for loss in lost)}",
            advice=f"to destroy it, run `apply` with {' '.join(f'--destroy {word}' for word in words)}",
            words=words,
        )


@dataclass(frozen=True)
class Agreed(Consent):
    """Consent to the losses that were ``shown``: pairs of the path in the play and the kernel's node."""

    shown: frozenset[tuple[str, str]] = frozenset()

    def covers(self, loss: Loss) -> bool:
        """Whether the loss was shown and is on a named device."""
        return (loss.device, loss.node) in self.shown and super().covers(loss)


Consents = Mapping[str, Consent]
"""Consent by host name."""


def given(words: Iterable[str], hosts: Sequence[str]) -> Consents:
    """Consent from words such as ``/dev/vda`` or ``HOST:/dev/vda``; several hosts need the second form.

    Raises ``ValueError`` if a word names no host of the run, has no clean path below /dev, or names no host
    although the run has several.
    """
    several = len(hosts) > 1
    found: dict[str, set[str]] = {host: set() for host in hosts}
    for word in words:
        host, name = _parted(word, hosts)
        device(name)
        found[host].add(name)
    return {host: Consent(frozenset(names), host=host if several else "") for host, names in found.items()}


def _parted(word: str, hosts: Sequence[str]) -> tuple[str, str]:
    """Host and device of a word. A device's name may contain colons (by-path), but none before its first slash."""
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
    """Every name that may be used to consent to this loss."""
    named = {loss.device, loss.node, *loss.disks}
    return frozenset(named | {device(name).disk for name in named})
