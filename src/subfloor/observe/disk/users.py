"""What uses a disk: mounts, swap areas and holders, for each partition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from subfloor.core.machine import Output
from subfloor.observe import mountinfo, swap
from subfloor.observe.disk.facts import ProbeOutput, kernel_partitions


@dataclass(frozen=True)
class Users:
    """What uses a disk and its partitions. ``uses``: pairs of a device's node and a use in words.

    ``disk``: the node of the disk; ``nodes``: those of the kernel's partitions, by number.
    """

    disk: str
    nodes: dict[int, str]
    uses: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, facts: ProbeOutput, mounts: Output, swaps: Output) -> Users:
        """What uses the disk and its partitions, from the outputs of three probes: facts, mounts and swap areas."""
        kernel = kernel_partitions(facts).values()
        nodes = {partition.number: partition.node for partition in kernel}
        by_device = {partition.device: partition.node for partition in kernel}
        by_device[facts.one("dev")] = facts.one("node")
        return cls(facts.one("node"), nodes, tuple(_uses(facts, mounts.stdout, swaps.text, by_device)))

    def of_disk(self) -> tuple[str, ...]:
        """The uses of the whole disk, in words."""
        return self._of(self.disk)

    def of_partition(self, number: int) -> tuple[str, ...]:
        """The uses of the partition with this number, in words."""
        return self._of(self.nodes.get(number, ""))

    def of_stray(self, number: int) -> tuple[str, ...]:
        """The uses, in words, of a partition that the kernel still has, but that is not in the table."""
        node = self.nodes[number]
        return tuple(f"{use} (as {node}, which is not in its table)" for use in self._of(node))

    def _of(self, node: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(use for user, use in self.uses if user == node))


def _uses(facts: ProbeOutput, mounts: bytes, swaps: str, by_device: dict[str, str]) -> Iterator[tuple[str, str]]:
    for mount in mountinfo.parse(mounts):
        # The kernel lists a btrfs with a device number that no disk has, so its source is used.
        yield by_device.get(mount.device, mount.source), f"mounted at {mount.path}"
    for path, _ in swap.areas(swaps):
        yield path, "active as swap"
    for kind, words in _IN_SYSFS:
        for use in facts.many(kind):
            node, _, name = use.partition(" ")
            yield node, words.format(name)


HELD_BY = "held by "
"""The first words of a use by another block device."""

_IN_SYSFS = (
    ("holder", HELD_BY + "{}"),
    ("btrfs", "part of the mounted btrfs {}"),  # the list of mounts names only one of its devices
    ("loop", "behind {}"),
)
