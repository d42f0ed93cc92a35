"""The order in which hosts are applied to: in batches (`serial`), until too many fail (`max_fail_percentage`).

The rules are Ansible's (``PlaybookExecutor._get_serialized_batches`` and the strategy ``linear`` of ansible-core 2.19).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class Share:
    """The size of a batch: a number of hosts, or a percentage of all hosts of the play."""

    number: int
    percent: bool = False

    def of(self, hosts: int) -> int:
        """The number of hosts in a batch, of ``hosts`` in the play. A percentage is rounded down, to one at least."""
        return hosts * self.number // 100 or 1 if self.percent else self.number


@dataclass(frozen=True)
class Rollout:
    """A play's ``serial``. ``most_failed``: its ``max_fail_percentage``; None if the play does not set that."""

    serial: tuple[Share, ...] = ()
    most_failed: float | None = None

    @property
    def plain(self) -> bool:
        """Whether the play sets neither of the two."""
        return not self.serial and self.most_failed is None

    def parts(self, hosts: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """The hosts of each batch. The last size is that of all later batches too; without sizes there is one batch."""
        sizes, rest, at = self.serial or (Share(100, percent=True),), tuple(hosts), 0
        while rest:
            size = sizes[min(at, len(sizes) - 1)].of(len(hosts))
            yield rest[:size]
            rest, at = rest[size:], at + 1


@dataclass(frozen=True)
class Batch:
    """Hosts that a run works on until each of them has ended play number ``play``. Then the next batch begins.

    ``most_failed``: the percentage of hosts that may fail; if more fail, the run stops. None: there is no limit.
    """

    hosts: tuple[str, ...]
    play: int
    most_failed: float | None = None

    def has_too_many(self, failed: int) -> bool:
        """Whether this number of failed hosts is above the limit."""
        return self.most_failed is not None and 100 * failed > self.most_failed * len(self.hosts)


def batches(plays: Sequence[tuple[Rollout, Collection[str]]]) -> tuple[Batch, ...]:
    """The batches of a run, from the hosts of each play.

    Plays without settings for batches that follow each other become one batch: in it, no host waits for another one.
    """
    found: list[Batch] = []
    for plain, some in groupby(enumerate(plays), key=lambda each: each[1][0].plain):
        group = list(some)
        if plain:
            hosts = dict.fromkeys(host for _, (_, hosts) in group for host in hosts)
            found.append(Batch(tuple(hosts), group[-1][0]))
        else:
            found += (
                Batch(part, number, rollout.most_failed)
                for number, (rollout, hosts) in group
                for part in rollout.parts(tuple(hosts))
            )
    return tuple(batch for batch in found if batch.hosts)
