"""The output of a disk's probes, line by line: keys and values, and the kernel's partitions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ProbeOutput:
    """Lines of ``key value``. Only a line feed ends a line: values from a disk may contain any other character."""

    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, text: str) -> ProbeOutput:
        """The pairs in the output of a probe."""
        parts = (line.partition(" ") for line in text.split("\n") if line)
        return cls(tuple((key, value) for key, _, value in parts))

    def many(self, key: str) -> list[str]:
        """All values of a key, in order."""
        return [value for name, value in self.pairs if name == key]

    def one(self, key: str) -> str:
        """The first value of a key, or ""."""
        return next(iter(self.many(key)), "")

    def number(self, key: str, default: int = 0) -> int:
        """The first value of a key as a number; ``default`` if there is none. Raises ``ValueError`` for other text."""
        return int(self.one(key) or default)


@dataclass(frozen=True)
class KernelPartition:
    """A partition known to the kernel; ``start`` and ``size`` in 512-byte sectors, as in sysfs."""

    number: int
    start: str
    size: str
    device: str
    node: str

    @classmethod
    def of(cls, line: str) -> KernelPartition:
        """Parse a line ``NUMBER START SIZE MAJOR:MINOR NODE``. Raises ``ValueError`` for a line of another form."""
        number, start, size, device, node = line.split()
        return cls(int(number), start, size, device, node)

    def is_at(self, start: str, size: str) -> bool:
        """Whether the partition has this start and this size, in 512-byte sectors."""
        return (self.start, self.size) == (start, size)


def kernel_partitions(facts: ProbeOutput) -> dict[int, KernelPartition]:
    """The kernel's partitions by number."""
    found = map(KernelPartition.of, facts.many("partition"))
    return {partition.number: partition for partition in found}
