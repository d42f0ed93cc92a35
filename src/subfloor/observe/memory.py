"""The memory that the kernel can use, from /proc/meminfo (proc_meminfo(5))."""

from __future__ import annotations

from dataclasses import dataclass

from subfloor.core.machine import Output, Subject


@dataclass(frozen=True)
class MemoryState:
    """All memory that the kernel can use, and the size of a page, in bytes."""

    total: int
    page: int = 4096

    @property
    def pages(self) -> int:
        """The memory in pages."""
        return self.total // self.page


@dataclass(frozen=True)
class Memory(Subject[MemoryState]):
    """The machine's memory."""

    def __str__(self) -> str:
        return "memory"

    def probes(self) -> tuple[str, ...]:
        """The probes: memory in KiB, page size in bytes."""
        return ("grep '^MemTotal:' /proc/meminfo", "getconf PAGESIZE || echo 4096")

    def parse(self, *outputs: Output) -> MemoryState:
        """Memory and page size, in bytes."""
        total, page = outputs
        return MemoryState(int(total.text.split()[1]) * 1024, int(page.text))
